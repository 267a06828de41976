"""Each case, resampled once and kept on disk as arrays to be mapped.

An entry of the cache is a folder named by a hash of the contents of the case's
files and of the settings. It is written under another name and moved into
place, so that a killed writer leaves nothing behind that is ever read; of two
processes that prepare the same case the first wins and the second uses its
work. A small reference from (path, size, times) to the hash saves reading all
files again at the next start.
"""

import contextlib
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from keras_isample.data.cache import default_cache
from keras_isample.data.cache import file_digest
from keras_isample.data.cache import hash_of
from keras_isample.data.cache import stamp
from keras_isample.data.channels import check_channels
from keras_isample.data.channels import check_spacing
from keras_isample.data.channels import load_channels
from keras_isample.data.class_index import index_classes
from keras_isample.data.cohort import Case
from keras_isample.data.cohort import Cohort
from keras_isample.data.cohort import read_class_map
from keras_isample.data.label_values import count_classes
from keras_isample.data.layout import shorten
from keras_isample.volumes.components import component_sizes
from keras_isample.volumes.files import naming
from keras_isample.volumes.files import sync
from keras_isample.volumes.files import write_text
from keras_isample.volumes.intensity import looks_like_hu
from keras_isample.volumes.lock import Busy
from keras_isample.volumes.lock import held
from keras_isample.volumes.memory import machine_memory
from keras_isample.volumes.padding import FEW_LEVELS
from keras_isample.volumes.resampling import kept_spacing
from keras_isample.volumes.resampling import resample_volume
from keras_isample.volumes.scan import Scan
from keras_isample.volumes.scan import store_channels
from keras_isample.volumes.volume import to_canonical

log = logging.getLogger(__name__)

FORMAT = 5
"""Changes whenever entries made by older versions must not be used."""

_ROWS = 64
"""Rows along the first axis whose box means are made at once."""

_ABANDONED = 24 * 60 * 60
"""Seconds without a change after which unfinished work is given up where the
file system has no locks."""

_LOCK_PATIENCE = 60
"""Seconds to wait for a process that only looks whether a lock is free."""

_BYTES_PER_WORKER = 6 * 10**9
"""More than enough to prepare a scan of 512 x 512 x 700."""


@dataclass(frozen=True)
class PreparedCase:
    """One case at the training spacing, in closest-canonical RAS+.

    Attributes:
        name: Name of the case.
        folder: Its entry in the cache.
        shape: Voxels along the three axes.
        spacing: In mm.
        counts: Voxels of each class in `labels`, background first.
        missing: Indices of the classes that were not (wholly) annotated.
        scales: One per channel: normalized intensity = stored * scale + offset.
        offsets: One per channel.
        outside: Stored value (int16) of what lies outside of the scan, one per
            channel.
        affine: Rows of the 4x4 matrix from its voxels to the world, mm.
        extremes: Lowest and highest stored value of each channel.
        annotated: Voxels of each class in the label files, background first;
            in `counts` a small class may have lost all of them.
        levels: Gray levels of each channel before it was resampled,
            `FEW_LEVELS` if there are as many or more.
        merged: Those of `missing` that count as one class with the background
            (`partial="merge"`).
        components: Voxels of the two largest components of each class in
            `labels`, background first, which has none; empty if not known.
    """

    name: str
    folder: Path
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    counts: tuple[int, ...]
    missing: tuple[int, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    outside: tuple[int, ...]
    affine: tuple[tuple[float, ...], ...]
    extremes: tuple[tuple[int, int], ...]
    annotated: tuple[int, ...] = ()
    levels: tuple[int, ...] = ()
    merged: tuple[int, ...] = ()
    components: tuple[tuple[int, ...], ...] = ()

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape))

    @property
    def trained_counts(self) -> tuple[int, ...]:
        """Voxels of each class as `trained_labels` has them."""
        counts = list(self.counts)
        for index in self.merged:
            counts[0] += counts[index]
            counts[index] = 0
        return tuple(counts)

    def trained_labels(self, labels: np.ndarray) -> np.ndarray:
        """Class that voxels are trained as and drawn as.

        The background if theirs is a merged class of which a part was
        annotated, otherwise their own.

        Args:
            labels: Any part of `labels()`.

        Returns:
            The same array if nothing changes, otherwise a copy.
        """
        if not any(self.counts[index] for index in self.merged):
            return labels
        table = np.arange(256, dtype=np.uint8)
        table[list(self.merged)] = 0
        return table[labels]

    def scan(self) -> Scan:
        """The stored intensities with their normalization."""
        return Scan(self.image(), self.scales, self.offsets, self.outside)

    def image(self) -> np.ndarray:
        """Stored intensities, int16, `(channels, x, y, z)`, memory-mapped."""
        return self._mapped("image")

    def context(self) -> np.ndarray:
        """Box means of `image`, int16, memory-mapped.

        Element `[c, i, j, k]` is the mean over `w` voxels along each axis from
        voxel `(i, j, k) - (w - 1)` on, the outside included.
        """
        return self._mapped("context")

    def labels(self) -> np.ndarray:
        """Classes, uint8, `(x, y, z)`, memory-mapped."""
        return self._mapped("labels")

    def positions(self) -> np.ndarray:
        """Foreground voxels as `index_classes` lists them, memory-mapped."""
        return self._mapped("positions")

    def _mapped(self, name):
        return np.load(self.folder / f"{name}.npy", mmap_mode="r")


