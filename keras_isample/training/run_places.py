"""Checks that a run and its cache are written beside the data, not over it."""

from pathlib import Path

from keras_isample.errors import InputError
from keras_isample.volumes.places import is_same_place
from keras_isample.volumes.places import is_within


def check_data_apart(config, folder):
    """Refuses a run folder that is or holds the data set, and such a cache.

    Args:
        config: The run's `Config`.
        folder: The `RunFolder`.

    Raises:
        InputError: Naming the option at fault.
    """
    data, cache = config.data_path, config.data.cache
    if is_same_place(folder.path, data):
        raise InputError(
            folder.path, "is the data set itself", "Choose another `run`"
        )
    if is_within(data, folder.path):
        raise InputError(
            folder.path,
            f"holds the data set {data}, which would belong to the run",
            "Choose another `run`",
        )
    if cache and is_same_place(cache, data):
        raise InputError(
            cache, "is the data set itself", "Choose another `cache`"
        )


def check_files_apart(config, folder, parts):
    """Refuses a run folder or cache amid the scans of the data set.

    Args:
        config: The run's `Config`.
        folder: The `RunFolder`.
        parts: Dictionary whose values are the `Cohort`s of the run.

    Raises:
        InputError: Naming the folder of scans.
    """
    scans = {
        file.parent
        for cohort in parts.values()
        for case in cohort.cases
        for file in case.files()
    }
    # A table may name scans that lie in the data set's own folder.
    scans = [s for s in scans if not is_same_place(s, config.data_path)]
    for name, place in (("run", folder.path), ("cache", config.data.cache)):
        for scan_folder in scans if place else ():
            # VISCERAL's scans are looked for one level deeper, too.
            if any(
                is_same_place(path, scan_folder)
                for path in (place, Path(place).resolve().parent)
            ):
                raise InputError(
                    place,
                    f"is or lies in {scan_folder}, a folder of scans",
                    f"Choose another `{name}`",
                )
