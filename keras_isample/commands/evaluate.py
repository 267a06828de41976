"""Metrics of a run's predictions, case by case, on the input grid."""

from pathlib import Path

from keras_isample.commands.batch import Failures
from keras_isample.commands.evaluated_cases import cases_of_others
from keras_isample.commands.evaluated_cases import cases_of_run
from keras_isample.commands.label_tables import write_label_tables
from keras_isample.commands.odd_scans import OddScans
from keras_isample.commands.predict import label_file_name
from keras_isample.commands.predict import predict_case
from keras_isample.commands.sides import side_cohort
from keras_isample.commands.sides import split_sides
from keras_isample.data.cohort import read_class_map
from keras_isample.errors import InputError
from keras_isample.metrics.evaluation import evaluate_labels
from keras_isample.metrics.summary import summarize
from keras_isample.metrics.summary import write_summary
from keras_isample.models.loading import load_model
from keras_isample.training.run_folder import RunFolder
from keras_isample.volumes.places import KnownFiles
from keras_isample.volumes.writing import write_volume


def evaluate_run(
    run,
    split,
    *,
    data=None,
    tile_memory,
    postprocess="largest-component",
    sides=False,
    overwrite=False,
    progress=None,
    voxels=None,
):
    """Predicts a part of a run's data, or of other data, and evaluates it.

    Writes `evaluation/<split>/summary.json` and the predictions beside it; of
    other data to `evaluation/<name of the data>-<split>/`.

    Args:
        run: Run folder.
        split: `"train"`, `"validation"` or `"test"`; of other data `"all"`,
            too, which means all that the run has not seen.
        data: Another data set with the same structures; its own split, or
            shares as in the run's configuration. Cases of the run, told by
            their images, keep the part that they have there.
        tile_memory: Bytes for the maps of one tile; if `None`, as
            `predict_volume` chooses.
        postprocess: `"largest-component"` or `"none"`.
        sides: Whether left and right of merged classes are reported apart
            too, as a summary of its own under `sides`.
        overwrite: Whether an older evaluation is replaced.
        progress: Called with (cases done, cases in all), first with 0.
        voxels: Called with (voxels done, voxels in all) of a scan while it is
            predicted.

    Returns:
        `(summary, path)`.

    Raises:
        CasesFailed: At the end, if some cases could not be evaluated; the
            summary of the others lists them under `failed`.
        InputError: If there is no case or no model, or an evaluation exists.
    """
    folder = RunFolder(run)
    config = folder.config()
    name = f"{Path(data).resolve().name}-{split}" if data else split
    out = folder.evaluation(name)
    target = out / "summary.json"
    refuse_existing(target, overwrite)
    if data:
        cohort = cases_of_others(folder, data, split)
    else:
        _check_place(config.data_path)
        cohort = cases_of_run(folder, split)
    if not cohort.cases:
        raise InputError(
            cohort.path, f"has no {split} case", "Choose another `split`"
        )
    side_classes, origins = side_cohort(cohort)
    if sides and not origins:
        raise InputError(
            "`sides`", "no class merges left and right", "Remove it"
        )
    files = {case.name: out / label_file_name(case) for case in cohort.cases}
    _check_spared(files.values(), cohort)
    model = load_model(run, compile=False)
    odd = OddScans(model)
    failures = Failures()
    cases, side_cases = [], []
    if progress:
        progress(0, len(cohort.cases))
    for done, case in enumerate(cohort.cases, start=1):
        file = files[case.name]
        try:
            prediction = predict_case(
                model,
                case,
                tile_memory,
                postprocess,
                odd=odd,
                progress=voxels,
            ).labels
            row = _evaluate_case(cohort, case, prediction, file)
            if sides:
                reference, _ = read_class_map(side_classes, case)
                parts = split_sides(
                    prediction, reference, side_classes, origins
                )
                side_row = _evaluate_case(side_classes, case, parts, file)
            if not cases:
                out.mkdir(parents=True, exist_ok=True)
                write_label_tables(out, cohort.class_names)
            write_volume(file, prediction, overwrite=True)
            cases.append(row)
            if sides:
                side_cases.append(side_row)
        except Exception as error:
            failures.add(case.name, error)
        if progress:
            progress(done, len(cohort.cases))
    odd.finish()
    if not cases:
        failures.raise_alone()
    seed = config.data.seed
    summary = summarize(cases, cohort.class_names, seed=seed)
    if sides:
        summary["sides"] = summarize(
            side_cases, side_classes.class_names, seed=seed
        )
    summary |= failures.as_json()
    write_summary(target, summary)
    failures.finish((summary, target))
    return summary, target


def _check_spared(files, cohort):
    """Refuses to replace a file of the data that are evaluated on."""
    spared = KnownFiles(f for case in cohort.cases for f in case.files())
    for file in files:
        if spared.find(file) is not None:
            raise InputError(
                file,
                f"would replace {spared.find(file)}, a file of the data",
                "Keep the data outside of the run folder",
            )


def _check_place(path):
    if not Path(path).exists():
        raise InputError(
            path,
            "is not there any more",
            "If the data have been moved, name their new place with `data`",
        )


def _evaluate_case(cohort, case, prediction, file):
    reference, missing = read_class_map(cohort, case)
    labels = case.files()[len(case.images) :]
    return {
        "reference_file": ", ".join(str(path) for path in labels),
        "prediction_file": str(file),
        "metrics": evaluate_labels(
            reference, prediction, cohort.class_names, not_annotated=missing
        ),
    }


def refuse_existing(target, overwrite):
    """Refuses to replace an older file unless told to.

    Raises:
        InputError: Naming the file.
    """
    if target.exists() and not overwrite:
        raise InputError(
            target, "exists already", "Add `overwrite=True` to replace it"
        )
