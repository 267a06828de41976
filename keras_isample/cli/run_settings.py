"""Settings of a run from options, files and presets, or from the run itself."""

import os

from keras_isample.cli.arguments import check_inputs
from keras_isample.cli.loading import loading_keras
from keras_isample.cli.unused_options import refuse_unused
from keras_isample.config import FIELDS
from keras_isample.config import PRESETS
from keras_isample.config import Config
from keras_isample.config import read_settings
from keras_isample.config.settings import text_of
from keras_isample.config.spelling import option_name
from keras_isample.errors import InputError

_MAY_CHANGE = (
    "cache",
    "epochs",
    "executor",
    "gpus_per_member",
    "ray_address",
    "max_restarts",
)
"""Settings that do not change what is trained, and the length."""


def new_config(config_file, preset, data_path, chosen, reporter):
    """Settings of a new run; options win over the file, the file over presets.

    Args:
        config_file: Path of a `.toml` or `.json` file, or `None`.
        preset: Name of a preset, or `None`.
        data_path: The data set. By default the file's; if that names none, the
            built-in phantom, which is drawn the first time.
        chosen: Settings given as options.
        reporter: The `Reporter` that shows how far that is.

    Returns:
        A `Config` with absolute paths.

    Raises:
        InputError: If a setting is wrong or a path is not there.
    """
    settings = dict(PRESETS[preset]) if preset else {}
    if config_file:
        from_file, path_in_file = read_settings(config_file)
        settings |= from_file
        data_path = data_path or path_in_file
    settings |= chosen
    # Drawing takes its time; wrong settings are refused before.
    refuse_unused(Config.from_settings(data_path or "", settings), chosen)
    if data_path is None:
        settings.setdefault("labels", ("kidney",))
        data_path = _built_in_phantom(reporter)
    for name in ("cache", "init_from"):
        if settings.get(name):
            settings[name] = os.path.abspath(settings[name])
    config = _checked(
        Config.from_settings(os.path.abspath(data_path), settings)
    )
    if config.network.init_from:
        check_inputs(config.network.init_from, [])
    return config


def resumed_config(run, config_file, preset, data_path, chosen, reporter):
    """Settings of a run that goes on.

    Args:
        run: Its folder, or `None`.
        config_file, preset: What names other settings, refused.
        data_path: Where the data are now, if they have been moved.
        chosen: Settings given as options, which may name a new length.
        reporter: The `Reporter` that shows how far that is.

    Returns:
        A `Config`.

    Raises:
        InputError: If there is no such run, or it was begun with others.
    """
    if not run:
        raise InputError("--resume", "needs --run", "Name the run to continue")
    if config_file or preset:
        raise InputError(
            "--resume",
            "takes its settings from the run",
            "Leave --config and --preset away",
        )
    check_inputs(run, [data_path] if data_path else [])
    if chosen.get("cache"):
        chosen = {**chosen, "cache": os.path.abspath(chosen["cache"])}
    with loading_keras(reporter, training=True):
        from keras_isample.training.run_folder import RunFolder
    config = RunFolder(run).config()
    settings = config.settings()
    changed = [
        key
        for key, value in chosen.items()
        if settings[key] != value and key not in _MAY_CHANGE
    ]
    if changed:
        name = changed[0]
        raise InputError(
            option_name(name),
            f"is {text_of(FIELDS[name], settings[name]) or 'not set'} in {run}",
            "Only --epochs, --data, --cache and where members train may change "
            "with --resume",
        )
    if data_path:
        data_path = os.path.abspath(data_path)
    elif not os.path.exists(config.data_path):
        raise InputError(
            config.data_path,
            "is not there any more",
            "If the data have been moved, name their new place with --data",
        )
    resumed = Config.from_settings(
        data_path or config.data_path, settings | chosen
    )
    refuse_unused(resumed, chosen)
    return resumed


def _built_in_phantom(reporter):
    """The default data set, drawn once and kept in the cache."""
    from keras_isample.data.cache import default_cache
    from keras_isample.data.phantom import write_phantom

    path = default_cache() / "phantom"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with reporter.phase("drawing scans") as phase:
            write_phantom(path, progress=phase)
    return path


def _checked(config):
    """Refuses a data set that is not there before Keras is loaded."""
    if not os.path.exists(config.data_path):
        raise InputError(
            config.data_path, "does not exist", "Give a data set with --data"
        )
    return config
