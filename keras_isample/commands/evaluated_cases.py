"""Which cases an evaluation is about: never those that were trained on.

A case of the run is recognized by its images, whatever they are called by now.
"""

import logging
from dataclasses import replace

from keras_isample.data.cohort import read_cohort
from keras_isample.data.image_digests import case_digests
from keras_isample.data.layout import count
from keras_isample.data.layout import shorten
from keras_isample.errors import InputError
from keras_isample.training.run_data import open_cohort
from keras_isample.training.run_data import split_cohort

log = logging.getLogger(__name__)

_PARTS = ("train", "validation", "test")


def cases_of_run(folder, split):
    """The cases that a run itself put into a part of its data.

    Args:
        folder: Its `RunFolder`.
        split: `"train"`, `"validation"` or `"test"`.

    Returns:
        A `Cohort`.

    Raises:
        InputError: If one is neither there under its name nor under another,
            or all of them have been trained on.
    """
    config = folder.config()
    cohort = _with_classes_of(folder, config)
    wanted = folder.cases(split)
    names = {case.name for case in cohort.cases}.intersection(wanted)
    _tell_grown(cohort, folder)
    known = _KnownCases(folder, config)
    if len(names) < len(wanted) and known.are_noted:
        names |= known.renamed(cohort.cases, split)
    if len(names) < len(wanted):
        lost = next(name for name in wanted if name not in names)
        raise InputError(
            cohort.path,
            f"no longer has the {split} case {lost} of {folder.path}",
            "Restore the data that the run was made with",
        )
    chosen = cohort.subset(names)
    if not known.are_noted:
        return chosen
    known.tell_changed(chosen.cases)
    return _without_seen(chosen, split, known.parts_of(chosen.cases), folder)


def _tell_grown(cohort, folder):
    """Says which cases have come since the run began."""
    manifest = folder.manifest()["cases"]
    own = {name for names in manifest.values() for name in names}
    more = [case.name for case in cohort.cases if case.name not in own]
    if len(cohort.cases) > len(own):
        log.warning(
            "%s: %s (%s) that %s does not know, left out; `data='%s'` takes "
            "them in.",
            cohort.path,
            count(len(more), "case"),
            shorten(more),
            folder.path,
            cohort.path,
        )


def cases_of_others(folder, data, split):
    """The cases of a part of another data set, as far as they are new.

    Cases of the run keep the part that they had there. The others have the
    split of their own data, or shares as in the run's configuration.

    Args:
        folder: The `RunFolder`.
        data: The other data set.
        split: `"train"`, `"validation"`, `"test"`, or `"all"` that were not
            trained on or validated with.

    Returns:
        A `Cohort`.

    Raises:
        InputError: If its structures are others, or all of these cases have
            been trained on.
    """
    config = replace(folder.config(), data_path=str(data))
    cohort = _with_classes_of(folder, config)
    for note in cohort.notes:
        log.warning("%s: %s", data, note)
    known = _KnownCases(folder, config).parts_of(cohort.cases)
    if split == "all":
        return _without_seen(cohort, split, known, folder)
    new = cohort.subset(c.name for c in cohort.cases if c.name not in known)
    names = {case.name for case in _part_of(new, config, split).cases}
    if names and len(names) < len(new.cases) and not cohort.given_split:
        log.warning(
            "%d of %s that %s has not seen: the %s cases by its shares; "
            "`split='all'` takes all of them.",
            len(names),
            count(len(new.cases), "case"),
            folder.path,
            split,
        )
    for name, part in known.items():
        # What the data say counts for cases that the run has not seen.
        given = cohort.given_split.get(name, part)
        if (given if part == "test" else part) == split:
            names.add(name)
    rest = cohort.subset(names)
    candidates = {
        name for name in known if cohort.given_split.get(name, "test") == split
    }
    seen = {name: known[name] for name in candidates - names}
    _tell_left_out(seen, split, folder, rest, alone=not new.cases)
    kept = sorted(name for name in names if name in known)
    if kept:
        log.warning(
            "%s of %s, told by the images: %s.",
            count(len(kept), f"{split} case"),
            folder.path,
            shorten(kept),
        )
    return rest


def _part_of(cohort, config, split):
    """A part of cases that the run has not seen."""
    if not cohort.cases:
        return cohort
    fold = config.data.fold
    if fold is not None and fold[1] > len(cohort.cases):
        config = replace(config, data=replace(config.data, fold=None))
    return split_cohort(cohort, config)[split]


