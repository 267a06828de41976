"""Every setting of a run: one field, one option, one line of `config.toml`.

Defaults are the papers' where they give one. A field has the type that its
annotation says; what is written otherwise, as text or as a list, is converted.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from dataclasses import replace
from typing import Any

from keras_isample.config.autolr import AutoLRConfig
from keras_isample.config.conflicts import refuse_conflicts
from keras_isample.config.data import VOLUME_SPACING
from keras_isample.config.data import DataConfig
from keras_isample.config.loss import LossConfig
from keras_isample.config.network import NetworkConfig
from keras_isample.config.optimizer import OptimizerConfig
from keras_isample.config.sampling import SamplingConfig
from keras_isample.config.training import TrainingConfig
from keras_isample.errors import InputError

GROUPS = {
    "data": DataConfig,
    "sampling": SamplingConfig,
    "network": NetworkConfig,
    "loss": LossConfig,
    "optimizer": OptimizerConfig,
    "autolr": AutoLRConfig,
    "training": TrainingConfig,
}

FIELDS = {
    entry.name: entry for group in GROUPS.values() for entry in fields(group)
}
"""The field of each setting."""

AUTOLR_WARMUP = 10
"""Epochs of warm-up in the AutoLR paper."""


@dataclass(frozen=True)
class Config:
    """All settings of a run, and the data it reads."""

    data_path: str
    data: DataConfig = field(default_factory=DataConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    autolr: AutoLRConfig = field(default_factory=AutoLRConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self):
        refuse_conflicts(self)

    @classmethod
    def from_settings(cls, data_path, settings: Mapping[str, Any]) -> "Config":
        """From a flat dictionary of settings.

        Args:
            data_path: The data set.
            settings: Python values, or texts as on the command line.

        Raises:
            InputError: If a setting is unknown or its value out of range, or
                if settings contradict each other.

        Example:
        >>> Config.from_settings("scans/", {"spacing": (4, 4, 4), "epochs": 9})
        """
        settings = dict(settings)
        if settings.get("learning_rate") == "auto":
            settings.setdefault("warmup_epochs", AUTOLR_WARMUP)
        groups = {}
        for name, group in GROUPS.items():
            given = [e.name for e in fields(group) if e.name in settings]
            groups[name] = group(**{k: settings.pop(k) for k in given})
        if settings:
            raise InputError(
                "configuration",
                f"unknown setting {sorted(settings)[0]!r}",
                "See keras-isample fit --help-all",
            )
        network, loss = groups["network"], groups["loss"]
        if network.network == "dual-path" and network.patch_size == "auto":
            groups["network"] = replace(network, patch_size=network.side(None))
        data = groups["data"]
        if data.spacing == "auto" and network.sees_slices is not None:
            known = "native" if network.sees_slices else VOLUME_SPACING
            groups["data"] = replace(data, spacing=known)
        epochs = groups["training"].epochs
        if loss.is_divided_evenly and len(loss.names) <= epochs:
            # With epochs it stays as it is when a run is made longer.
            stages = tuple(loss.stages(epochs))
            groups["loss"] = replace(loss, loss_schedule=stages)
        return cls(str(data_path), **groups)

    def settings(self) -> dict[str, Any]:
        """All settings as a flat dictionary."""
        return {
            entry.name: getattr(getattr(self, group), entry.name)
            for group in GROUPS
            for entry in fields(GROUPS[group])
        }

    def differences(self, written: "Config") -> dict[str, tuple[Any, Any]]:
        """Settings here and in a run's `config.toml`, where they differ.

        What is left to the images or the machine here, a run has written as
        they decided.
        """
        own = {"data": self.data_path, **self.settings()}
        theirs = {"data": written.data_path, **written.settings()}
        found = [name for name in own if own[name] != theirs[name]]
        decided = {}
        if self.network.sees_slices is None:
            decided["axis"] = "auto"
            if self.data.spacing == "auto":
                decided["spacing"] = theirs["spacing"]
        for name in ("mixed_precision", "tile_memory"):
            if own[name] == "auto":
                decided[name] = theirs[name]
        found = [
            n for n in found if n not in decided or decided[n] != theirs[n]
        ]
        if self.sampling.sample_from == "auto":
            # What the share allows, a run has found out.
            found = [name for name in found if name != "sample_from"]
        return {name: (own[name], theirs[name]) for name in found}

    def to_toml(self) -> str:
        """The text of `config.toml`."""
        lines = [f"data = {_toml_value(self.data_path)}"]
        settings = self.settings()
        for name, group in GROUPS.items():
            lines += ["", f"[{name}]"] if name != "data" else ["", "[cases]"]
            for entry in fields(group):
                value = _toml_value(settings[entry.name])
                lines.append(f"{entry.name} = {value}")
        return "\n".join(lines) + "\n"


def _toml_value(value):
    # TOML has no null.
    value = "" if value is None else value
    # It knows JSON's escapes, but no halves of characters.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
