"""Losses by the names of the command line."""

from keras_isample.losses.boundary_cross_entropy import BoundaryCrossEntropy
from keras_isample.losses.combined import CEDice
from keras_isample.losses.combined import DiceFocal
from keras_isample.losses.cross_entropy import CrossEntropy
from keras_isample.losses.dice import Dice
from keras_isample.losses.focal import Focal


def _quicknat_loss(**options):
    return CEDice(boundary="gradient", **options)


# Each with the arguments that take the class weights, if any.
_LOSSES = {
    "ce": (CrossEntropy, ()),
    "wce": (CrossEntropy, ("class_weights",)),
    "dice": (Dice, ()),
    "wdice": (Dice, ("class_weights",)),
    "focal": (Focal, ("class_weights",)),
    "dice-focal": (DiceFocal, ("focal_class_weights",)),
    "ce-dice": (CEDice, ()),
    "wce-dice": (CEDice, ("ce_class_weights",)),
    "wce-wdice": (CEDice, ("ce_class_weights", "dice_class_weights")),
    "boundary-ce": (BoundaryCrossEntropy, ("class_weights",)),
    "boundary-ce-dice": (_quicknat_loss, ("ce_class_weights",)),
}
LOSS_NAMES = tuple(_LOSSES)


def make_loss(name, class_weights=None, merged_classes=(), **options):
    """A loss by its name.

    `ce` `CrossEntropy`, `dice` `Dice`, `focal` `Focal`, `dice-focal`
    `DiceFocal`, `ce-dice` `CEDice`, `boundary-ce` `BoundaryCrossEntropy` with
    Ronneberger's map, `boundary-ce-dice` QuickNAT's loss, `CEDice` with
    `boundary="gradient"` (with class weights, as in the paper). The class
    weights apply to each part that has a `w` before its name, and, where
    given, to `focal` (as alpha), to the focal part of `dice-focal` and to the
    cross-entropy of those with a boundary. They do not apply to `ce`, `dice`
    and `ce-dice`, so that all stages of a schedule can be made with the same
    ones.

    Args:
        name: One of `LOSS_NAMES`.
        class_weights: One float per class, background first, or `None`.
        merged_classes: A tuple of classes for each annotation set; see
            `keras_isample.losses.targets`.
        **options: More arguments of the loss, such as `from_logits`.

    Raises:
        ValueError: If there is no such name, or it needs class weights.
    """
    if name not in _LOSSES:
        raise ValueError(
            f"Argument `name` must be one of {', '.join(LOSS_NAMES)}. "
            f"Received: name={name!r}."
        )
    if name.startswith("w") and class_weights is None:
        raise ValueError(
            f"The loss {name} needs class weights. Give `class_weights`, for "
            "instance those of `median_frequency_weights`, or use "
            f"{name.replace('w', '')}."
        )
    loss, weighted = _LOSSES[name]
    return loss(
        merged_classes=merged_classes,
        **dict.fromkeys(weighted, class_weights),
        **options,
    )
