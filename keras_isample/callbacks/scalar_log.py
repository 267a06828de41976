"""Every epoch's results for TensorBoard."""

import importlib.util
import math

import keras

from keras_isample.callbacks.order import Stage


class ScalarLog(keras.callbacks.Callback):
    """Writes the numbers of an epoch's logs where TensorBoard finds them.

    Nothing is written where the package `tensorboard` is not installed.

    Args:
        folder: Folder of one run or member; TensorBoard shows those side by
            side that lie in one.
    """

    stage = Stage.REPORTS

    def __init__(self, folder):
        super().__init__()
        self.folder = folder
        self._writer = None

    @staticmethod
    def is_available():
        """Whether `tensorboard` is installed."""
        return importlib.util.find_spec("tensorboard") is not None

    def on_train_begin(self, logs=None):
        if self.is_available():
            import tensorflow as tf

            self._writer = tf.summary.create_file_writer(str(self.folder))

    def on_epoch_end(self, epoch, logs=None):
        if self._writer is None:
            return
        import tensorflow as tf

        with self._writer.as_default(step=epoch + 1):
            for name, value in (logs or {}).items():
                if math.isfinite(value):
                    tf.summary.scalar(name, float(value))
        self._writer.flush()

    def on_train_end(self, logs=None):
        if self._writer is not None:
            self._writer.close()
