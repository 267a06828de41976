"""The files of a synthetic data set, in one of the layouts that are read."""

import contextlib
import gzip
import json
import shutil
import tempfile
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np

from keras_isample.data.phantom_trunk import STRUCTURES
from keras_isample.errors import InputError
from keras_isample.volumes.files import naming
from keras_isample.volumes.png import encode_png
from keras_isample.volumes.volume import Volume

MARK = "phantom.json"
_PARTS = {
    MARK,
    "Volumes",
    "Segmentations",
    "imagesTr",
    "labelsTr",
    "images",
    "labels",
    "dataset.json",
    "cases.csv",
    "auto",
    "manual",
}
"""What phantoms consist of; anything else in their folder is the user's."""

_KINDS = ("images", "labels")
_RADLEX = {
    "liver": 58,
    "spleen": 86,
    "urinary_bladder": 237,
    "aorta": 480,
    "trachea": 1247,
    "right_lung": 1302,
    "left_lung": 1326,
    "sternum": 2473,
    "right_kidney": 29662,
    "left_kidney": 29663,
    "right_psoas_major": 32248,
    "left_psoas_major": 32249,
    "right_rectus_abdominis": 40357,
    "left_rectus_abdominis": 40358,
}
_ANNOTATORS = (4, 6, 7, 9)
_FIRST_PATIENT = 10000100


class VisceralFiles:
    """Volumes, and one binary mask per organ; an absent organ has none.

    Args:
        folder: Where to write.
    """

    def __init__(self, folder: Path):
        self._volumes = folder / "Volumes"
        self._segmentations = folder / "Segmentations"
        self._volumes.mkdir()
        self._segmentations.mkdir()

    def add(self, index: int, image: Volume, label_map: np.ndarray) -> None:
        """Writes case `index`, counted from 0."""
        name = f"{_FIRST_PATIENT + index}_1_CTce_ThAb"
        _write(self._volumes / f"{name}.nii.gz", image.array, image.affine)
        found = np.bincount(label_map.ravel(), minlength=len(STRUCTURES) + 1)
        for place, (structure, radlex) in enumerate(_RADLEX.items()):
            value = STRUCTURES[structure]
            if not found[value]:
                continue
            annotator = _ANNOTATORS[(index + place // 5) % len(_ANNOTATORS)]
            path = self._segmentations / f"{name}_{radlex}_{annotator}.nii.gz"
            mask = (label_map == value).view(np.uint8)
            _write(path, mask, image.affine)

    def finish(self, cases: int) -> None:
        """Writes what is told once per data set: here, nothing."""


class NnunetFiles:
    """Images, label maps and `dataset.json`.

    Args:
        folder: Where to write.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        (folder / "imagesTr").mkdir()
        (folder / "labelsTr").mkdir()

    def add(self, index: int, image: Volume, label_map: np.ndarray) -> None:
        """Writes case `index`, counted from 0."""
        name = f"phantom_{index:03d}"
        path = self._folder / "imagesTr" / f"{name}_0000.nii.gz"
        _write(path, image.array, image.affine)
        path = self._folder / "labelsTr" / f"{name}.nii.gz"
        _write(path, label_map, image.affine)

    def finish(self, cases: int) -> None:
        """Writes `dataset.json`."""
        facts = {
            "name": "phantom",
            "channel_names": {"0": "CT"},
            "labels": {"background": 0, **STRUCTURES},
            "numTraining": cases,
            "file_ending": ".nii.gz",
        }
        write_json(self._folder / "dataset.json", facts)


class FolderFiles:
    """`images/`, `labels/`, `dataset.json`, and `cases.csv` with the split.

    Args:
        folder: Where to write.
        structures: Name to value in the label maps.
        channel: Name of the one channel.
        ending: `".png"` or `".nii.gz"`.
    """

    def __init__(
        self,
        folder: Path,
        structures: Mapping[str, int],
        *,
        channel: str,
        ending: str,
    ):
        self._folder = folder
        self._facts = {
            "channel_names": {"0": channel},
            "labels": {"background": 0, **structures},
            "file_ending": ending,
        }
        self._ending = ending
        self._rows = ["case,image,label,split"]
        (folder / "images").mkdir(parents=True)
        (folder / "labels").mkdir()

    def add_picture(
        self, name: str, image: np.ndarray, label_map: np.ndarray, split: str
    ) -> None:
        """Writes one case of pixels, uint8, shape `(width, height)`."""
        for path, array in zip(
            self._add(name, split), (image, label_map), strict=True
        ):
            path.write_bytes(encode_png(array[:, :, np.newaxis]))

    def add_scan(
        self, name: str, image: Volume, label_map: np.ndarray, split: str
    ) -> None:
        """Writes one case of voxels, its label map on the grid of the image."""
        for path, array in zip(
            self._add(name, split), (image.array, label_map), strict=True
        ):
            _write(path, array, image.affine)

    def finish(self) -> None:
        """Writes `dataset.json` and `cases.csv`."""
        write_json(self._folder / "dataset.json", self._facts)
        table = self._folder / "cases.csv"
        table.write_text("\n".join(self._rows) + "\n", encoding="utf-8")

    def _add(self, name, split):
        """The two files of a case, once it is in the table."""
        files = [f"{kind}/{name}{self._ending}" for kind in _KINDS]
        self._rows.append(",".join([name, *files, split]))
        return [self._folder / file for file in files]


LAYOUTS = {"visceral": VisceralFiles, "nnunet": NnunetFiles}


@contextlib.contextmanager
def new_folder(path: Path, overwrite: bool) -> Iterator[Path]:
    """A folder to fill, which becomes `path` only once it is complete.

    Args:
        path: The folder to make. It may exist if it is empty.
        overwrite: Whether a phantom that is already there may be replaced.

    Yields:
        An empty folder beside `path`.

    Raises:
        InputError: If something else is there already, or there is no room.
    """
    _check_target(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        folder = place / "new"
        folder.mkdir()
        with naming(path):
            yield folder
        _check_target(path, overwrite)
        if path.exists():
            path.rename(place / "old")
        folder.rename(path)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def write_json(path: Path, facts: dict) -> None:
    """Writes a small JSON file for people and programs to read."""
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def write_mark(folder: Path, **facts) -> None:
    """Writes what tells a phantom from data, and how it was made."""
    write_json(folder / MARK, {"synthetic": True, **facts})


def _check_target(path, overwrite):
    if not path.exists():
        return
    if not path.is_dir():
        raise InputError(path, "is a file, not a folder", "Give another folder")
    if not any(path.iterdir()):
        return
    if not overwrite:
        raise InputError(
            path,
            "holds files already",
            "Give another folder, or overwrite if it is an old phantom",
        )
    if not (path / MARK).is_file():
        raise InputError(
            path,
            f"holds files, and no {MARK} that marks an old phantom",
            "Give another folder, or empty this one yourself",
        )
    strangers = sorted(
        entry.name
        for entry in path.iterdir()
        if entry.name not in _PARTS and not entry.name.startswith(".")
    )
    if strangers:
        raise InputError(
            path / strangers[0],
            "is no part of the phantom that would be replaced",
            "Move it elsewhere, or give another folder",
        )


def _write(path, array, affine):
    """Writes NIfTI, the same bytes for the same voxels."""
    image = nib.Nifti1Image(array, affine)
    image.header.set_qform(affine, code=1)
    image.header.set_sform(affine, code=1)
    image.header.set_xyzt_units("mm")
    with (
        open(path, "wb") as file,
        gzip.GzipFile("", "wb", 1, file, mtime=0) as packed,
    ):
        image.to_stream(packed)
