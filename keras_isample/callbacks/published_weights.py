"""Weights of a model, for another process to use."""

import json

import keras
import numpy as np

from keras_isample.volumes.files import remove_unfinished
from keras_isample.volumes.files import write_text
from keras_isample.volumes.files import written_whole


class PublishedWeights:
    """A folder with a model's architecture and its weights after some epochs.

    Args:
        folder: The folder.
    """

    def __init__(self, folder):
        self.folder = folder
        self._model_file = folder / "model.json"

    def begin(self, model):
        """Writes the architecture, and removes what killed writers left."""
        content = keras.saving.serialize_keras_object(model)
        # Neither loss nor optimizer are needed.
        content.pop("compile_config", None)
        write_text(self._model_file, json.dumps(content))
        remove_unfinished(self.folder)

    def model(self):
        """A model of that architecture."""
        content = json.loads(self._model_file.read_text(encoding="utf-8"))
        return keras.saving.deserialize_keras_object(content)

    def add(self, version, model):
        """Writes the present weights of a model.

        Args:
            version: Number of epochs behind them.
            model: A model of the same architecture.
        """
        path = self.path(version)
        with written_whole(path) as beside, open(beside, "xb") as file:
            np.savez(file, *model.get_weights())

    def load(self, version, model):
        """Gives a model weights that were written."""
        with np.load(self.path(version), allow_pickle=False) as arrays:
            model.set_weights([arrays[name] for name in arrays.files])

    def path(self, version):
        """File of some weights."""
        return self.folder / f"{version:06d}.npz"

    def keep(self, versions):
        """Removes all weights but some."""
        kept = {self.path(version) for version in versions}
        for path in self.folder.glob("*.npz"):
            if path not in kept:
                path.unlink()
