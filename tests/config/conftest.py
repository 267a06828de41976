"""What wrong settings are answered with."""

import pytest

from keras_isample.config import Config
from keras_isample.errors import InputError


@pytest.fixture
def refusal():
    """Function that gives the one line by which settings are refused."""

    def refused(**settings):
        with pytest.raises(InputError) as error:
            Config.from_settings("scans", settings)
        text = str(error.value)
        assert "\n" not in text
        return text

    return refused
