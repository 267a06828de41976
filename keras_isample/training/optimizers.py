"""The papers' optimizer, and the two that others start with."""

import keras
from keras import ops

from keras_isample.training.fused_updates import FusedUpdates
from keras_isample.training.fused_updates import handle

MOMENTUM = 0.8
"""Nesterov momentum of the isample papers."""


@keras.saving.register_keras_serializable(package="keras_isample")
class SGD(FusedUpdates, keras.optimizers.SGD):
    """`keras.optimizers.SGD` whose momentum follows changes of the rate.

    Keras keeps the rate inside the velocity, `v <- m v - eta g`: after a change
    of the rate, old gradients still count with the old one. Here the rate is
    outside, `v <- m v + g`, `w <- w - eta v`. At a constant rate both are the
    same; after a change this one is Keras' with the velocity multiplied by new
    / old rate (momentum correction, Goyal et al., 2017, section 2.1), at every
    step of a warm-up.

    Arguments are those of the Keras class.
    """

    def step_scalars(self, rate):
        """Rate and momentum."""
        import tensorflow as tf

        return rate, tf.constant(self.momentum, tf.float32)

    def fused_step(self, gradient, variable, scalars):
        """As of `FusedUpdates`."""
        import tensorflow as tf

        rate, momentum = scalars
        if self.momentum == 0:
            tf.raw_ops.ResourceApplyGradientDescent(
                var=variable.handle, alpha=rate, delta=gradient
            )
            return
        velocity = self.momentums[self._get_variable_index(variable)]
        tf.raw_ops.ResourceApplyMomentum(
            var=variable.handle,
            accum=handle(velocity),
            lr=rate,
            grad=gradient,
            momentum=momentum,
            use_nesterov=self.nesterov,
        )

    def update_step(self, gradient, variable, learning_rate):
        """As in Keras: moves `variable` by one step."""
        if keras.backend.backend() == "tensorflow":
            return super().update_step(gradient, variable, learning_rate)
        rate = ops.cast(learning_rate, variable.dtype)
        step = ops.cast(gradient, variable.dtype)
        if self.momentum != 0:
            velocity = self.momentums[self._get_variable_index(variable)]
            momentum = ops.cast(self.momentum, variable.dtype)
            following = ops.add(ops.multiply(velocity, momentum), step)
            self.assign(velocity, following)
            if self.nesterov:
                step = ops.add(ops.multiply(following, momentum), step)
            else:
                step = following
        self.assign_sub(variable, ops.multiply(step, rate))


class _FusedAdam(FusedUpdates):
    """The update of Adam."""

    def step_scalars(self, rate):
        """Rate, powers of both betas for the step to come, and constants."""
        import tensorflow as tf

        number = tf.cast(self.iterations.value + 1, tf.float32)
        beta_1, beta_2, epsilon = (
            tf.constant(value, tf.float32)
            for value in (self.beta_1, self.beta_2, self.epsilon)
        )
        powers = tf.pow(beta_1, number), tf.pow(beta_2, number)
        return rate, *powers, beta_1, beta_2, epsilon

    def fused_step(self, gradient, variable, scalars):
        """As of `FusedUpdates`."""
        import tensorflow as tf

        rate, first_power, second_power, beta_1, beta_2, epsilon = scalars
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=handle(self._momentums[index]),
            v=handle(self._velocities[index]),
            beta1_power=first_power,
            beta2_power=second_power,
            lr=rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=epsilon,
            grad=gradient,
        )


@keras.saving.register_keras_serializable(package="keras_isample")
class Adam(_FusedAdam, keras.optimizers.Adam):
    """`keras.optimizers.Adam` with fewer operations, without `amsgrad`."""


@keras.saving.register_keras_serializable(package="keras_isample")
class AdamW(_FusedAdam, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` with fewer operations, without `amsgrad`."""


def sgd(learning_rate):
    """SGD with Nesterov momentum 0.8 and no clipping, as in the papers.

    Its momentum is corrected where the rate changes, see `SGD`.

    Args:
        learning_rate: Rate after warm-up.
    """
    return make_optimizer("sgd", learning_rate, 0.0)


def make_optimizer(name, learning_rate, weight_decay, ema_momentum=0.0):
    """The optimizer of a run.

    Args:
        name: `"sgd"` or `"adam"`, whose weight decay is an L2 term in the
            loss, or `"adamw"`, where it is decoupled from the gradient.
        learning_rate: Rate after warm-up.
        weight_decay: Used by `"adamw"` only, on kernels.
        ema_momentum: Momentum of the moving averages of the weights that the
            optimizer keeps; none are kept if 0.

    Raises:
        ValueError: If `name` is unknown.
    """
    average = {"use_ema": ema_momentum > 0, "ema_momentum": ema_momentum}
    if name == "sgd":
        return SGD(
            learning_rate,
            momentum=MOMENTUM,
            nesterov=True,
            name="sgd",
            **average,
        )
    if name == "adam":
        return Adam(learning_rate, name="adam", **average)
    if name == "adamw":
        optimizer = AdamW(
            learning_rate, weight_decay=weight_decay, name="adamw", **average
        )
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return optimizer
    raise ValueError(
        'Argument `name` must be "sgd", "adam" or "adamw". '
        f"Received: name={name!r}."
    )


def l2_factor(name, weight_decay):
    """Factor of the sum of squared kernels in the loss.

    For `"adam"` half of the weight decay, so that the decay times the kernel
    is added to the gradient (the cardiac study, and `torch.optim.Adam`); the
    isample papers' L2 is Keras', whose gradient is twice that.

    Args:
        name: Name of the optimizer.
        weight_decay: As in the configuration.
    """
    return {"sgd": 1.0, "adam": 0.5, "adamw": 0.0}[name] * weight_decay