def prepare_cohort(
    cohort: Cohort,
    *,
    context_width: int = 3,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[PreparedCase]:
    """Prepares every case of a cohort, or finds it prepared in the cache.

    Args:
        cohort: The cases and the settings (spacing, intensity, cache folder).
        context_width: Side of the box mean, in voxels.
        workers: Cases prepared at the same time; if `None` the number of
            cores, at most 8 and one for each 6 GB of memory.
        progress: Called with (cases done, cases in all).

    Raises:
        InputError: If a file cannot be used.
    """
    cache = Path(cohort.cache or default_cache())
    cache.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(cache)
    workers = workers or _default_workers()

    def prepare(case):
        return prepare_case(cohort, case, context_width=context_width)

    prepared = []
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(prepare, case) for case in cohort.cases]
        try:
            for done, future in enumerate(futures, start=1):
                prepared.append(future.result())
                if progress:
                    progress(done, len(futures))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if cohort.intensity == "ct":
        _warn_of_other_units(prepared)
    _warn_of_few_levels(prepared, cohort.intensity)
    return prepared


def _default_workers():
    fitting = machine_memory() // _BYTES_PER_WORKER
    return max(1, min(8, os.cpu_count() or 1, fitting))


def _warn_of_other_units(cases):
    names = [
        case.name
        for case in cases
        if not all(looks_like_hu(*pair) for pair in case.extremes)
    ]
    if names:
        log.warning(
            "%d of %d cases (%s) do not look like CT in Hounsfield units; "
            "`intensity='zscore'` is for other scans.",
            len(names),
            len(cases),
            shorten(names),
        )


def _warn_of_few_levels(cases, intensity):
    constant = [c.name for c in cases if 1 in c.levels]
    few = [
        case.name
        for case in cases
        if any(1 < number < FEW_LEVELS for number in case.levels)
    ]
    for names, what in (
        (constant, "are constant in a channel"),
        (few, f"have fewer than {FEW_LEVELS} gray levels in a channel"),
    ):
        if names:
            log.warning(
                "%d of %d cases (%s) %s once normalized (`intensity='%s'`): "
                "check these scans.",
                len(names),
                len(cases),
                shorten(names),
                what,
                intensity,
            )


def prepare_case(
    cohort: Cohort, case: Case, *, context_width: int = 3
) -> PreparedCase:
    """Prepares one case, or finds it prepared in the cache."""
    prepared = _prepare_files(cohort, case, context_width)
    merged = prepared.missing if cohort.partial == "merge" else ()
    return replace(prepared, merged=merged)


def _prepare_files(cohort, case, context_width):
    cache = Path(cohort.cache or default_cache())
    settings = _settings(cohort, case, context_width)
    reference = (
        cache
        / "references"
        / hash_of(settings, [stamp(path) for path in case.files()])
    )
    prepared = _open_reference(case.name, cache, reference)
    if prepared is not None:
        return prepared
    key = hash_of(settings, [file_digest(path) for path in case.files()])
    if _open_entry(case.name, cache / key) is None:
        _write_entry(cohort, case, cache / key, context_width)
    write_text(reference, key)
    return _open_reference(case.name, cache, reference)


def fingerprint(cases: Sequence[PreparedCase]) -> str:
    """Hash of names, file contents and settings of prepared cases."""
    return hash_of("cases", [[case.name, case.folder.name] for case in cases])


def box_means(stored: np.ndarray, outside: int, width: int) -> np.ndarray:
    """Means over cubes of `width` voxels, for every place of the cube.

    Args:
        stored: One channel, int16.
        outside: Value outside of the scan.
        width: Side of the cube, in voxels.

    Returns:
        int16, each axis longer by `width - 1`: element `i` starts at voxel
        `i - (width - 1)`.
    """
    pad = width - 1
    shape = [n + pad for n in stored.shape]
    result = np.empty(shape, np.int16)
    for first in range(0, shape[0], _ROWS):
        stop = min(first + _ROWS, shape[0])
        # Row i is the mean of the stored rows i - pad to i.
        part = np.full(
            (stop - first + pad, *(n + pad for n in shape[1:])),
            outside,
            np.float32,
        )
        rows = slice(max(0, first - pad), min(stop, len(stored)))
        part[
            rows.start - first + pad : rows.stop - first + pad,
            pad : -pad or None,
            pad : -pad or None,
        ] = stored[rows]
        for axis in range(3):
            part = _forward_means(part, width, axis)
        result[first:stop] = np.rint(part)
    return result