class _KnownCases:
    """The cases of a run, known by their images, or else by their names.

    Attributes:
        are_noted: Whether the run noted what its images look like.
    """

    def __init__(self, folder, config):
        self._folder = folder
        self._cache = config.data.cache
        manifest = folder.manifest()
        self._cases = manifest["cases"]
        self._noted = manifest.get("case_digests")
        self.are_noted = self._noted is not None

    def parts_of(self, cases):
        """Name of each case that is the run's, to its part in the run."""
        digests = self._noted if self.are_noted else self._digests_now()
        parts = {}
        for part in _PARTS:
            for name in self._cases.get(part, ()):
                # Of two equal ones the first counts, which was trained on.
                parts.setdefault(digests.get(name, name), part)
        found = {case.name: case.name for case in cases}
        if digests:
            found = case_digests(cases, self._cache)
        return {n: parts[key] for n, key in found.items() if key in parts}

    def renamed(self, cases, split):
        """Names of cases of a part that the run knows under other names."""
        own = {name for names in self._cases.values() for name in names}
        return {
            name
            for name, part in self.parts_of(cases).items()
            if part == split and name not in own
        }

    def tell_changed(self, cases):
        """Says which cases have other images than the run knows."""
        found = case_digests(cases, self._cache)
        changed = [
            name
            for name, digest in found.items()
            if self._noted.get(name, digest) != digest
        ]
        if changed:
            log.warning(
                "%s: other images than when %s began.",
                shorten(changed),
                self._folder.path,
            )

    def _digests_now(self):
        """Of a run that noted none: those of its data as they are now."""
        try:
            cohort = open_cohort(self._folder.config())
        except InputError:
            log.warning(
                "%s has not noted its images, and its data are not there: "
                "cases of the same name are taken for the same.",
                self._folder.path,
            )
            return {}
        own = {name for names in self._cases.values() for name in names}
        cases = [case for case in cohort.cases if case.name in own]
        return case_digests(cases, self._cache)


def _with_classes_of(folder, config):
    """The cohort of a configuration with the classes of a run.

    Raises:
        InputError: If it has not all of them.
    """
    own = folder.manifest()["classes"]
    cohort = open_cohort(config)
    if own == list(cohort.class_names):
        return cohort
    theirs = cohort.class_names[1:]
    try:
        # There may be more structures by now.
        cohort = read_cohort(
            config.data_path,
            own[1:],
            spacing=cohort.spacing,
            intensity=cohort.intensity,
            partial=cohort.partial,
            modality=cohort.modality,
            cache=cohort.cache,
        )
    except InputError as error:
        raise InputError(
            config.data_path,
            f"has the classes {', '.join(theirs)}, and {folder.path} "
            f"{', '.join(own[1:])}",
            "Evaluate on data with the same structures",
        ) from error
    more = sorted(set(theirs) - set(own))
    if more:
        log.warning(
            "%s: %s: no class of %s, taken as background.",
            config.data_path,
            shorten(more),
            folder.path,
        )
    return cohort


def _without_seen(cohort, split, known, folder):
    """Leaves out what was trained on, and in the end what was validated."""
    barred = {
        "train": (),
        "validation": ("train",),
        "test": ("train", "validation"),
        "all": ("train", "validation"),
    }[split]
    seen = {name: part for name, part in known.items() if part in barred}
    rest = cohort.subset(
        case.name for case in cohort.cases if case.name not in seen
    )
    _tell_left_out(seen, split, folder, rest, alone=True)
    return rest


def _tell_left_out(seen, split, folder, rest, *, alone):
    """Says which cases are left out; refuses if that leaves none.

    Args:
        seen: Name to part in the run, of those that are left out.
        split: The part that was asked for.
        folder: The `RunFolder`.
        rest: The cohort without them.
        alone: Whether nothing else could have been in it.
    """
    parts = [
        f"{count(len(names), f'{part} case')} ({shorten(names)})"
        for part in _PARTS
        if (names := sorted(n for n, p in seen.items() if p == part))
    ]
    if not parts:
        return
    told = f"{' and '.join(parts)} of {folder.path}, told by the images"
    if alone and not rest.cases:
        raise InputError(
            rest.path,
            f"holds nothing but {told}",
            "Evaluate on cases that the run has not seen",
        )
    kind = "evaluation" if split == "all" else f"{split} cases"
    log.warning("%s: left out of the %s: %s.", rest.path, kind, told)
