"""Where label maps may be written: never over what anyone gave as input."""

import contextlib
from pathlib import Path

from keras_isample.data.all_images import data_files
from keras_isample.data.listing import list_scans
from keras_isample.data.listing import stem_of
from keras_isample.data.prediction_record import PredictionRecord
from keras_isample.data.recognition import IMAGE_FOLDERS
from keras_isample.data.recognition import LABEL_FOLDERS
from keras_isample.data.recognition import data_folders
from keras_isample.errors import InputError
from keras_isample.training.run_folder import RunFolder
from keras_isample.volumes.places import KnownFiles
from keras_isample.volumes.places import is_same_place

_ANOTHER = "Choose another `out`"
_REASONS = {
    "images": "from another scan",
    "model": "with another model",
    "postprocess": "with another `postprocess`",
}


def check_out(out, run, inputs, cases, files):
    """Refuses a folder in which an output would replace an input.

    Args:
        out: Folder to write to.
        run: Run folder or `.keras` file; its data are spared, too.
        inputs: Files and folders that were named as inputs.
        cases: The `Case`s found there.
        files: Output files to the case that each is of.

    Raises:
        InputError: Naming the input.
    """
    if out.exists() and not out.is_dir():
        raise InputError(out, "is a file", "Name a folder with `out`")
    _check_twins(files)
    for path in inputs:
        if Path(path).is_dir() and is_same_place(path, out):
            raise InputError(
                out,
                "is the folder of the scans themselves",
                f"Choose another `out`, such as {out / 'predictions'}",
            )
    for case in cases:
        for image in case.images:
            if is_same_place(image.parent, out):
                raise InputError(
                    out,
                    f"holds {image.name}, one of the scans to segment",
                    f"Choose another `out`, such as {out / 'predictions'}",
                )
    spared = KnownFiles(image for case in cases for image in case.images)
    _check_spared(files, spared, "one of the scans to segment")
    _check_data_folder(out, files)
    strangers = [file for file in _strangers(out, files) if file.exists()]
    # Looking for these files takes a while where there are many.
    for folder in _data_sets(run, inputs, cases) if strangers else ():
        try:
            spared = KnownFiles(data_files(folder))
        except InputError as error:
            raise InputError(
                strangers[0],
                "would be replaced, and may belong to a data set whose files "
                f"cannot be told: {error.source}: {error.problem}",
                _ANOTHER,
            ) from error
        what = f"a file of the data set {folder}"
        _check_spared(strangers, spared, what)


def split_done(out, files, origins):
    """Tells cases whose label maps are there already from the others.

    Args:
        out: Folder to write to.
        files: Case name to the output files of the case.
        origins: Function from the name of a case to what its files are made
            from, text to text.

    Returns:
        Names of the cases that are done, and of their files those that have
        been changed since.

    Raises:
        InputError: If there is a file that predict did not write, or wrote
            from something else.
    """
    record = PredictionRecord(out)
    done, changed = [], []
    for name, group in files.items():
        present = [file for file in group if file.exists()]
        for file in present:
            _check_origin(record, file, origins(name))
        complete = [f for f in present if record.is_complete(f.name)]
        edited = [f for f in complete if record.is_changed(f.name)]
        if len(complete) == len(group):
            done.append(name)
            changed += edited
        elif edited:
            raise InputError(
                edited[0], "has been changed since predict wrote it", _ANOTHER
            )
    return done, changed


def _check_origin(record, file, origin):
    if not record.knows(file.name):
        raise InputError(
            file, "exists already, and predict did not write it", _ANOTHER
        )
    other = record.difference(file.name, origin)
    if other is not None:
        raise InputError(
            file,
            f"exists already, predicted {_REASONS[other]}",
            "Choose another `out`, or replace it with `overwrite=True`",
        )


def _check_twins(files):
    seen = {}
    for file, case in files.items():
        other = seen.setdefault(str(file).lower(), case)
        if other != case:
            raise InputError(
                case.images[0],
                f"would be written to {file}, as well as {other.images[0]}",
                "Predict them into two folders",
            )


def _check_spared(files, spared, what):
    for file in files:
        known = spared.find(file)
        if known is not None:
            raise InputError(file, f"would replace {known}, {what}", _ANOTHER)


def _check_data_folder(out, files):
    """Refuses folders that by their names and neighbors are a data set's."""
    place = Path(out).resolve()
    name = place.name.lower()
    above = data_folders(place.parent) if place.parent.is_dir() else []
    others = [folder for folder in above if not is_same_place(folder, place)]
    if name in IMAGE_FOLDERS:
        scans = list_scans(out).values() if out.is_dir() else ()
        if _strangers(out, scans) or others:
            raise InputError(
                out,
                f"is by its name the folder of images of {place.parent}",
                _ANOTHER,
            )
    if name in LABEL_FOLDERS and others and out.is_dir():
        stems = {stem_of(file.name) for file in files}
        present = list_scans(out).items()
        for file in _strangers(out, [f for s, f in present if s in stems]):
            raise InputError(
                file,
                f"would be replaced; it is a label map of {place.parent}",
                _ANOTHER,
            )


def _strangers(out, files):
    """Files that predict has not written itself, or others have changed."""
    record = PredictionRecord(out)
    return [
        file
        for file in files
        if not record.knows(file.name)
        or (record.is_complete(file.name) and record.is_changed(file.name))
    ]


def _data_sets(run, inputs, cases):
    """Folders of data sets that the inputs or the model come from."""
    folders = [Path(path) for path in inputs]
    for case in cases:
        for image in case.images:
            if image.parent.name.lower() in IMAGE_FOLDERS:
                folders.append(image.parent.parent)
    with contextlib.suppress(InputError):
        folders.append(Path(RunFolder(run).config().data_path))
    return [path for path in dict.fromkeys(folders) if path.is_dir()]