def _forward_means(array, width, axis):
    """Means over `width` elements from each on, where there are as many."""
    means = ndimage.uniform_filter1d(
        array, width, axis=axis, output=array, origin=-(width // 2)
    )
    keep = [slice(None)] * 3
    keep[axis] = slice(0, array.shape[axis] - (width - 1))
    return means[tuple(keep)]


def _write_entry(cohort, case, entry, context_width):
    with naming(entry.parent), _workspace(entry.parent) as folder:
        # Before anything is read that may not fit.
        check_spacing(case, cohort.spacing, len(cohort.channel_names))
        channels = load_channels(case)
        class_map, missing = read_class_map(cohort, case, channels)
        class_map = to_canonical(class_map)
        channels = [to_canonical(volume) for volume in channels]
        check_channels(case, channels, cohort.channel_names)
        own = channels[0].shape, channels[0].spacing
        spacing = kept_spacing(*own, cohort.spacing or channels[0].spacing)
        scan = store_channels(channels, spacing, cohort.intensity)
        del channels
        np.save(folder / "image.npy", scan.stored)
        means = [
            box_means(channel, value, context_width)
            for channel, value in zip(scan.stored, scan.outside, strict=True)
        ]
        np.save(folder / "context.npy", np.stack(means))
        facts = {
            "shape": [int(n) for n in scan.shape],
            "scales": scan.scales,
            "offsets": scan.offsets,
            "outside": scan.outside,
            "levels": scan.levels,
            "annotated": count_classes(class_map.array, cohort.num_classes),
            "extremes": [[int(c.min()), int(c.max())] for c in scan.stored],
        }
        del scan, means
        resampled = resample_volume(class_map, spacing, kind="labels")
        facts["affine"] = resampled.affine.tolist()
        labels = np.ascontiguousarray(resampled.array)
        np.save(folder / "labels.npy", labels)
        positions, counts = index_classes(labels, cohort.num_classes)
        np.save(folder / "positions.npy", positions)
        facts |= {
            "spacing": [float(s) for s in spacing],
            "counts": [int(n) for n in counts],
            "missing": [int(k) for k in missing],
            "components": component_sizes(labels, cohort.num_classes, 2),
        }
        for path in folder.iterdir():
            sync(path)
        sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
        facts["file_sizes"] = sizes
        write_text(folder / "case.json", json.dumps(facts))
        _move_into_place(folder, entry)
        sync(entry.parent)


def _move_into_place(folder, entry):
    try:
        os.rename(folder, entry)
    except OSError:
        if _open_entry("", entry) is not None:
            return  # Another process was first.
        # An entry that cannot be read is in the way.
        with contextlib.suppress(FileNotFoundError):
            os.rename(entry, folder / "unreadable")
        os.rename(folder, entry)
        shutil.rmtree(entry / "unreadable", ignore_errors=True)


def _open_reference(name, cache, reference):
    try:
        key = reference.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    return _open_entry(name, cache / key)


def _open_entry(name, entry):
    """The case in a folder of the cache, or `None` if it is not whole."""
    try:
        facts = json.loads((entry / "case.json").read_text(encoding="utf-8"))
        for file, size in facts.pop("file_sizes").items():
            if os.stat(entry / file).st_size != size:
                return None
        return PreparedCase(
            name=name,
            folder=entry,
            **{key: tuple(value) for key, value in facts.items()},
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _settings(cohort, case, context_width):
    structures = {
        name: cohort.structures[name]
        for label_class in cohort.classes
        for name in label_class.structures
    }
    return {
        "format": FORMAT,
        "spacing": cohort.spacing,
        "intensity": cohort.intensity,
        "classes": [c.structures for c in cohort.classes],
        "values": structures,
        "masks": sorted(case.masks),
        "context_width": context_width,
    }


@contextlib.contextmanager
def _workspace(cache):
    """A folder of one writer, locked while it lives and removed at its end."""
    folder = cache / "unfinished" / secrets.token_hex(8)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with held(_lock_of(folder), patience=_LOCK_PATIENCE):
        # Only now: whoever finds the lock free removes the folder.
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(cache):
    """Removes what killed writers left: folders whose lock is free."""
    unfinished = cache / "unfinished"
    names = {path.name.removesuffix(".lock") for path in unfinished.glob("*")}
    for folder in sorted(unfinished / name for name in names):
        with (
            contextlib.suppress(OSError, Busy),
            held(_lock_of(folder)) as locked,
        ):
            if locked or _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _lock_of(folder):
    return folder.with_name(f"{folder.name}.lock")


def _is_abandoned(folder):
    """Whether nothing has been written to a folder for long."""
    return time.time() - folder.stat().st_mtime > _ABANDONED
