"""What all callbacks that make error maps have in common."""

import keras

from keras_isample.callbacks.order import Stage


class ErrorMapsCallback(keras.callbacks.Callback):
    """Makes error maps, in whatever way, for the next epoch of a sampler.

    Whoever trains opens it before `fit`, compiles the model with its `metric`
    and closes it afterwards. At the end of an epoch a subclass updates the maps
    through `ErrorMaps.update`, says with `ISample.use` from which cases is
    drawn, raises `sampler.epoch` by one, and adds `acceptance_rate`,
    `mean_error` and `seconds_error_maps` to the logs.

    Attributes:
        metric: A Keras metric that it needs, or `None`.
    """

    stage = Stage.ERROR_MAPS

    metric = None

    def open(self, folder):
        """Says where files may be kept that a resumed training needs.

        Args:
            folder: Path of a folder, which need not exist.
        """

    def close(self):
        """Ends what goes on in the background; `fit` may start it again."""
