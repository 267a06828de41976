"""What happens to training cases where a chosen structure has no mask."""

from keras_isample.data.cohort import Cohort
from keras_isample.data.layout import shorten
from keras_isample.errors import InputError


def training_cases(cohort: Cohort) -> tuple[Cohort, tuple[str, ...]]:
    """The cases to train on, as `cohort.partial` says.

    With `"exclude"` a case where a class was not (wholly) annotated is left
    out; with `"background"` it stays and the class is background there.

    Returns:
        The cohort, and one line for the user per set of missing classes.

    Raises:
        InputError: If no case is left.
    """
    missing = {}
    for case in cohort.cases:
        classes = cohort.missing(case)
        if classes:
            missing.setdefault(classes, []).append(case.name)
    treated = (
        "left out of training (--partial exclude)"
        if cohort.partial == "exclude"
        else "taken as background (--partial background)"
    )
    notes = tuple(
        f"{shorten(names)}: {', '.join(classes)} not annotated: {treated}"
        for classes, names in missing.items()
    )
    if cohort.partial == "exclude":
        left_out = {name for names in missing.values() for name in names}
        cohort = cohort.subset(
            case.name for case in cohort.cases if case.name not in left_out
        )
    if not cohort.cases:
        raise InputError(
            cohort.path,
            "has no case to train on",
            "Change --split or --labels, or use --partial background",
        )
    return cohort, notes
