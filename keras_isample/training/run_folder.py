"""Where a run keeps what, and what a later command needs from it."""

import contextlib
import datetime
import json
import os
import platform
import shutil
from importlib import metadata
from pathlib import Path

from keras_isample.config import Config
from keras_isample.config import read_settings
from keras_isample.data.layout import shorten
from keras_isample.errors import InputError
from keras_isample.models.loading import MODEL_FILE
from keras_isample.processor import describe_processor
from keras_isample.processor import instruction_set
from keras_isample.processor import processor_name
from keras_isample.processor import usable_cores
from keras_isample.processor import uses_onednn
from keras_isample.version import __version__
from keras_isample.volumes.files import remove_unfinished
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
        self.model_file = self.path / MODEL_FILE
        self.state_file = self.path / "checkpoint" / "state.npz"
        self.error_map_folder = self.path / "checkpoint" / "error_maps"
        self.concurrent_folder = self.path / "checkpoint" / "concurrent"
        self.history_file = self.path / "history.csv"
        self.saved_error_maps = self.path / "error_maps"
        self.autolr_file = self.path / "autolr.json"
        self.replayed_file = self.path / "replayed.json"
        self.figure_folder = self.path / "figures"
        self.log_folder = self.path / "logs"
        self.life_file = self.path / "life.json"
        self.candidate_folder = self.path / "checkpoint" / "candidates"
        self._replaced = self.path / ".replaced"

    @property
    def best(self):
        """Where a member's state at its best epoch is kept."""
        return RunFolder(self.path / "best")

    def member(self, period, member):
        """Where a member of a population trains in a period, from 0."""
        return RunFolder(
            self.members / f"period-{period:03d}" / f"member-{member}"
        )

    @property
    def start(self):
        """Where the state before the first epoch of a population is kept."""
        return RunFolder(self.members / "start")

    @property
    def members(self):
        """Folder of all members of a population."""
        return self.path / "checkpoint" / "members"

    def candidate(self, epoch):
        """Model of an epoch that may turn out to be the best."""
        return self.candidate_folder / f"epoch-{epoch:06d}.keras"

    def keep_candidates(self, epochs):
        """Removes the candidates of all other epochs."""
        kept = {self.candidate(epoch) for epoch in epochs}
        for path in self.candidate_folder.glob("*.keras"):
            if path not in kept:
                path.unlink()

    def evaluation(self, split):
        """Folder of the evaluation of a part of the data."""
        return self.path / "evaluation" / split

    def create(self, config, manifest, *, overwrite=False):
        """Makes the folder of a new run.

        A run that is overwritten is set aside, until `undo` brings it back or
        `remove_replaced` removes it.

        Args:
            config: Its `Config`.
            manifest: JSON-compatible dictionary.
            overwrite: Whether a run that is there may be replaced.

        Raises:
            InputError: If the folder holds anything else.
        """
        self.check_new(overwrite)
        if self._is_occupied():
            self._set_aside()
        # Alone and first: a folder with a configuration can be resumed.
        write_text(self.config_file, config.to_toml())
        self.reopen(config, manifest)

    def check_new(self, overwrite=False):
        """Refuses a folder in which no run can be made.

        Args:
            overwrite: Whether a run that is there may be replaced.

        Raises:
            InputError: If the folder holds anything else.
        """
        if not self._is_occupied():
            return
        if not overwrite:
            raise InputError(
                self.path,
                "exists already",
                "Continue it with `resume=True`, or choose another `run`, or "
                "allow `overwrite=True`",
            )
        if not self._is_run():
            raise InputError(
                self.path,
                "exists and is no run, so it is not replaced",
                "Choose another `run`",
            )

    def reopen(self, config, manifest):
        """Completes and tidies the folder of a run that may have been killed.

        Args:
            config: Its `Config`, perhaps with another number of epochs.
            manifest: Used if it has none yet.
        """
        self.keep_config(config)
        if not self.manifest_file.exists():
            text = json.dumps(manifest, indent=1) + "\n"
            write_text(self.manifest_file, text)
        self.state_file.parent.mkdir(exist_ok=True)
        remove_unfinished(self.path)
        remove_unfinished(self.state_file.parent)
        remove_unfinished(self.candidate_folder)

    def keep_config(self, config):
        """Writes `config.toml`, unless it says the same.

        Args:
            config: The run's `Config`.
        """
        if self.config_file.read_text(encoding="utf-8") != config.to_toml():
            write_text(self.config_file, config.to_toml())

    def has_begun(self):
        """Whether any epoch has ended, of a member if it is a population."""
        return self.history_file.exists() or any(
            self.members.glob("period-*/member-*/history.csv")
        )

    def undo(self):
        """Takes `create` back, with what it had set aside."""
        for entry in self._entries():
            _remove(entry)
        if self._replaced.is_dir():
            for entry in self._replaced.iterdir():
                os.rename(entry, self.path / entry.name)
            self._replaced.rmdir()
        with contextlib.suppress(OSError):
            self.path.rmdir()

    def remove_replaced(self):
        """Removes what `create` has set aside."""
        shutil.rmtree(self._replaced, ignore_errors=True)

    def _is_occupied(self):
        # Hidden files may be left from a run that was killed in `create`.
        return self.path.exists() and (
            not self.path.is_dir() or bool(self._entries())
        )

    def _is_run(self):
        # A run that was killed in `create` may have nothing but its settings.
        begun = {self.config_file, self.state_file.parent}
        return self.config_file.is_file() and (
            self.manifest_file.is_file() or begun.issuperset(self._entries())
        )

    def _entries(self):
        return [p for p in self.path.iterdir() if not p.name.startswith(".")]

    def _set_aside(self):
        self.remove_replaced()
        self._replaced.mkdir()
        # The configuration last: until then the folder counts as a run.
        for entry in sorted(self._entries(), key=self.config_file.__eq__):
            os.rename(entry, self._replaced / entry.name)

    def manifest(self):
        """What `manifest.json` holds."""
        return json.loads(self.manifest_file.read_text(encoding="utf-8"))

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
        settings, data_path = read_settings(self.config_file, of_run=True)
        if data_path is None:
            raise InputError(
                self.config_file, "names no data set", "Restore the file"
            )
        # All settings are written; a run without this one is older than it.
        settings.setdefault("normalization_batches", 0)
        settings.setdefault("error_map_share", "none")
        settings.setdefault("validation_share", "none")
        return Config.from_settings(data_path, settings)

    def check_cases(self, cases, source):
        """Compares the cases of the data with those that the run began with.

        Args:
            cases: Dictionary from part (train, ...) to names of cases.
            source: The data set.

        Raises:
            InputError: If they are others, or other parts.
        """
        known = _part_of_each(self.manifest().get("cases", cases))
        found = _part_of_each(cases)
        moved = {
            name: part
            for name, part in found.items()
            if known.get(name, part) != part
        }
        changes = [
            ("missing", sorted(known.keys() - found.keys())),
            ("new", sorted(found.keys() - known.keys())),
        ]
        if not any(names for _, names in changes):
            for part in sorted(set(moved.values())):
                names = sorted(n for n, p in moved.items() if p == part)
                changes.append((f"now {part} cases", names))
        self._refuse_changed(changes, source)

    def check_data(self, fingerprint, contents=None, source=None):
        """Notes the fingerprint of the data, or compares it on resuming.

        Args:
            fingerprint: Of all cases that are trained and validated with.
            contents: Dictionary from their names to fingerprints of each.
            source: The data set.

        Raises:
            InputError: If the data are not those that the run began with.
        """
        manifest = self.manifest()
        known = manifest.get("data_fingerprint")
        if known is None:
            self.update_manifest(
                data_fingerprint=fingerprint, case_fingerprints=contents or {}
            )
        elif known != fingerprint:
            before = manifest.get("case_fingerprints", {})
            changed = sorted(
                name
                for name, content in (contents or {}).items()
                if before.get(name, content) != content
            )
            self._refuse_changed([("changed", changed or ["cases"])], source)

    def _refuse_changed(self, changes, source):
        """Names what is different: pairs of a word and names of cases."""
        told = [f"{word}: {shorten(names)}" for word, names in changes if names]
        if told:
            raise InputError(
                source or self.path,
                f"the data have changed since {self.path} began ("
                f"{'; '.join(told)})",
                "Give the unchanged data with `data_path`, or start a new run",
            )

    def cases(self, part):
        """Names of the run's cases in a part of its data."""
        return self.manifest()["cases"][part]

    def update_manifest(self, **facts):
        """Adds facts to `manifest.json`."""
        manifest = self.manifest() | facts
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
        "device": describe_processor(),
        "processor": {
            "name": processor_name(),
            "cores": usable_cores(),
            "instruction_set": instruction_set(),
            "onednn": uses_onednn(),
        },
        "seed": seed,
        "started": _now(),
        "command_line": list(command_line),
        "classes": list(cohorts["train"].class_names),
        "cases": {
            part: [case.name for case in cohort.cases]
            for part, cohort in cohorts.items()
        },
    }


def _part_of_each(cases):
    """Dictionary from case to part."""
    return {name: part for part, names in cases.items() for name in names}


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def finished_now():
    """Facts for the manifest of a run that has ended."""
    return {"finished": _now()}


def _now():
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
