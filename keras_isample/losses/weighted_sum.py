"""Weighted sums of losses: cross-entropy or focal loss and Dice, or any."""

import keras

from keras_isample.losses.adapted import adapted
from keras_isample.losses.base import PerExampleLoss
from keras_isample.losses.boundary_cross_entropy import KINDS
from keras_isample.losses.boundary_cross_entropy import BoundaryCrossEntropy
from keras_isample.losses.cross_entropy import CrossEntropy
from keras_isample.losses.dice import Dice
from keras_isample.losses.focal import Focal

_OF_DICE = ("include_background", "epsilon", "absent")
_OF_ALL = ("batch", "from_logits", "ignore_label", "merged_classes")


@keras.saving.register_keras_serializable(package="keras_isample")
class WeightedSum(PerExampleLoss):
    """`sum_i weights[i] * losses[i]`.

    Args:
        losses: Keras losses, of this package or not; see `AdaptedLoss`.
        weights: One float for each, none negative; `None` for 1.
        reduction: As in `keras.losses.Loss`; that of the parts is not used.
        name: Name of the loss.
        dtype: Type of the result; the computation is in float32.

    Attributes:
        merged_classes: That of the losses, which all have the same.
        is_scheduled: Whether the weights change from epoch to epoch.

    Call arguments:
        As of `CrossEntropy`.

    Raises:
        ValueError: If there is no loss, one is scheduled, weights do not fit,
            or losses differ in their `merged_classes`.

    Example:
    >>> loss = WeightedSum([CrossEntropy(), keras.losses.Dice()], [1.0, 0.5])
    """

    is_scheduled = False

    def __init__(
        self,
        losses,
        weights=None,
        *,
        reduction="sum_over_batch_size",
        name="weighted_sum",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not losses:
            raise ValueError("Argument `losses` must not be empty.")
        # `LossSchedule` would not find one within a sum.
        if any(getattr(loss, "is_scheduled", False) for loss in losses):
            raise ValueError(
                "Argument `losses` must not hold a loss that is scheduled "
                f"itself. Received: {losses}."
            )
        self.merged_classes = _common(losses, "merged_classes", ())
        ignored = 255
        if not all(isinstance(loss, PerExampleLoss) for loss in losses):
            ignored = _common(losses, "ignore_label", 255)
            if _common(losses, "from_logits", False):
                raise ValueError(
                    "Argument `losses` must hold losses of probabilities where "
                    f"some are not of this package. Received: {losses}."
                )
        self.losses = [
            adapted(loss, self.merged_classes, ignored) for loss in losses
        ]
        weights = [1.0] * len(self.losses) if weights is None else list(weights)
        if len(weights) != len(self.losses):
            raise ValueError(
                f"Argument `weights` must have {len(self.losses)} numbers, one "
                f"for each loss. Received: weights={weights}."
            )
        for weight in weights:
            _check_weight("weights", weight)
        self.weights = weights

    @property
    def from_logits(self):
        """Whether the losses take logits, not probabilities."""
        return self.losses[0].from_logits

    @property
    def ignore_label(self):
        """Label of voxels without weight, or `None`."""
        return self.losses[0].ignore_label

    def call(self, y_true, y_pred, voxel_weight=None):
        values = [
            weight * loss.call(y_true, y_pred, voxel_weight)
            for weight, loss in zip(
                self.weights_in_force(), self.losses, strict=True
            )
        ]
        total = values[0]
        for value in values[1:]:
            total = total + value
        return total

    def weights_in_force(self):
        """One weight for each loss: floats or scalar tensors."""
        return self.weights

    def get_config(self):
        config = super().get_config()
        config["losses"] = [
            keras.saving.serialize_keras_object(loss) for loss in self.losses
        ]
        config["weights"] = self.weights
        return config

    @classmethod
    def from_config(cls, config):
        if "losses" not in config:
            # Of a subclass that makes its parts itself.
            return cls(**config)
        losses = [
            keras.saving.deserialize_keras_object(loss)
            for loss in config["losses"]
        ]
        return cls(**{**config, "losses": losses})


class _WithDice(WeightedSum):
    """A sum of a loss of voxels and Dice, with the arguments of both."""

    def __init__(self, part, weight, dice_weight, *, name, options):
        dice = {key: options.pop(key) for key in _OF_DICE if key in options}
        shared = {key: options.pop(key) for key in _OF_ALL if key in options}
        class_weights = options.pop("dice_class_weights", None)
        super().__init__(
            [
                part(**shared),
                Dice(class_weights=class_weights, **dice, **shared),
            ],
            [
                _check_weight(*weight),
                _check_weight("dice_weight", dice_weight),
            ],
            name=name,
            **options,
        )

    def get_config(self):
        part, dice = (loss.get_config() for loss in self.losses)
        config = super().get_config()
        del config["losses"], config["weights"]
        config |= {key: dice[key] for key in _OF_DICE}
        config |= {key: part[key] for key in _OF_ALL}
        config["dice_class_weights"] = dice["class_weights"]
        config["dice_weight"] = self.weights[1]
        return config


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
        boundary: `"gradient"` or `"ronneberger"` for a cross-entropy with more
            weight at boundaries, the `kind` of `BoundaryCrossEntropy`; `None`
            for none.
        ce_weight: Weight of the cross-entropy in the sum.
        dice_weight: Weight of Dice in the sum.
        name: Name of the loss.
        **options: `dice_class_weights`, class weights of Dice, or `None`;
            `include_background`, `epsilon` and `absent` as of `Dice`; `batch`,
            `from_logits`, `ignore_label`, `merged_classes`, `reduction` and
            `dtype` as of `CrossEntropy`.

    Call arguments:
        As of `CrossEntropy`.

    Raises:
        ValueError: If the weight of a part is negative, or `boundary` unknown.
    """

    def __init__(
        self,
        *,
        ce_class_weights=None,
        boundary=None,
        ce_weight=1.0,
        dice_weight=1.0,
        name="ce_dice",
        **options,
    ):
        if boundary not in (None, *KINDS):
            raise ValueError(
                f"Argument `boundary` must be None or one of {KINDS}. "
                f"Received: boundary={boundary!r}."
            )
        self.boundary = boundary

        def cross_entropy(**shared):
            shared["class_weights"] = ce_class_weights
            if boundary is None:
                return CrossEntropy(**shared)
            return BoundaryCrossEntropy(kind=boundary, **shared)

        super().__init__(
            cross_entropy,
            ("ce_weight", ce_weight),
            dice_weight,
            name=name,
            options=options,
        )

    def get_config(self):
        config = super().get_config()
        config["ce_class_weights"] = self.losses[0].class_weights
        config["boundary"] = self.boundary
        config["ce_weight"] = self.weights[0]
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
        focal_weight: Weight of the focal part in the sum.
        dice_weight: Weight of Dice in the sum.
        name: Name of the loss.
        **options: As of `CEDice`.

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
        focal_weight=1.0,
        dice_weight=1.0,
        name="dice_focal",
        **options,
    ):
        def focal(**shared):
            return Focal(gamma, class_weights=focal_class_weights, **shared)

        super().__init__(
            focal,
            ("focal_weight", focal_weight),
            dice_weight,
            name=name,
            options=options,
        )

    def get_config(self):
        config = super().get_config()
        config["gamma"] = self.losses[0].gamma
        config["focal_class_weights"] = self.losses[0].class_weights
        config["focal_weight"] = self.weights[0]
        return config


def _common(losses, name, default):
    """What losses of this package agree about."""
    known = {getattr(x, name) for x in losses if hasattr(x, name)}
    if len(known) > 1:
        raise ValueError(
            f"Argument `losses` must hold losses of the same {name}. "
            f"Received: {sorted(map(str, known))}."
        )
    return known.pop() if known else default


def _check_weight(name, weight):
    if not weight >= 0:
        raise ValueError(
            f"Argument `{name}` must not be negative. Received: "
            f"{name}={weight}."
        )
    return weight
