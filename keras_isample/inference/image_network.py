"""A network of one image, made ready to predict images of any size."""

import keras
import numpy as np
from keras import layers
from keras import ops

from keras_isample.inference.compiled import compiled
from keras_isample.inference.cost import multiplications
from keras_isample.inference.folding import FoldedNetwork
from keras_isample.inference.folding import NotCopied
from keras_isample.inference.map_memory import bytes_per_voxel
from keras_isample.models.segmentation_model import geometry_of

_OVERHEAD = 1.5
"""Memory in use over what the maps take: branches that are computed before
they are needed, and work space (measured: 1.3 to 1.7 times for U-Nets)."""


class ImageNetwork:
    """A copy of a network of one image that gives probabilities.

    Normalizations are folded into the convolutions, only the first output is
    computed (deep supervision has more), logits get their softmax, and sides
    that were fixed for training are free. Like its model it wants multiples of
    `multiple`, or pads with zeros.

    Args:
        model: A model that carries a geometry.

    Attributes:
        model: The copy, a functional `keras.Model`.
        num_classes: Number of classes.
        num_channels: Channels of the image.
        multiple: What the sides of an image should be multiples of.
        bytes_per_voxel: About how many bytes a voxel of the image takes in all
            maps that are held at the same time, probabilities included.
    """

    def __init__(self, model):
        image, output = model.inputs[0], model.outputs[0]
        self.num_classes = output.shape[-1]
        self.num_channels = image.shape[-1]
        self.multiple = geometry_of(model).multiple
        try:
            self._folded = FoldedNetwork(image, output, free_sides=True)
            image, x = self._folded.model.inputs, self._folded.model.outputs[0]
        except NotCopied:
            self._folded, x = None, output
        if not _gives_probabilities(model, output):
            x = layers.Softmax(dtype="float32", name="probabilities")(x)
        self.model = keras.Model(image, x)
        self.bytes_per_voxel = _OVERHEAD * bytes_per_voxel(
            self.model, self.multiple
        )
        self._run = compiled(self.model)
        self._counted = {}

    def update(self):
        """Takes over the present weights of the model."""
        if self._folded is not None:
            self._folded.update()

    def multiplications(self, sides):
        """Multiplications for one image of these sides."""
        sides = tuple(sides)
        if sides not in self._counted:
            shape = (1, *sides, self.num_channels)
            self._counted[sides] = multiplications(self.model, [shape])
        return self._counted[sides]

    def __call__(self, images):
        """Probabilities of images `(batch, *sides, channels)`, float32."""
        result = self._run(np.ascontiguousarray(images))
        return ops.convert_to_numpy(result)


def _gives_probabilities(model, output):
    """Whether an output of a model needs no softmax any more."""
    if model.metadata.get("probabilities"):
        return True
    return any(
        isinstance(layer, layers.Softmax) and layer.output is output
        for layer in model.layers
    )
