"""Segments scans with a trained model and writes label maps."""

import logging
from dataclasses import dataclass
from pathlib import Path

from keras_isample.commands.batch import Failures
from keras_isample.commands.inputs import find_inputs
from keras_isample.commands.label_tables import check_label_tables
from keras_isample.commands.label_tables import write_label_tables
from keras_isample.commands.odd_scans import OddScans
from keras_isample.commands.outputs import check_out
from keras_isample.commands.outputs import split_done
from keras_isample.data.cache import file_digest
from keras_isample.data.cache import hash_of
from keras_isample.data.channels import check_headers
from keras_isample.data.channels import check_spacing
from keras_isample.data.channels import load_channels
from keras_isample.data.layout import count
from keras_isample.data.listing import ending_of
from keras_isample.data.prediction_record import PredictionRecord
from keras_isample.data.preprocessing import Preprocessing
from keras_isample.errors import InputError
from keras_isample.inference.full_volume import predict_volume
from keras_isample.inference.tile_memory import TileMemoryError
from keras_isample.models.loading import load_model
from keras_isample.models.loading import model_file
from keras_isample.training.networks import too_little_memory
from keras_isample.volumes.components import keep_largest_in_scan
from keras_isample.volumes.training_shape import CURE_OF_RUN
from keras_isample.volumes.volume import Volume
from keras_isample.volumes.writing import write_volume

log = logging.getLogger(__name__)


def predict(
    run,
    inputs,
    out,
    *,
    tile_memory,
    probabilities=False,
    postprocess="largest-component",
    overwrite=False,
    say=lambda text: None,
    progress=None,
    voxels=None,
):
    """Segments scans and writes `<case>.nii.gz` into a folder.

    A PNG picture gets a gray PNG of its size whose values are the classes, an
    NPY file an NPY file; probabilities are NIfTI in any case.

    What was written from which scan and model is noted in a hidden file of the
    folder, so that a second call does only what is missing.

    Args:
        run: Run folder or `.keras` file.
        inputs: Files, folders and data sets.
        out: Folder to write to. No input, no file of a data set that one
            comes from, and none of the run's data set is ever replaced.
        tile_memory: Bytes for the maps of one tile; if `None`, as
            `predict_volume` chooses.
        probabilities: Whether `<case>_probabilities.nii.gz` is written too:
            uint8 with the classes along the last axis, 255 meaning 1.
        postprocess: `"largest-component"` or `"none"`.
        overwrite: Whether existing files are replaced.
        say: Called with a line per case that was segmented.
        progress: Called with (cases done, cases in all), first with 0.
        voxels: Called with (voxels done, voxels in all) of a scan while it is
            predicted.

    Returns:
        Files of the label maps, those that were there already included.

    Raises:
        CasesFailed: At the end, if some scans could not be segmented.
        InputError: If no scan can be used, or a file exists already that
            predict did not write for the same scan with the same model.
            Nothing has been written then.
    """
    model = load_model(run, compile=False)
    facts = Preprocessing.from_metadata(model.metadata)
    num_channels = model.metadata["num_channels"]
    failures = Failures()
    cases = find_inputs(
        inputs, num_channels, modality=facts.modality, fail=failures.add
    )
    out = Path(out)
    files = {
        case.name: _output_files(out, case, probabilities) for case in cases
    }
    owners = {file: case for case in cases for file in files[case.name]}
    check_out(out, run, inputs, cases, owners)
    cases = _with_good_headers(cases, num_channels, failures)
    if not cases:
        failures.raise_alone()
    check_label_tables(out, class_names_of(model), overwrite)
    writer = _Writer(run, cases, files, out, postprocess, overwrite)
    todo = writer.missing()
    odd = OddScans(model)
    if progress:
        progress(0, len(todo))
    for number, case in enumerate(todo, start=1):
        try:
            found = predict_case(
                model,
                case,
                tile_memory,
                postprocess,
                probabilities,
                odd,
                progress=voxels,
            )
            writer.write(case, found, class_names_of(model))
        except Exception as error:
            failures.add(case.name, error)
        else:
            say(f"{files[case.name][0]}")
        if progress:
            progress(number, len(todo))
    odd.finish()
    good = [case for case in cases if case.name not in failures.errors]
    if not good:
        failures.raise_alone()
    results = [files[case.name][0] for case in good]
    failures.finish(results)
    return results


