"""Segments scans with a trained model and writes label maps."""

from pathlib import Path

from keras_isample.commands.inputs import find_inputs
from keras_isample.commands.label_tables import check_label_tables
from keras_isample.commands.label_tables import write_label_tables
from keras_isample.data.channels import check_headers
from keras_isample.data.channels import check_spacing
from keras_isample.data.channels import load_channels
from keras_isample.data.listing import ending_of
from keras_isample.data.preprocessing import Preprocessing
from keras_isample.errors import InputError
from keras_isample.inference.full_volume import predict_volume
from keras_isample.inference.plain import TileMemoryError
from keras_isample.training.model_files import load_model
from keras_isample.training.networks import too_little_memory
from keras_isample.volumes.components import keep_largest_in_scan
from keras_isample.volumes.training_shape import CURE_OF_RUN
from keras_isample.volumes.writing import write_volume


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
):
    """Segments scans and writes `<case>.nii.gz` into a folder.

    A PNG picture gets a gray PNG of its size whose values are the classes, an
    NPY file an NPY file; probabilities are NIfTI in any case.

    Args:
        run: Run folder or `.keras` file.
        inputs: Files, folders and data sets.
        out: Folder to write to.
        tile_memory: Bytes for the maps of one tile; if `None`, what the
            network needs.
        probabilities: Whether `<case>_probabilities.nii.gz` is written too:
            uint8 with the classes along the last axis, 255 meaning 1.
        postprocess: `"largest-component"` or `"none"`.
        overwrite: Whether existing files are replaced.
        say: Called with a line per case.
        progress: Called with (cases done, cases in all).

    Returns:
        Files of the label maps.

    Raises:
        InputError: If a scan cannot be used or a file exists already. All
            headers are read before anything is written; where voxels turn out
            to be damaged, the scans before are written.
    """
    model = load_model(run)
    facts = Preprocessing.from_metadata(model.metadata)
    cases = find_inputs(
        inputs, model.metadata["num_channels"], modality=facts.modality
    )
    out = Path(out)
    targets = [out / label_file_name(case) for case in cases]
    extras = [out / f"{case.name}_probabilities.nii.gz" for case in cases]
    _check_out(out, targets + extras * probabilities, overwrite)
    names = facts.class_names or [
        "background",
        *(f"class_{k}" for k in range(1, model.metadata["num_classes"])),
    ]
    if not overwrite:
        check_label_tables(out, names)
    for case in cases:
        check_headers(case, model.metadata["num_channels"])
    for done, (case, target, extra) in enumerate(
        zip(cases, targets, extras, strict=True), start=1
    ):
        labels, chances = predict_case(
            model, case, tile_memory, postprocess, probabilities
        )
        if done == 1:
            out.mkdir(parents=True, exist_ok=True)
            write_label_tables(out, names)
        write_volume(target, labels, overwrite=overwrite)
        if chances is not None:
            write_volume(extra, chances, overwrite=overwrite)
        say(f"{target}")
        if progress:
            progress(done, len(cases))
    return targets


def _check_out(out, targets, overwrite):
    if out.exists() and not out.is_dir():
        raise InputError(out, "is a file", "Name a folder with --out")
    for target in targets:
        if target.exists() and not overwrite:
            raise InputError(
                target, "exists already", "Choose another --out or --overwrite"
            )


def label_file_name(case):
    """Name of the label map that is predicted for a case."""
    return case.name + ending_of(case.images[0].name)


def predict_case(model, case, tile_memory, postprocess, probabilities=False):
    """Labels, and probabilities or `None`, of one case on its own grid."""
    facts = Preprocessing.from_metadata(model.metadata)
    check_spacing(
        case, facts.spacing, model.metadata["num_channels"], CURE_OF_RUN
    )
    try:
        result = predict_volume(
            model,
            # Not kept here, so that they are freed once they are prepared.
            load_channels(case),
            tile_memory=tile_memory,
            return_probabilities=probabilities,
        )
    except TileMemoryError as error:
        raise too_little_memory(error) from error
    labels, chances = result if probabilities else (result, None)
    if postprocess == "largest-component":
        labels = keep_largest_in_scan(labels, counts=facts.kept_components())
    return labels, chances
