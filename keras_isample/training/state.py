"""The whole state of a training run, in one file that is whole or not there.

Keras' own files lack the state of dropout's random generators, the sampler and
the history; all of these are needed to continue bit for bit.
"""

import json
import os
import shutil
import zipfile

import numpy as np

from keras_isample.errors import InputError
from keras_isample.volumes.files import written_whole


def save_state(path, model, sampler, progress):
    """Writes the state beside `path` and moves it into place.

    Args:
        path: The file; its folder exists.
        model: A compiled model whose optimizer is built.
        sampler: The `ISample`.
        progress: JSON-compatible dictionary.
    """
    arrays = {
        f"variable/{i:05d}": _value(variable)
        for i, variable in enumerate(_variables(model))
    }
    arrays |= {f"sampler/{k}": v for k, v in sampler.state().items()}
    arrays["progress"] = np.array(json.dumps(progress))
    size = sum(np.asarray(array).nbytes for array in arrays.values())
    with written_whole(path, size) as beside, open(beside, "xb") as file:
        np.savez(file, **arrays)


def load_progress(path):
    """The dictionary that was saved with the state.

    Raises:
        InputError: If the file is missing or cannot be read.
    """
    with _open(path) as arrays:
        return json.loads(str(arrays["progress"]))


def replace_progress(path, progress):
    """Gives a saved state another dictionary; all else stays.

    Args:
        path: The file.
        progress: JSON-compatible dictionary.

    Raises:
        InputError: If the file is missing or cannot be read.
    """
    with _open(path) as arrays:
        kept = {name: arrays[name] for name in arrays.files}
    kept["progress"] = np.array(json.dumps(progress))
    with written_whole(path) as beside, open(beside, "xb") as file:
        np.savez(file, **kept)


def restore_state(path, model, sampler):
    """Puts a saved state into a model and a sampler built alike.

    Raises:
        InputError: If the file belongs to another model, or an error map that
            belongs to it is missing.
    """
    with _open(path) as arrays:
        variables = _variables(model)
        names = [key for key in arrays.files if key.startswith("variable/")]
        shapes = [arrays[name].shape for name in names]
        if shapes != [tuple(v.shape) for v in variables]:
            raise InputError(
                path, "belongs to another network", "Start a new run"
            )
        for name, variable in zip(names, variables, strict=True):
            variable.assign(arrays[name])
        state = {
            key.removeprefix("sampler/"): arrays[key]
            for key in arrays.files
            if key.startswith("sampler/")
        }
    try:
        sampler.restore(state)
    except (OSError, ValueError) as error:
        raise InputError(
            path,
            f"cannot be resumed from ({error})",
            "Start a new run in another folder",
        ) from error


def copy_state(source, target):
    """Gives a folder the state of another one, its error maps included.

    The state comes last: a folder that has one can be resumed from.

    Args:
        source: A `RunFolder` that nobody writes to.
        target: A `RunFolder`.
    """
    link_error_maps(source, target)
    with written_whole(target.state_file) as beside:
        shutil.copyfile(source.state_file, beside)


def link_error_maps(source, target):
    """Puts the error maps of a folder into another one, beside its own.

    Args:
        source: A `RunFolder`.
        target: A `RunFolder`.

    Returns:
        Names of the files.
    """
    target.error_map_folder.mkdir(parents=True, exist_ok=True)
    names = {path.name for path in source.error_map_folder.glob("*.npy")}
    for name in sorted(names):
        copy = target.error_map_folder / name
        copy.unlink(missing_ok=True)
        try:
            os.link(source.error_map_folder / name, copy)
        except OSError:
            # Not every file system has links.
            shutil.copyfile(source.error_map_folder / name, copy)
    return names


def _open(path):
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            path,
            f"is no checkpoint to resume from ({error})",
            "Start a new run in another folder",
        ) from error


def _variables(model):
    """All that training changes, dropout's random state included."""
    found = {}
    for variable in [*model.variables, *model.optimizer.variables]:
        found.setdefault(id(variable), variable)
    return list(found.values())


def _value(variable):
    value = variable.value
    return value.numpy() if hasattr(value, "numpy") else np.asarray(value)