class _Writer:
    """Writes label maps into a folder, with a record of what they are from.

    Args:
        run: Run folder or `.keras` file.
        cases: The cases to segment.
        files: Case name to its output files.
        out: Folder to write to.
        postprocess: As of `predict`.
        overwrite: As of `predict`.
    """

    def __init__(self, run, cases, files, out, postprocess, overwrite):
        self._cases = {case.name: case for case in cases}
        self._files = files
        self._out = out
        self._overwrite = overwrite
        self._record = PredictionRecord(out)
        self._has_tables = False
        self._images = {}
        self._shared = {
            "model": file_digest(model_file(run)),
            "postprocess": postprocess,
        }

    def missing(self):
        """The cases whose label maps are not there yet; the others are told.

        Raises:
            InputError: If there are files that are of something else.
        """
        if self._overwrite:
            return list(self._cases.values())
        groups = {name: self._files[name] for name in self._cases}
        done, changed = split_done(self._out, groups, self._origin)
        if done:
            log.warning(
                "%s: %d of %s already there, kept.",
                self._out,
                len(done),
                count(len(groups), "label map"),
            )
        for file in changed:
            log.warning("%s: changed since predict wrote it, kept.", file)
        return [c for name, c in self._cases.items() if name not in done]

    def write(self, case, prediction, names):
        """Writes the files of a case, noted before and afterwards.

        Args:
            case: The case.
            prediction: Its `Prediction`.
            names: Names of the classes, background first.
        """
        if not self._has_tables:
            self._out.mkdir(parents=True, exist_ok=True)
            write_label_tables(self._out, names)
            self._has_tables = True
        files = self._files[case.name]
        for file in files:
            ours = self._overwrite or self._record.knows(file.name)
            if file.exists() and not ours:
                raise InputError(file, "exists already", "Choose another `out`")
        self._record.begin(self._origin(case.name), [f.name for f in files])
        for file, volume in zip(files, prediction.volumes(), strict=True):
            write_volume(file, volume, overwrite=True)
        self._record.complete([file.name for file in files])

    def _origin(self, name):
        """What the files of a case are made from, as the record has it."""
        if name not in self._images:
            digests = [file_digest(path) for path in self._cases[name].images]
            self._images[name] = hash_of(digests)
        return {"images": self._images[name], **self._shared}


@dataclass(frozen=True)
class Prediction:
    """What was predicted of one case, on its own grid.

    Attributes:
        labels: `Volume` of uint8 classes.
        probabilities: `Volume` of uint8 `(x, y, z, classes)`, or `None`.
    """

    labels: Volume
    probabilities: Volume | None = None

    def volumes(self):
        """The labels, then the probabilities if there are any."""
        found = (self.labels, self.probabilities)
        return [volume for volume in found if volume is not None]


def _output_files(out, case, probabilities):
    files = [out / label_file_name(case)]
    if probabilities:
        files.append(out / f"{case.name}_probabilities.nii.gz")
    return files


def _with_good_headers(cases, num_channels, failures):
    good = []
    for case in cases:
        try:
            check_headers(case, num_channels)
            good.append(case)
        except Exception as error:
            failures.add(case.name, error)
    return good


def class_names_of(model):
    """Names of a model's classes, background first."""
    facts = Preprocessing.from_metadata(model.metadata)
    return facts.class_names or (
        "background",
        *(f"class_{k}" for k in range(1, model.metadata["num_classes"])),
    )


def label_file_name(case):
    """Name of the label map that is predicted for a case."""
    return case.name + ending_of(case.images[0].name)


def predict_case(
    model,
    case,
    tile_memory,
    postprocess,
    probabilities=False,
    odd=None,
    *,
    progress=None,
):
    """Segments one case.

    Args:
        model: The model.
        case: The `Case`.
        tile_memory: As of `predict`.
        postprocess: As of `predict`.
        probabilities: Whether they are kept.
        odd: `OddScans`, which says what is odd about the scan.
        progress: Called with (voxels done, voxels in all), tile by tile.

    Returns:
        A `Prediction`. What the postprocessing has removed is logged.
    """
    odd = odd or OddScans(model)
    facts = Preprocessing.from_metadata(model.metadata)
    check_spacing(
        case, facts.spacing, model.metadata["num_channels"], CURE_OF_RUN
    )
    try:
        result = predict_volume(
            model,
            # Not kept here, so that they are freed once they are prepared.
            odd.look_at(case, load_channels(case)),
            tile_memory=tile_memory,
            return_probabilities=probabilities,
            progress=progress,
        )
    except TileMemoryError as error:
        raise too_little_memory(error) from error
    labels, chances = result if probabilities else (result, None)
    if postprocess == "largest-component":
        labels, removed = keep_largest_in_scan(
            labels, counts=facts.kept_components()
        )
        _tell_removed(case, removed, class_names_of(model))
    if not labels.array.any():
        odd.note_empty(case.images[0])
    return Prediction(labels, chances)


def _tell_removed(case, removed, names):
    if removed:
        parts = ", ".join(
            f"{count(lost.components, 'component')} of {names[index]} "
            f"({count(lost.voxels, 'voxel')})"
            for index, lost in removed.items()
        )
        log.warning(
            "%s: removed %s; `postprocess='none'` keeps them.", case.name, parts
        )
