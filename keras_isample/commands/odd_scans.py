"""What is odd about a scan that a trained model is to segment."""

import logging

import numpy as np

from keras_isample.data.layout import count
from keras_isample.data.layout import shorten
from keras_isample.data.preprocessing import Preprocessing
from keras_isample.volumes.grid import format_shape
from keras_isample.volumes.intensity import looks_like_hu
from keras_isample.volumes.resampling import kept_spacing
from keras_isample.volumes.resampling import resampled_shape
from keras_isample.volumes.volume import to_canonical

log = logging.getLogger(__name__)

_NAMED = 3
"""Scans that are named at once for each kind of oddity; the others are at the
end."""

_FEW_LEVELS = 8
"""Scans with fewer gray levels are masks, or were clipped away."""

_SAMPLE = 10**6
"""Voxels that are looked at first where gray levels are counted."""

_FEWEST_VOXELS = 8
"""Along an axis of the training grid: fewer are much less than any network for
volumes sees around a voxel."""

_MOST_ASKED = 16
"""No scan is called small that has as many voxels along each axis. With fewer
it is if it has less than a quarter of those of the smallest training scan."""


class OddScans:
    """Warns of scans that are unlike those that a model was trained on.

    The first few of a kind are named at once, the others by `finish`.

    Args:
        model: The model, whose metadata tells what it was trained on.
        warn: Called with one line for the user.
    """

    def __init__(self, model, warn=log.warning):
        self._facts = Preprocessing.from_metadata(model.metadata)
        self._sees_volumes = model.metadata.get("ndim") != 2
        self._warn = warn
        self._found = {}

    def look_at(self, case, channels):
        """Looks at a scan that was read.

        Args:
            case: The `Case`.
            channels: Its channels, as `load_channels` returns them.

        Returns:
            `channels`.
        """
        for path, volume in zip(_paths(case, channels), channels, strict=True):
            if self._facts.intensity == "ct":
                self._look_at_hu(path, volume.array)
            else:
                self._look_at_levels(path, volume.array)
        if self._sees_volumes:
            self._look_at_shape(case.images[0], channels[0])
        return channels

    def note_empty(self, file):
        """Takes note of a scan in which nothing was found."""
        self._add("nothing was found in it: its label map is empty", file)

    def finish(self):
        """Says how many more scans are as odd as those that were named."""
        for text, files in self._found.items():
            more = [str(file) for file in files[_NAMED:]]
            if more:
                scans = count(len(more), "more scan")
                self._warn(f"{scans} ({shorten(more)}): {text}.")
        self._found = {}

    def _add(self, text, file, detail=""):
        files = self._found.setdefault(text, [])
        if file in files:
            return
        files.append(file)
        if len(files) <= _NAMED:
            self._warn(f"{file}: {text}{detail}.")

    def _look_at_hu(self, path, array):
        low, high = array.min(), array.max()
        if looks_like_hu(low, high):
            return
        self._add(
            "values do not look like CT in Hounsfield units, which the model "
            "was trained on",
            path,
            f" (they go from {low:g} to {high:g}); rescale them (scanners "
            "often store HU + 1024), or use a run with `intensity='zscore'`",
        )

    def _look_at_levels(self, path, array):
        flat = array.ravel(order="K")
        step = max(1, flat.size // _SAMPLE)
        if len(np.unique(flat[::step])) >= _FEW_LEVELS:
            return
        number = len(np.unique(flat))
        if number == 1:
            self._add(
                "is constant: there is nothing to see in it",
                path,
                f" (every voxel is {flat[0]:g}); export it again",
            )
        elif number < _FEW_LEVELS:
            self._add(
                "has a few gray levels only, unlike a scan",
                path,
                f" ({number}); check that it is no label map",
            )

    def _look_at_shape(self, path, volume):
        volume = to_canonical(volume)
        own = volume.shape, volume.spacing
        spacing = kept_spacing(*own, self._facts.spacing or volume.spacing)
        shape = resampled_shape(*own, spacing)
        smallest = self._facts.smallest or (None,) * 3
        if any(
            n == 1 != least for n, least in zip(own[0], smallest, strict=True)
        ):
            self._add(
                "is a single slice, but the network sees volumes: nothing "
                "useful can be expected",
                path,
                "; give the whole scan, or train a network for slices",
            )
        elif any(map(_is_small, shape, smallest)):
            self._add(
                "is much smaller than what the network sees: nothing useful "
                "can be expected",
                path,
                f" ({format_shape(shape)} voxels at the training spacing); "
                "give the whole scan",
            )


def _paths(case, channels):
    """The file of each channel; an RGB picture holds all of them."""
    if len(case.images) == len(channels):
        return case.images
    return case.images[:1] * len(channels)


def _is_small(size, least):
    """Whether an axis is much shorter than in training, `None` if unknown."""
    if least is None:
        return size < _FEWEST_VOXELS
    return size < min(_MOST_ASKED, -(-least // 4))
