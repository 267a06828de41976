"""Losses by the names of the command line."""

import inspect

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
        ValueError: If there is no such name, it needs class weights, or the
            data have merged classes and it does not take them.
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
        if not _takes_merged_classes(spec.maker):
            raise ValueError(
                f"The loss {name} does not know which classes count as one "
                f"with the background in some cases, {merged_classes}. Let "
                "its maker take `merged_classes`, or use "
                'partial="exclude".'
            )
        loss = spec.make(
            class_weights, merged_classes=merged_classes, **options
        )
    return adapted(loss, merged_classes)


def _takes_merged_classes(maker):
    parameters = inspect.signature(maker).parameters.values()
    return any(
        each.name == "merged_classes" or each.kind is each.VAR_KEYWORD
        for each in parameters
    )
