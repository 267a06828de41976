"""Metrics of a run's predictions, case by case, on the input grid."""

from dataclasses import replace
from pathlib import Path

from keras_isample.commands.label_tables import write_label_tables
from keras_isample.commands.predict import label_file_name
from keras_isample.commands.predict import predict_case
from keras_isample.commands.sides import side_cohort
from keras_isample.commands.sides import split_sides
from keras_isample.data.cohort import read_class_map
from keras_isample.errors import InputError
from keras_isample.metrics.evaluation import evaluate_labels
from keras_isample.metrics.summary import summarize
from keras_isample.metrics.summary import write_summary
from keras_isample.training.model_files import load_model
from keras_isample.training.run_data import open_cohort
from keras_isample.training.run_data import split_cohort
from keras_isample.training.run_folder import RunFolder
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
            too.
        data: Another data set with the same structures; its own split, or
            shares as in the run's configuration.
        tile_memory: Bytes for the maps of one tile; if `None`, what the
            network needs.
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
        InputError: If there is no case or no model, or an evaluation exists.
    """
    folder = RunFolder(run)
    config = folder.config()
    name = f"{Path(data).resolve().name}-{split}" if data else split
    out = folder.evaluation(name)
    target = out / "summary.json"
    refuse_existing(target, overwrite)
    if data:
        cohort = _cases_of_others(config, data, folder, split)
    else:
        cohort = _cases_of_run(open_cohort(config), folder, split)
    if not cohort.cases:
        raise InputError(
            cohort.path, f"has no {split} case", "Choose another --split"
        )
    side_classes, origins = side_cohort(cohort)
    if sides and not origins:
        raise InputError(
            "--sides", "no class merges left and right", "Leave it away"
        )
    model = load_model(run)
    out.mkdir(parents=True, exist_ok=True)
    write_label_tables(out, cohort.class_names)
    cases, side_cases = [], []
    if progress:
        progress(0, len(cohort.cases))
    for done, case in enumerate(cohort.cases, start=1):
        prediction, _ = predict_case(
            model, case, tile_memory, postprocess, progress=voxels
        )
        file = out / label_file_name(case)
        write_volume(file, prediction, overwrite=True)
        cases.append(_evaluate_case(cohort, case, prediction, file))
        if sides:
            reference, _ = read_class_map(side_classes, case)
            parts = split_sides(prediction, reference, side_classes, origins)
            side_cases.append(_evaluate_case(side_classes, case, parts, file))
        if progress:
            progress(done, len(cohort.cases))
    seed = config.data.seed
    summary = summarize(cases, cohort.class_names, seed=seed)
    if sides:
        summary["sides"] = summarize(
            side_cases, side_classes.class_names, seed=seed
        )
    write_summary(target, summary)
    return summary, target


def _cases_of_run(cohort, folder, split):
    """The cases that the run itself put into this part."""
    names = folder.cases(split)
    lost = sorted(set(names) - {case.name for case in cohort.cases})
    if lost:
        raise InputError(
            cohort.path,
            f"no longer has the {split} case {lost[0]} of {folder.path}",
            "Restore the data that the run was made with",
        )
    return cohort.subset(names)


def _cases_of_others(config, data, folder, split):
    """The cases of a part of a data set that the run was not made with."""
    cohort = open_cohort(replace(config, data_path=str(data)))
    own, theirs = folder.manifest()["classes"], list(cohort.class_names)
    if own != theirs:
        raise InputError(
            data,
            f"has the classes {', '.join(theirs[1:])}, and {folder.path} "
            f"{', '.join(own[1:])}",
            "Evaluate on data with the same structures",
        )
    if split == "all":
        return cohort
    return split_cohort(cohort, config)[split]


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
            target, "exists already", "Add --overwrite to replace it"
        )
