"""Keras' own settings, as the networks of this package need them."""

import keras


def set_keras():
    """Channels last and float32, whatever a user's `keras.json` says.

    Sets it for the whole process; see `keras.config`. To be called before a
    network is built.
    """
    keras.config.set_image_data_format("channels_last")
    if keras.config.floatx() != "float32":
        keras.config.set_floatx("float32")
        # It may have been taken from the other one already.
        keras.config.set_dtype_policy("float32")
