"""What happens to training cases where a chosen structure has no mask."""

from keras_isample.data.cohort import Cohort
from keras_isample.data.layout import shorten
from keras_isample.errors import InputError

_CURE = "Change `split`, `labels` or `partial`"


def training_cases(cohort: Cohort) -> tuple[Cohort, tuple[str, ...]]:
    """The cases to train on, as `cohort.partial` says.

    A class that was not (wholly) annotated in a case, with `"merge"`, counts
    there as one class with the background, the part that was annotated
    included: the network may call these voxels the one or the other. A case of
    which that leaves a single class teaches nothing and is left out. With
    `"exclude"` every such case is left out; with `"background"` it stays and
    the class is background there.

    Returns:
        The cohort, and one line for the user per set of missing classes.

    Raises:
        InputError: If no case is left, or with `"merge"` a class is not wholly
            annotated in any: nothing would tell it from the background.
    """
    missing = {}
    for case in cohort.cases:
        classes = cohort.missing(case)
        if classes:
            missing.setdefault(classes, []).append(case)
    notes = tuple(
        f"{shorten([case.name for case in cases])}: {', '.join(classes)} not "
        f"annotated: {_treatment(cohort, classes)} "
        f"(`partial={cohort.partial!r}`)"
        for classes, cases in missing.items()
    )
    cohort = cohort.subset(
        case.name
        for case in cohort.cases
        if _is_trained_on(cohort, cohort.missing(case))
    )
    if not cohort.cases:
        raise InputError(cohort.path, "has no case to train on", _CURE)
    if cohort.partial == "merge":
        _check_each_class_is_learned(cohort)
    return cohort, notes


def _is_trained_on(cohort: Cohort, missing: tuple[str, ...]) -> bool:
    if cohort.partial == "merge":
        return len(missing) < len(cohort.classes)
    return cohort.partial == "background" or not missing


def _treatment(cohort: Cohort, missing: tuple[str, ...]) -> str:
    if cohort.partial == "background":
        return "taken as background"
    if cohort.partial == "exclude":
        return "left out of training"
    if not _is_trained_on(cohort, missing):
        return "nothing to learn, left out of training"
    verb = "count" if len(missing) > 1 else "counts"
    return f"{verb} as one class with the background"


def _check_each_class_is_learned(cohort: Cohort) -> None:
    missing = [set(cohort.missing(case)) for case in cohort.cases]
    lost = [c for c in cohort.class_names if all(c in m for m in missing)]
    if lost:
        raise InputError(
            cohort.path,
            f"has no training case with all of {', '.join(lost)} annotated; "
            "`partial='merge'` could not tell it from the background",
            _CURE,
        )
