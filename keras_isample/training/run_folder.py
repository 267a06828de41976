"""Where a run keeps what, and what a later command needs from it."""

import datetime
import json
import os
import platform
from importlib import metadata
from pathlib import Path

from keras_isample.config import Config
from keras_isample.config import read_settings
from keras_isample.errors import InputError
from keras_isample.version import __version__
from keras_isample.volumes.files import write_text


class RunFolder:
    """The files of one run (see the README for what each holds).

    Args:
        path: The folder.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.config_file = self.path / "config.toml"
        self.manifest_file = self.path / "manifest.json"
        self.model_file = self.path / "model.keras"
        self.state_file = self.path / "checkpoint" / "state.npz"
        self.error_map_folder = self.path / "checkpoint" / "error_maps"
        self.history_file = self.path / "history.csv"
        self.saved_error_maps = self.path / "error_maps"

    def evaluation(self, split):
        """Folder of the evaluation of a part of the data."""
        return self.path / "evaluation" / split

    def create(self, config, manifest):
        """Makes a new folder; refuses one that holds a run.

        Raises:
            InputError: If the folder holds anything.
        """
        if self.path.exists() and (
            not self.path.is_dir() or any(self.path.iterdir())
        ):
            raise InputError(
                self.path,
                "exists already",
                "Continue it with --resume, or choose another --run, or allow "
                "--overwrite",
            )
        self.state_file.parent.mkdir(parents=True)
        write_text(self.manifest_file, json.dumps(manifest, indent=1) + "\n")
        # Last: a folder with a configuration can be resumed.
        write_text(self.config_file, config.to_toml())

    def config(self):
        """The run's `Config`.

        Raises:
            InputError: If the folder holds no run.
        """
        if not self.config_file.is_file():
            raise InputError(
                self.path,
                "holds no run (no config.toml)",
                "Give the folder that fit wrote",
            )
        settings, data_path = read_settings(self.config_file)
        return Config.from_settings(data_path, settings)

    def update_manifest(self, **facts):
        """Adds facts to `manifest.json`."""
        manifest = json.loads(self.manifest_file.read_text(encoding="utf-8"))
        manifest |= facts
        write_text(self.manifest_file, json.dumps(manifest, indent=1) + "\n")


def new_manifest(cohorts, seed, command_line):
    """What to know about a run later on.

    Args:
        cohorts: Dictionary from part (train, ...) to `Cohort`.
        seed: The run's seed.
        command_line: List of strings.
    """
    import keras

    versions = {
        "keras_isample": __version__,
        "python": platform.python_version(),
    }
    for package in ("keras", "tensorflow", "numpy", "scipy", "nibabel"):
        versions[package] = metadata.version(package)
    return {
        "versions": versions,
        "backend": keras.backend.backend(),
        "device": f"{platform.machine()}, {os.cpu_count()} cores",
        "seed": seed,
        "started": _now(),
        "command_line": list(command_line),
        "classes": list(cohorts["train"].class_names),
        "cases": {
            part: [case.name for case in cohort.cases]
            for part, cohort in cohorts.items()
        },
    }


def finished_now():
    """Facts for the manifest of a run that has ended."""
    return {"finished": _now()}


def _now():
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
