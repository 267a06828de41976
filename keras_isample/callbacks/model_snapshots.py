"""Copies of the model as it was after chosen epochs."""

import keras

from keras_isample.volumes.files import written_whole


class ModelSnapshots(keras.callbacks.Callback):
    """Saves the model after chosen epochs, whole or not at all.

    Args:
        paths: Dictionary from the number of an epoch, counted from 1, to the
            `.keras` file to write. Their folders are made.
    """

    def __init__(self, paths):
        super().__init__()
        self.paths = dict(paths)

    def on_epoch_end(self, epoch, logs=None):
        path = self.paths.get(epoch + 1)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as beside:
                self.model.save(beside)
