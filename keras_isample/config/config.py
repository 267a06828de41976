"""Every setting of a run: one field, one option, one line of `config.toml`.

Defaults are the papers' where they give one. Where a field has `choices`, only
these are accepted; what is not listed here is not implemented.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from dataclasses import replace
from typing import Any

from keras_isample.config.autolr import AutoLRConfig
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
        self._check_autolr()
        self._check_end()
        starts = [start for _, start in self.loss.stages(self.training.epochs)]
        if starts[-1] >= self.training.epochs:
            raise InputError(
                "--loss-schedule",
                f"has a loss from epoch {starts[-1]} on, and there are "
                f"{self.training.epochs} epochs",
                "Use more --epochs, or a shorter schedule",
            )
        if (
            self.network.network == "dual-path"
            and self.sampling.augmentation == "cardiac"
        ):
            raise InputError(
                "--augmentation",
                "is cardiac, which is for slices, and dual-path sees volumes",
                "Leave it away, or use --network unet",
            )
        self._check_shares()
        sampling = self.sampling
        if sampling.error_maps == "online":
            if sampling.error_map_cases != "all":
                raise InputError(
                    "--error-map-cases",
                    "chooses scans to predict, and online predicts none",
                    "Leave it away, or use --error-maps epoch",
                )
        if sampling.error_maps == "concurrent":
            if sampling.error_map_cases != "all":
                raise InputError(
                    "--error-map-cases",
                    "chooses scans of an update, and concurrent goes round all",
                    "Leave it away, or use --error-maps epoch",
                )

    def _check_shares(self):
        """That error maps and validation leave time for training."""
        maps = self.sampling.map_share or 0.0
        validation = self.training.bound_validation_share or 0.0
        if maps + validation >= 1:
            raise InputError(
                "--error-map-share",
                f"is {maps:g} and --validation-share {validation:g}, which "
                "leaves nothing for training",
                "Use smaller shares",
            )

    def _check_autolr(self):
        if not self.optimizer.is_auto:
            return
        every = self.training.fixed_validate_every
        if every is not None and every > self.autolr.period:
            raise InputError(
                "--validate-every",
                f"is longer than a period of {self.autolr.period} epochs",
                "Members are compared by their validation Dice: use 1",
            )
        if self.sampling.error_maps == "concurrent":
            raise InputError(
                "--error-maps",
                "concurrent is not there with --learning-rate auto",
                "Use --error-maps epoch or online",
            )
        if self.training.save_error_maps:
            raise InputError(
                "--save-error-maps",
                "is not there with --learning-rate auto",
                "Leave it away",
            )
        if self.autolr.ray_address and self.autolr.executor not in (
            "auto",
            "ray",
        ):
            raise InputError(
                "--ray-address",
                f"means nothing with --executor {self.autolr.executor}",
                "Leave one of them away",
            )

    def _check_end(self):
        """What early stopping and refitting do not go with."""
        training = self.training
        for option, given in (
            ("--refit", training.refit),
            ("--early-stopping", training.early_stopping > 0),
        ):
            if given and self.optimizer.is_auto:
                raise InputError(
                    option,
                    "is not there with --learning-rate auto, whose members "
                    "are compared by their validation",
                    "Leave it away, or give --learning-rate a number",
                )
        if training.refit and training.early_stopping:
            raise InputError(
                "--early-stopping",
                "needs validation cases, and --refit trains on them",
                "Leave one of them away",
            )

    @classmethod
    def from_settings(cls, data_path, settings: Mapping[str, Any]) -> "Config":
        """From a flat dictionary of settings.

        Raises:
            InputError: If a setting is unknown or its value out of range.
        """
        settings = dict(settings)
        if settings.get("learning_rate") == "auto":
            settings.setdefault("warmup_epochs", AUTOLR_WARMUP)
        groups = {}
        for name, group in GROUPS.items():
            known = {entry.name for entry in fields(group)}
            groups[name] = group(
                **{k: settings.pop(k) for k in known & settings.keys()}
            )
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
        if "->" in loss.loss_schedule:
            # Written out, it stays as it is when a run is made longer.
            stages = loss.stages(groups["training"].epochs)
            text = ", ".join(f"{name}:{start}" for name, start in stages)
            groups["loss"] = replace(loss, loss_schedule=text)
        return cls(str(data_path), **groups)

    def settings(self) -> dict[str, Any]:
        """All settings as a flat dictionary."""
        return {
            key: value
            for name in GROUPS
            for key, value in dataclasses.asdict(getattr(self, name)).items()
        }

    def differences(self, written: "Config") -> dict[str, tuple[Any, Any]]:
        """Settings here and in a run's `config.toml`, where they differ.

        What is left to the images or the processor here, a run has written
        as they decided.
        """
        own = {"data": self.data_path, **self.settings()}
        theirs = {"data": written.data_path, **written.settings()}
        found = [name for name in own if own[name] != theirs[name]]
        decided = {}
        if self.network.sees_slices is None:
            decided["axis"] = "auto"
            if self.data.spacing == "auto":
                decided["spacing"] = theirs["spacing"]
        if self.training.mixed_precision == "auto":
            decided["mixed_precision"] = theirs["mixed_precision"]
        found = [n for n in found if decided.get(n) != theirs[n]]
        if self.sampling.sample_from == "auto":
            # What the share allows, a run has found out.
            found = [name for name in found if name != "sample_from"]
        return {name: (own[name], theirs[name]) for name in found}

    def to_toml(self) -> str:
        """The text of `config.toml`."""
        lines = [f"data = {_toml_value(self.data_path)}"]
        for name in GROUPS:
            lines += ["", f"[{name}]"] if name != "data" else ["", "[cases]"]
            for key, value in dataclasses.asdict(getattr(self, name)).items():
                lines.append(f"{key} = {_toml_value(value)}")
        return "\n".join(lines) + "\n"


def _toml_value(value):
    # TOML knows JSON's escapes, but no halves of characters.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
