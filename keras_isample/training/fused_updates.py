"""An optimizer's update as one operation a variable, on TensorFlow.

Keras writes an update as some twenty-five operations a variable. A network of
170 variables so has thousands of them, and building their graph and preparing
it takes up to half of the time before the first training step. TensorFlow has
the same formulas as single operations. What is the same for all variables, such
as powers of the betas, is computed once a step.

The results are Keras' up to rounding, under a distribution strategy, too. With
other backends Keras' own update is used.
"""

import keras

_ON_TENSORFLOW = keras.backend.backend() == "tensorflow"


class FusedUpdates:
    """Mixin for a subclass of `keras.optimizers.Optimizer`.

    The class that it is mixed into has `step_scalars` and `fused_step`.
    """

    def step_scalars(self, rate):
        """What `fused_step` needs and all variables share.

        Args:
            rate: The learning rate, a float32 scalar.

        Returns:
            Tuple of scalars.
        """
        return (rate,)

    def fused_step(self, gradient, variable, scalars):
        """Updates one variable.

        Args:
            gradient: Its gradient, a tensor.
            variable: A `tf.Variable`.
            scalars: What `step_scalars` returned.
        """
        raise NotImplementedError

    def update_step(self, gradient, variable, learning_rate):
        """As in Keras: moves `variable` by one step."""
        if not _ON_TENSORFLOW:
            return super().update_step(gradient, variable, learning_rate)
        import tensorflow as tf

        variable = _plain(variable)
        if not isinstance(learning_rate, tuple):
            rate = tf.cast(learning_rate, variable.dtype)
            learning_rate = self.step_scalars(rate)
        gradient = tf.cast(gradient, variable.dtype)
        return self.fused_step(
            tf.convert_to_tensor(gradient), variable, learning_rate
        )

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        if not _ON_TENSORFLOW:
            return super()._backend_update_step(
                grads, trainable_variables, learning_rate
            )
        import tensorflow as tf

        # Handed on as they are: one tuple of tensors for each replica.
        scalars = self.step_scalars(tf.cast(learning_rate, tf.float32))
        if self._is_distributed():
            return super()._backend_update_step(
                grads, trainable_variables, scalars
            )
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            if gradient is not None:
                self.update_step(gradient, variable, scalars)

    def _apply_weight_decay(self, variables):
        if not _ON_TENSORFLOW or self._is_distributed():
            return super()._apply_weight_decay(variables)
        if self.weight_decay is None:
            return None
        import tensorflow as tf

        shrink = tf.cast(self.learning_rate, tf.float32) * self.weight_decay
        for variable in map(_plain, variables):
            if self._use_weight_decay(variable):
                _move(variable, shrink, variable)

    def _update_model_variables_moving_average(self, trainable_variables):
        if not _ON_TENSORFLOW or self._is_distributed():
            return super()._update_model_variables_moving_average(
                trainable_variables
            )
        if not self.use_ema:
            return None
        import tensorflow as tf

        # The first average is the variable itself.
        before = tf.cast(tf.not_equal(_plain(self.iterations), 0), tf.float32)
        share = 1.0 - before * self.ema_momentum
        for variable, average in zip(
            trainable_variables,
            self._model_variables_moving_average,
            strict=True,
        ):
            if average is not None:
                average = _plain(average)
                _move(average, share, average - _plain(variable))

    def _is_distributed(self):
        return self._distribution_strategy.num_replicas_in_sync > 1


def handle(variable):
    """Handle of a variable that an operation updates in place."""
    return _plain(variable).handle


def _plain(variable):
    """The `tf.Variable` of a variable of Keras'."""
    if isinstance(variable, keras.Variable):
        return variable.value
    return variable


def _move(variable, share, direction):
    """`variable -= share * direction`, as one operation."""
    import tensorflow as tf

    tf.raw_ops.ResourceApplyGradientDescent(
        var=variable.handle, alpha=share, delta=direction
    )
