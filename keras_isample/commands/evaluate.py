"""Compares predictions with references, case by case, on the input grid."""

import json
from dataclasses import replace
from pathlib import Path

from keras_isample.commands.label_tables import write_label_tables
from keras_isample.commands.predict import label_file_name
from keras_isample.commands.predict import predict_case
from keras_isample.commands.sides import side_cohort
from keras_isample.commands.sides import split_sides
from keras_isample.data.cohort import read_class_map
from keras_isample.data.dataset_json import read_dataset_json
from keras_isample.data.listing import list_scans
from keras_isample.data.structures import normalize_name
from keras_isample.errors import InputError
from keras_isample.metrics.evaluation import evaluate_labels
from keras_isample.metrics.summary import summarize
from keras_isample.metrics.summary import write_summary
from keras_isample.training.model_files import load_model
from keras_isample.training.run_data import open_cohort
from keras_isample.training.run_data import split_cohort
from keras_isample.training.run_folder import RunFolder
from keras_isample.volumes.grid import check_same_grid
from keras_isample.volumes.reading import read_label_map
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
        progress: Called with (cases done, cases in all).

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
    _refuse_existing(target, overwrite)
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
    for done, case in enumerate(cohort.cases, start=1):
        prediction, _ = predict_case(model, case, tile_memory, postprocess)
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


def evaluate_folders(reference, prediction, *, out=None, overwrite=False):
    """Evaluates label maps in one folder against those in another.

    Every reference needs a prediction with the same file name; what else lies
    among the predictions is left alone. The labels are named by a
    `dataset.json` in or above the reference folder, or by the `labels.json`
    beside the predictions; if both exist they must agree. Writes
    `summary.json` beside the predictions.

    Args:
        reference: Folder of reference label maps.
        prediction: Folder of predicted label maps.
        out: File to write; `summary.json` in `prediction` if `None`.
        overwrite: Whether an older summary is replaced.

    Returns:
        `(summary, path)`.

    Raises:
        InputError: If files do not match in name or grid.
    """
    reference, prediction = Path(reference), Path(prediction)
    target = Path(out) if out else prediction / "summary.json"
    _refuse_existing(target, overwrite)
    truths, guesses = list_scans(reference), list_scans(prediction)
    pairs = [name for name in guesses if name in truths]
    lost = sorted(set(truths) - set(pairs))
    if not pairs or lost:
        raise InputError(
            prediction,
            f"has no label map for {lost[0]}" if lost else "has no label map",
            "Predict every case of the reference folder",
        )
    names = _common_names(
        reference, _class_names(reference), _predicted_names(prediction)
    )
    volumes = []
    for name in pairs:
        truth = read_label_map(truths[name])
        guess = read_label_map(guesses[name])
        check_same_grid(truth, truths[name], guess, guesses[name])
        largest = int(max(truth.array.max(), guess.array.max()))
        if names is not None and largest >= len(names):
            raise InputError(
                guesses[name],
                f"or its reference has the label {largest}, which "
                "dataset.json does not name",
                "Complete dataset.json",
            )
        volumes.append((name, largest))
    if names is None:
        most = max(largest for _, largest in volumes)
        names = ["background", *(f"label_{k}" for k in range(1, most + 1))]
    cases = [
        {
            "reference_file": str(truths[name]),
            "prediction_file": str(guesses[name]),
            "metrics": evaluate_labels(
                read_label_map(truths[name]),
                read_label_map(guesses[name]),
                names,
            ),
        }
        for name, _ in volumes
    ]
    summary = summarize(cases, names)
    write_summary(target, summary)
    return summary, target


def _refuse_existing(target, overwrite):
    if target.exists() and not overwrite:
        raise InputError(
            target, "exists already", "Add --overwrite to replace it"
        )


def _common_names(reference, names, predicted):
    """The names of both folders, which must not contradict each other."""
    if names is None or predicted is None:
        return names or predicted
    for k, (name, other) in enumerate(zip(names, predicted, strict=False)):
        if normalize_name(name) != normalize_name(other):
            raise InputError(
                reference,
                f"label {k} is {name} here but {other} in the predictions",
                "Compare label maps of the same classes",
            )
    return max(names, predicted, key=len)


def _predicted_names(folder):
    """Names from the `labels.json` that predict writes, or `None`."""
    file = folder / "labels.json"
    if not file.is_file():
        return None
    try:
        numbers = json.loads(file.read_text(encoding="utf-8"))
        return [name for name, _ in sorted(numbers.items(), key=_number)]
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(
            file, f"is not what predict writes ({error})", "Remove it"
        ) from error


def _number(pair):
    return pair[1]


def _class_names(folder):
    for place in (folder, folder.parent):
        file = place / "dataset.json"
        if file.is_file():
            values = read_dataset_json(file).structures
            names = ["background"] + [""] * max(values.values(), default=0)
            for name, value in values.items():
                names[value] = name
            return [n or f"label_{k}" for k, n in enumerate(names)]
    return None
