"""The images of a case as an inspection sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_isample.data.channels import peek_channels
from keras_isample.data.cohort import Cohort
from keras_isample.data.findings import Findings
from keras_isample.volumes.grid import Grid
from keras_isample.volumes.grid import canonical_grid
from keras_isample.volumes.grid import format_shape
from keras_isample.volumes.intensity import fit_intensity
from keras_isample.volumes.intensity import looks_like_hu
from keras_isample.volumes.intensity import num_gray_levels
from keras_isample.volumes.padding import FEW_LEVELS
from keras_isample.volumes.reading import read_channels
from keras_isample.volumes.reading import read_grid
from keras_isample.volumes.training_shape import check_training_shape
from keras_isample.volumes.volume import Volume

_FEWEST, _ENOUGH = 4, 8
"""Voxels along an axis: with fewer than these along one axis, or than those
along each, there is nothing for a network to see. Axes of one voxel aside."""


@dataclass(frozen=True)
class InspectedImage:
    """A file of a case's images, as far as it could be read.

    Attributes:
        path: The file.
        grid: Where it lies; `None` if its header cannot be read.
        spans: Lowest and highest value of each channel, or `None`.
        volumes: Its channels; empty if they cannot be read.
    """

    path: Path
    grid: Grid | None
    spans: Sequence[tuple[float, float] | None]
    volumes: Sequence[Volume] = ()


def inspect_image(
    path: Path, cohort: Cohort, findings: Findings
) -> InspectedImage:
    """Reads an image, as far as that goes.

    Args:
        path: The file.
        cohort: Its data set, for the intensity.
        findings: Where what is wrong is noted.
    """
    with findings.collected():
        volumes = read_channels(path, warn=findings.warn)
        spans = [(v.array.min().item(), v.array.max().item()) for v in volumes]
        _check_spans(path, spans, cohort.intensity, findings)
        _check_levels(path, volumes, cohort.intensity, findings)
        grid = Grid(volumes[0].shape, volumes[0].affine)
        return InspectedImage(path, grid, spans, volumes)
    grid = None
    with findings.collected():
        grid = read_grid(path, warn=findings.warn)
    return InspectedImage(path, grid, [None] * peek_channels(path))


def _check_spans(path, spans, intensity, findings):
    low, high = min(low for low, _ in spans), max(high for _, high in spans)
    if intensity == "ct" and low < high and not looks_like_hu(low, high):
        findings.warn(
            f"{path}: values do not look like Hounsfield units; choose "
            "`intensity='zscore'` if it is no CT."
        )


def _check_levels(path, volumes, intensity, findings):
    """Warns of channels in which there is little or nothing to see."""
    for volume in volumes:
        known = fit_intensity(intensity, volume.array)
        levels = num_gray_levels(volume.array, known, intensity)
        if levels == 1:
            low, high = volume.array.min(), volume.array.max()
            where = f"{low:g}" if low == high else f"in {low:g} to {high:g}"
            findings.warn(
                f"{path}: is constant for `intensity={intensity!r}`: every "
                f"voxel is {where}. Export it again or leave the case out."
            )
        elif levels < FEW_LEVELS:
            findings.warn(
                f"{path}: has {levels} gray levels only once normalized by "
                f"`intensity={intensity!r}`. Check that it is a scan, and its "
                "intensities."
            )


def inspect_shape(
    cohort: Cohort,
    image: InspectedImage,
    num_channels: int,
    findings: Findings,
) -> tuple[int, ...] | None:
    """What an image becomes at the training spacing.

    Args:
        cohort: Its data set, for the spacing.
        image: An image whose header could be read.
        num_channels: Channels of the case.
        findings: Where what is wrong is noted.

    Returns:
        Voxels along each axis; `None` if it cannot be brought there.
    """
    grid = canonical_grid(image.grid)
    shape = None
    with findings.collected():
        shape = check_training_shape(
            grid.shape,
            grid.spacing,
            cohort.spacing,
            image.path,
            num_channels=num_channels,
        )
    if shape is None:
        return None
    both = zip(shape, grid.shape, strict=True)
    thick = [min(new, old) for new, old in both if old > 1]
    if min(thick, default=1) < _FEWEST or max(thick) < _ENOUGH:
        findings.warn(
            f"{image.path}: has {format_shape(image.grid.shape)} voxels, "
            f"{format_shape(shape)} at the training spacing: too few for a "
            "network to see anything. Give whole scans, or leave the case out."
        )
    return shape
