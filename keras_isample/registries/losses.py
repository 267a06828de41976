"""The losses that `fit` knows by name, without importing Keras.

A new loss is a file with its class, and a line here.
"""

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from keras_isample.registries.registry import Registry
from keras_isample.registries.registry import imported


@dataclass(frozen=True)
class LossSpec:
    """What the configuration must know of a loss before it is made.

    Attributes:
        maker: Class or function that makes the loss, or its place, such as
            `"package.module:Name"`.
        weighted: Its arguments that take the class weights.
        needs_weights: Whether it makes no sense without class weights.
        weighted_form: Name of the loss that is the same with class weights,
            for a loss that takes none.
        options: Further arguments.
    """

    maker: str | Callable[..., Any]
    weighted: tuple[str, ...] = ()
    needs_weights: bool = False
    weighted_form: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def make(self, class_weights: Any = None, **options: Any) -> Any:
        """Makes the loss.

        Args:
            class_weights: One float per class, or `None`.
            options: More arguments.
        """
        weights = dict.fromkeys(self.weighted, class_weights)
        return imported(self.maker)(**weights, **self.options, **options)


LOSSES = Registry("loss")
"""A `LossSpec` for each name of `loss`; `w` marks parts that weigh the
classes."""

_ROOM = "keras_isample.losses"
_CE = f"{_ROOM}.cross_entropy:CrossEntropy"
_DICE = f"{_ROOM}.dice:Dice"
_SUM = f"{_ROOM}.weighted_sum:CEDice"
_BOUNDARY = f"{_ROOM}.boundary_cross_entropy:BoundaryCrossEntropy"

for _name, _spec in {
    "ce": LossSpec(_CE, weighted_form="wce"),
    "wce": LossSpec(_CE, ("class_weights",), True),
    "dice": LossSpec(_DICE, weighted_form="wdice"),
    "wdice": LossSpec(_DICE, ("class_weights",), True),
    "focal": LossSpec(f"{_ROOM}.focal:Focal", ("class_weights",)),
    "dice-focal": LossSpec(
        f"{_ROOM}.weighted_sum:DiceFocal", ("focal_class_weights",)
    ),
    "ce-dice": LossSpec(_SUM, weighted_form="wce-wdice"),
    "wce-dice": LossSpec(_SUM, ("ce_class_weights",), True),
    "wce-wdice": LossSpec(
        _SUM, ("ce_class_weights", "dice_class_weights"), True
    ),
    "boundary-ce": LossSpec(_BOUNDARY, ("class_weights",)),
    "boundary-ce-dice": LossSpec(
        _SUM, ("ce_class_weights",), options={"boundary": "gradient"}
    ),
}.items():
    LOSSES.register(_name, _spec)

LOSSES.protect()


def register_loss(
    name: str,
    maker: Callable[..., Any],
    *,
    class_weights: str | None = None,
    needs_weights: bool = False,
) -> None:
    """Makes a loss known by a name, for `loss` and `loss_schedule`.

    Args:
        name: The name.
        maker: Class or function that returns a Keras loss, or the name of one
            of Keras'. It is called without arguments but the class weights.
            One that returns a loss of this package is called with
            `merged_classes`, too, where the data have some.
        class_weights: Its argument that takes the class weights, one float per
            class, background first; `None` if it takes none.
        needs_weights: Whether it makes no sense without class weights.

    Raises:
        ValueError: If the name is one of this package's, or a loss that takes
            no class weights needs them.

    Example:
    >>> register_loss("keras-dice", keras.losses.Dice)
    >>> config = Config.from_settings("scans/", {"loss": "keras-dice"})
    """
    if needs_weights and class_weights is None:
        raise ValueError(
            "Argument `class_weights` must name the argument that takes them "
            "where `needs_weights=True`. Received: class_weights=None."
        )
    weighted = () if class_weights is None else (class_weights,)
    LOSSES.register(name, LossSpec(maker, weighted, needs_weights))
