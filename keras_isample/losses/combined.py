"""Weighted sums of two losses: cross-entropy or focal loss, and Dice."""

import keras

from keras_isample.losses.base import SegmentationLoss
from keras_isample.losses.boundary_cross_entropy import KINDS
from keras_isample.losses.boundary_cross_entropy import BoundaryCrossEntropy
from keras_isample.losses.cross_entropy import CrossEntropy
from keras_isample.losses.dice import Dice
from keras_isample.losses.focal import Focal


class _WithDice(SegmentationLoss):
    """`weight * voxel loss + dice_weight * dice`.

    Subclasses have `_voxel_part()`, which gives the first part and its weight.
    """

    def __init__(
        self,
        *,
        dice_class_weights,
        dice_weight,
        include_background,
        epsilon,
        absent,
        batch,
        from_logits,
        ignore_label,
        merged_classes,
        reduction,
        name,
        dtype,
    ):
        super().__init__(
            from_logits=from_logits,
            ignore_label=ignore_label,
            merged_classes=merged_classes,
            reduction=reduction,
            name=name,
            dtype=dtype,
        )
        self.dice_weight = _check_weight("dice_weight", dice_weight)
        self.batch = batch
        self._dice = Dice(
            class_weights=dice_class_weights,
            include_background=include_background,
            epsilon=epsilon,
            absent=absent,
            **self._options(),
        )

    def _options(self):
        """What both parts have in common."""
        return {
            "batch": self.batch,
            "from_logits": self.from_logits,
            "ignore_label": self.ignore_label,
            "merged_classes": self.merged_classes,
        }

    def call(self, y_true, y_pred, voxel_weight=None):
        part, weight = self._voxel_part()
        voxels = part.call(y_true, y_pred, voxel_weight)
        dice = self._dice.call(y_true, y_pred, voxel_weight)
        return weight * voxels + self.dice_weight * dice

    def get_config(self):
        return {
            **super().get_config(),
            "dice_class_weights": self._dice.class_weights,
            "dice_weight": self.dice_weight,
            "include_background": self._dice.include_background,
            "epsilon": self._dice.epsilon,
            "absent": self._dice.absent,
            "batch": self.batch,
        }


@keras.saving.register_keras_serializable(package="keras_isample")
class CEDice(_WithDice):
    """`ce_weight * CrossEntropy + dice_weight * Dice`.

    With `ce_class_weights` it is the weighted cross-entropy + Dice of the
    papers, with `dice_class_weights` as well the weighted cross-entropy +
    weighted Dice, and with `ce_class_weights` and `boundary="gradient"` the
    loss of QuickNAT (Guha Roy et al., 2019), whose Dice part is taken as
    `Dice` here, as in all losses that are compared with it.

    Args:
        ce_class_weights: Class weights of the cross-entropy, or `None`.
        dice_class_weights: Class weights of Dice, or `None`.
        boundary: `"gradient"` or `"ronneberger"` for a cross-entropy with more
            weight at boundaries, the `kind` of `BoundaryCrossEntropy`; `None`
            for none.
        ce_weight: Weight of the cross-entropy in the sum.
        dice_weight: Weight of Dice in the sum.
        include_background, epsilon, absent: As of `Dice`.
        batch: As of `CrossEntropy` and `Dice`.
        from_logits, ignore_label, merged_classes, reduction, name: As of
            `CrossEntropy`.

    Call arguments:
        As of `CrossEntropy`.

    Raises:
        ValueError: If the weight of a part is negative, or `boundary` unknown.
    """

    def __init__(
        self,
        *,
        ce_class_weights=None,
        dice_class_weights=None,
        boundary=None,
        ce_weight=1.0,
        dice_weight=1.0,
        include_background=True,
        epsilon=1.0,
        absent="skip",
        batch=False,
        from_logits=False,
        ignore_label=255,
        merged_classes=(),
        reduction="sum_over_batch_size",
        name="ce_dice",
        dtype=None,
    ):
        super().__init__(
            dice_class_weights=dice_class_weights,
            dice_weight=dice_weight,
            include_background=include_background,
            epsilon=epsilon,
            absent=absent,
            batch=batch,
            from_logits=from_logits,
            ignore_label=ignore_label,
            merged_classes=merged_classes,
            reduction=reduction,
            name=name,
            dtype=dtype,
        )
        self.ce_weight = _check_weight("ce_weight", ce_weight)
        if boundary not in (None, *KINDS):
            raise ValueError(
                f"Argument `boundary` must be None or one of {KINDS}. "
                f"Received: boundary={boundary!r}."
            )
        self.boundary = boundary
        options = {"class_weights": ce_class_weights, **self._options()}
        self._ce = (
            CrossEntropy(**options)
            if boundary is None
            else BoundaryCrossEntropy(kind=boundary, **options)
        )

    def _voxel_part(self):
        return self._ce, self.ce_weight

    def get_config(self):
        config = super().get_config()
        config["ce_class_weights"] = self._ce.class_weights
        config["boundary"] = self.boundary
        config["ce_weight"] = self.ce_weight
        return config


@keras.saving.register_keras_serializable(package="keras_isample")
class DiceFocal(_WithDice):
    """`focal_weight * Focal + dice_weight * Dice`, as in the cardiac study.

    Both parts have softmax over the classes; MONAI's `DiceFocalLoss` has one
    sigmoid per class in its focal part.

    Args:
        gamma: Of the focal part.
        focal_class_weights: Class weights (alpha) of the focal part, or
            `None`.
        dice_class_weights: Class weights of Dice, or `None`.
        focal_weight: Weight of the focal part in the sum.
        dice_weight: Weight of Dice in the sum.
        include_background, epsilon, absent: As of `Dice`.
        batch: As of `Focal` and `Dice`.
        from_logits, ignore_label, merged_classes, reduction, name: As of
            `Focal`.

    Call arguments:
        As of `Focal`.

    Raises:
        ValueError: If the weight of a part is negative.
    """

    def __init__(
        self,
        gamma=2.0,
        *,
        focal_class_weights=None,
        dice_class_weights=None,
        focal_weight=1.0,
        dice_weight=1.0,
        include_background=True,
        epsilon=1.0,
        absent="skip",
        batch=False,
        from_logits=False,
        ignore_label=255,
        merged_classes=(),
        reduction="sum_over_batch_size",
        name="dice_focal",
        dtype=None,
    ):
        super().__init__(
            dice_class_weights=dice_class_weights,
            dice_weight=dice_weight,
            include_background=include_background,
            epsilon=epsilon,
            absent=absent,
            batch=batch,
            from_logits=from_logits,
            ignore_label=ignore_label,
            merged_classes=merged_classes,
            reduction=reduction,
            name=name,
            dtype=dtype,
        )
        self.focal_weight = _check_weight("focal_weight", focal_weight)
        self._focal = Focal(
            gamma, class_weights=focal_class_weights, **self._options()
        )

    def _voxel_part(self):
        return self._focal, self.focal_weight

    def get_config(self):
        config = super().get_config()
        config["gamma"] = self._focal.gamma
        config["focal_class_weights"] = self._focal.class_weights
        config["focal_weight"] = self.focal_weight
        return config


def _check_weight(name, weight):
    if not weight >= 0:
        raise ValueError(
            f"Argument `{name}` must not be negative. Received: "
            f"{name}={weight}."
        )
    return weight
