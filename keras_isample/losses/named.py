"""Losses by the names of the command line."""

from keras_isample.losses.adapted import adapted
from keras_isample.losses.base import PerExampleLoss
from keras_isample.registries import LOSSES


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

    A loss from elsewhere, see `register_loss`, is returned as `AdaptedLoss`.

    Args:
        name: One of `registries.LOSSES`.
        class_weights: One float per class, background first, or `None`.
        merged_classes: A tuple of classes for each annotation set; see
            `keras_isample.losses.labels`.
        **options: More arguments of the loss, such as `from_logits`.

    Raises:
        ValueError: If there is no such name, or it needs class weights.
    """
    spec = LOSSES[name]
    if spec.needs_weights and class_weights is None:
        raise ValueError(
            f"The loss {name} needs class weights. Give `class_weights`, for "
            "instance those of `median_frequency_weights`."
        )
    if isinstance(spec.maker, str):
        return spec.make(
            class_weights, merged_classes=merged_classes, **options
        )
    loss = spec.make(class_weights, **options)
    if isinstance(loss, PerExampleLoss) and merged_classes:
        # One of ours with arguments of its own.
        loss = spec.make(
            class_weights, merged_classes=merged_classes, **options
        )
    return adapted(loss, merged_classes)
