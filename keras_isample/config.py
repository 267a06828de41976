"""Every setting of a run: one field, one option, one line of `config.toml`.

Defaults are the papers' where they give one. Where a field has `choices`, only
these are accepted; what is not listed here is not implemented.
"""

import dataclasses
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from pathlib import Path
from typing import Any

from keras_isample.errors import InputError


def _setting(default, help_text, choices=None):
    return field(
        default=default, metadata={"help": help_text, "choices": choices}
    )


def _numbers(text, name, example, kind=float, separator=","):
    """Parses as many numbers as an example has."""
    count = len(example.split(separator))
    try:
        values = tuple(kind(part) for part in text.split(separator))
    except ValueError:
        values = ()
    if len(values) != count:
        raise InputError(
            _option(name),
            f"expects {count} numbers separated by {separator!r}, got {text!r}",
            f"Write it like {example}",
        )
    return values


def _option(name):
    return "--" + name.replace("_", "-")


def _check_range(config, name, low, high=None, *, above=False):
    value = getattr(config, name)
    good = math.isfinite(value) and (value > low if above else value >= low)
    if not good or (high is not None and value > high):
        limits = f"{'more than' if above else 'at least'} {low:g}"
        if high is not None:
            limits += f" and at most {high:g}"
        raise InputError(
            _option(name), f"must be {limits}, got {value:g}", "Change it"
        )


class _Group:
    """Checks of choices and types that all groups share."""

    def __post_init__(self):
        for entry in fields(self):
            value = getattr(self, entry.name)
            choices = entry.metadata["choices"]
            if choices and value not in choices:
                raise InputError(
                    _option(entry.name),
                    f"{value!r} is not known",
                    f"Choose from {', '.join(map(str, choices))}",
                )
            if not _fits(value, entry.type):
                raise InputError(
                    _option(entry.name),
                    f"expects {entry.type}, got {value!r}",
                    "Correct the value",
                )
            if entry.type in ("float", "float | str") and isinstance(
                value, int
            ):
                object.__setattr__(self, entry.name, float(value))
        self._check()

    def _check(self):
        """Checks that concern one group."""


@dataclass(frozen=True)
class DataConfig(_Group):
    """Which scans, and how they are prepared."""

    labels: "str" = _setting(
        "",
        "Structures to learn, by name; left and right are merged unless named. "
        "Default: all (VISCERAL: the papers' ten).",
    )
    modality: "str" = _setting("CTce_ThAb", "Modality of VISCERAL volumes.")
    spacing: "str" = _setting(
        "1,1,1.5", 'Training spacing in mm, or "native" to keep each scan\'s.'
    )
    intensity: "str" = _setting(
        "ct",
        "ct: clip to [-1000, 1000] HU, divide by 218. zscore: for MR.",
        ("ct", "zscore"),
    )
    partial: "str" = _setting(
        "exclude",
        "Training cases where a chosen structure was not annotated: left out, "
        "or trained on with the structure as background.",
        ("exclude", "background"),
    )
    split: "str" = _setting(
        "0.7,0.1,0.2",
        "Shares or numbers of training, validation and test cases; a split "
        "given by the data wins.",
    )
    fold: "str" = _setting("", "K/N: fold K of N-fold cross-validation.")
    seed: "int" = _setting(0, "Seed of split, weights, sampling and dropout.")
    split_seed: "str" = _setting(
        "", "Another seed for the split, so that --seed leaves it as it is."
    )
    cache: "str" = _setting(
        "", "Folder for prepared scans. Default: ~/.cache/keras-isample."
    )

    def _check(self):
        _ = self.spacing_mm, self.shares, self.fold_of, self.seed_of_split
        _check_range(self, "seed", 0, 2**31 - 1)

    @property
    def label_names(self):
        """Labels as a list, or `None` for all."""
        names = [name.strip() for name in self.labels.split(",")]
        return [name for name in names if name] or None

    @property
    def spacing_mm(self):
        """Spacing as three floats, or `None` for native."""
        if self.spacing == "native":
            return None
        values = _numbers(self.spacing, "spacing", "1,1,1.5")
        if not all(0 < value < 1000 for value in values):
            raise InputError(
                "--spacing",
                f"must be positive lengths in mm, got {self.spacing}",
                "Write it like 1,1,1.5",
            )
        return values

    @property
    def shares(self):
        """Training, validation and test share."""
        values = _numbers(self.split, "split", "0.7,0.1,0.2")
        if not all(0 <= v < math.inf for v in values) or not any(values):
            raise InputError(
                "--split",
                f"must be shares or numbers of cases, got {self.split}",
                "Write it like 0.7,0.1,0.2",
            )
        return values

    @property
    def fold_of(self):
        """`(k, n)`, or `None`."""
        if not self.fold:
            return None
        return _numbers(self.fold, "fold", "1/5", int, "/")

    @property
    def seed_of_split(self):
        """Seed of the split: `seed` unless it has its own."""
        if not self.split_seed:
            return self.seed
        if not self.split_seed.isdecimal():
            raise InputError(
                "--split-seed",
                f"must be a whole number of at least 0, got {self.split_seed}",
                "Correct the value",
            )
        return int(self.split_seed)


@dataclass(frozen=True)
class SamplingConfig(_Group):
    """Where patches are drawn (Algorithm 1)."""

    sampling: "str" = _setting(
        "isample",
        "isample: where the network is wrong. uniform: everything accepted.",
        ("isample", "uniform"),
    )
    epsilon: "float" = _setting(0.01, "Slack of E(c) > U(0,1) - epsilon.")
    error_maps: "str" = _setting(
        "epoch",
        "epoch: whole scans are predicted after each epoch. online: the maps "
        "are made of the errors of the training patches themselves.",
        ("epoch", "online"),
    )
    error_map_cases: "str" = _setting(
        "all", "Cases whose maps each update makes: all, or a number."
    )
    sample_from: "str" = _setting(
        "refreshed",
        "Draw from the cases of the last update, or from all.",
        ("refreshed", "all"),
    )
    batch_size: "int" = _setting(12, "Patches per step.")
    cases_per_batch: "str" = _setting(
        "all", "Cases in a batch: all, or a number."
    )
    augment: "bool" = _setting(True, "Rotate patches and vary their spacing.")
    spacing_jitter: "float" = _setting(
        0.1, "Largest change of spacing, times the finest spacing."
    )

    def _check(self):
        _check_range(self, "epsilon", 0, 1)
        _check_range(self, "batch_size", 1)
        _check_range(self, "spacing_jitter", 0, 0.9)
        _ = self.num_error_map_cases, self.num_cases_per_batch

    @property
    def num_error_map_cases(self):
        """Number, or `None` for all."""
        return _number_or_all(self, "error_map_cases")

    @property
    def num_cases_per_batch(self):
        """Number, or `None` for all."""
        return _number_or_all(self, "cases_per_batch")


@dataclass(frozen=True)
class NetworkConfig(_Group):
    """The model."""

    network: "str" = _setting("dual-path", "Network.", ("dual-path",))
    width: "float" = _setting(1.0, "Factor of all numbers of maps.")
    patch_size: "int" = _setting(
        8, "Side of the labeled patch in voxels, a multiple of 4."
    )

    def _check(self):
        _check_range(self, "width", 0, above=True)
        if self.patch_size < 4 or self.patch_size % 4:
            raise InputError(
                "--patch-size",
                f"must be a positive multiple of 4, got {self.patch_size}",
                f"Use {max(4, 4 * round(self.patch_size / 4))}",
            )


@dataclass(frozen=True)
class OptimizerConfig(_Group):
    """Loss, rate and its schedule."""

    loss: "str" = _setting("ce", "ce: cross-entropy.", ("ce",))
    learning_rate: "float | str" = _setting(
        0.01, "Learning rate after warm-up; auto: AutoLR finds it."
    )
    lr_schedule: "str" = _setting(
        "constant",
        "constant; step:EVERY:FACTOR (times FACTOR every EVERY epochs); "
        "poly:POWER; cosine; replay:RUN/autolr.json (what AutoLR found).",
    )
    warmup_epochs: "int" = _setting(
        5,
        "Linear warm-up at the start and after every change of the rate; with "
        "--learning-rate auto 10 by default.",
    )
    optimizer: "str" = _setting(
        "sgd",
        "sgd: Nesterov momentum 0.8; adam; adamw.",
        ("sgd", "adam", "adamw"),
    )
    weight_decay: "float" = _setting(
        1e-4, "L2 factor in the loss (sgd, adam), or decoupled (adamw)."
    )

    def _check(self):
        if not self.is_auto:
            _check_range(self, "learning_rate", 0, above=True)
        _check_range(self, "warmup_epochs", 0)
        _check_range(self, "weight_decay", 0)
        kind, _ = self.schedule
        if self.is_auto and kind != "constant":
            raise InputError(
                "--lr-schedule",
                f"is {self.lr_schedule}, but the rate is found by AutoLR",
                "Leave it away, or give --learning-rate a number",
            )

    @property
    def is_auto(self):
        """Whether AutoLR finds the rate."""
        return self.learning_rate == "auto"

    @property
    def schedule(self):
        """Kind of the hand schedule, and its parameters.

        `("constant", ())`, `("step", (every, factor))`, `("poly", (power,))`,
        `("cosine", ())` or `("replay", (path,))`.
        """
        kind, _, rest = self.lr_schedule.partition(":")
        try:
            return kind, _SCHEDULES[kind](rest)
        except (KeyError, ValueError):
            raise InputError(
                "--lr-schedule",
                f"{self.lr_schedule!r} is not known",
                "Use constant, step:EVERY:FACTOR such as step:25:0.5, "
                "poly:POWER such as poly:0.9, cosine, or "
                "replay:RUN/autolr.json",
            ) from None


def _nothing(text):
    if text:
        raise ValueError
    return ()


def _step(text):
    every, factor = text.split(":")
    every, factor = int(every), float(factor)
    if every < 1 or not 0 < factor < math.inf:
        raise ValueError
    return every, factor


def _power(text):
    power = float(text)
    if not 0 < power < math.inf:
        raise ValueError
    return (power,)


def _path(text):
    if not text:
        raise ValueError
    return (text,)


_SCHEDULES = {
    "constant": _nothing,
    "step": _step,
    "poly": _power,
    "cosine": _nothing,
    "replay": _path,
}


@dataclass(frozen=True)
class AutoLRConfig(_Group):
    """The population with --learning-rate auto (Algorithm 2)."""

    population: "str" = _setting(
        "0.05,0.01,0.005", "AutoLR: rates of the first population."
    )
    factors: "str" = _setting(
        "2,1,0.5", "AutoLR: the best rate times these are the next rates."
    )
    period: "int" = _setting(50, "AutoLR: epochs between two choices.")
    selection: "str" = _setting(
        "winner",
        "AutoLR: winner: the best member starts all of the next period; "
        "truncation: as in population-based training, the worst fifth is "
        "replaced by the best.",
        ("winner", "truncation"),
    )
    spawn_from: "str" = _setting(
        "last",
        "AutoLR: the next period starts from the weights at the end of the "
        "last one, or from its best epoch.",
        ("last", "best"),
    )
    executor: "str" = _setting(
        "auto",
        "AutoLR: serial: members take turns; process: one process for each "
        "group of GPUs or CPU threads; ray: on a Ray cluster; auto: ray with "
        "--ray-address, process with two GPUs or more, else serial.",
        ("auto", "serial", "process", "ray"),
    )
    gpus_per_member: "int" = _setting(
        0,
        "AutoLR: GPUs of a member; 0: all, divided by the members (ray: none).",
    )
    threads_per_member: "int" = _setting(
        0,
        "AutoLR: CPU threads of a member; 0: all, divided likewise (ray: 1).",
    )
    ray_address: "str" = _setting(
        "", "AutoLR: address of a running Ray cluster, such as auto."
    )
    max_restarts: "int" = _setting(
        2, "AutoLR: how often a member that died is started again in a period."
    )

    def _check(self):
        for name in ("population", "factors"):
            _ = self._positive(name)
        _check_range(self, "period", 1)
        for name in ("gpus_per_member", "threads_per_member", "max_restarts"):
            _check_range(self, name, 0)

    @property
    def rates(self):
        """Rates of the first population."""
        return self._positive("population")

    @property
    def rate_factors(self):
        """Factors of the winner's rate."""
        return self._positive("factors")

    def _positive(self, name):
        text = getattr(self, name)
        try:
            values = tuple(float(part) for part in text.split(","))
            if not all(0 < value < math.inf for value in values):
                raise ValueError
        except ValueError:
            raise InputError(
                _option(name),
                f"must be positive numbers, got {text!r}",
                "Write them like 2,1,0.5",
            ) from None
        return values


@dataclass(frozen=True)
class TrainingConfig(_Group):
    """How long, and what is kept."""

    epochs: "int" = _setting(50, "Epochs.")
    steps_per_epoch: "int" = _setting(100, "Steps per epoch.")
    validate_every: "int" = _setting(1, "Epochs between two validations.")
    validate_cases: "str" = _setting(
        "all", "Cases of each validation, the same ones: all, or a number."
    )
    mixed_precision: "str" = _setting(
        "none",
        "Type of the layers' arithmetic; softmax and loss stay float32.",
        ("none", "bfloat16", "float16"),
    )
    devices: "str" = _setting(
        "auto",
        "Devices that share each batch, such as gpu:0,gpu:1 or cpu. auto: all "
        "visible GPUs.",
    )
    tile_memory: "str" = _setting(
        "1GB", "Memory for the maps of one tile when whole scans are predicted."
    )
    save_error_maps: "bool" = _setting(
        False, "Write the last error maps as NIfTI to error_maps/."
    )

    def _check(self):
        _check_range(self, "epochs", 1)
        _check_range(self, "steps_per_epoch", 1)
        _check_range(self, "validate_every", 1)
        _ = self.tile_bytes, self.num_validate_cases

    @property
    def num_validate_cases(self):
        """Number, or `None` for all."""
        return _number_or_all(self, "validate_cases")

    @property
    def tile_bytes(self):
        """Tile memory in bytes."""
        return parse_bytes("--tile-memory", self.tile_memory)


GROUPS = {
    "data": DataConfig,
    "sampling": SamplingConfig,
    "network": NetworkConfig,
    "optimizer": OptimizerConfig,
    "autolr": AutoLRConfig,
    "training": TrainingConfig,
}

_KIDNEYS_2017 = {
    "labels": "kidney",
    "learning_rate": 0.001,
    "batch_size": 12,
    "cases_per_batch": "1",
    "steps_per_epoch": 100,
    "warmup_epochs": 5,
    "epsilon": 0.01,
    "split": "16,4,0",
}
PRESETS = {
    "kidneys-2017": _KIDNEYS_2017,
    "kidneys-2018": {**_KIDNEYS_2017, "batch_size": 20},
    "organs-2017": {
        "learning_rate": 0.05,
        "batch_size": 24,
        "cases_per_batch": "2",
        "steps_per_epoch": 200,
        "lr_schedule": "step:25:0.5",
        "split": "16,4,0",
    },
    "autolr-2018": {
        "learning_rate": "auto",
        "batch_size": 40,
        "cases_per_batch": "all",
        "steps_per_epoch": 100,
        "warmup_epochs": 10,
        "split": "14,2,4",
        "epsilon": 0.0,
    },
}
"""The papers' settings. Their hand schedules A and B, which `autolr-2018` was
compared with: `--learning-rate 0.05` and `0.025`, `--lr-schedule step:400:0.1`.
"""


AUTOLR_WARMUP = 10
"""Epochs of warm-up in the AutoLR paper."""


@dataclass(frozen=True)
class Config:
    """All settings of a run, and the data it reads."""

    data_path: str
    data: DataConfig = field(default_factory=DataConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    autolr: AutoLRConfig = field(default_factory=AutoLRConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

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
                "See keras-isample fit --help",
            )
        return cls(str(data_path), **groups)

    def settings(self) -> dict[str, Any]:
        """All settings as a flat dictionary."""
        return {
            key: value
            for name in GROUPS
            for key, value in dataclasses.asdict(getattr(self, name)).items()
        }

    def to_toml(self) -> str:
        """The text of `config.toml`."""
        lines = [f"data = {_toml_value(self.data_path)}"]
        for name in GROUPS:
            lines += ["", f"[{name}]"] if name != "data" else ["", "[cases]"]
            for key, value in dataclasses.asdict(getattr(self, name)).items():
                lines.append(f"{key} = {_toml_value(value)}")
        return "\n".join(lines) + "\n"


def read_settings(path: str | Path) -> tuple[dict[str, Any], str | None]:
    """Reads a configuration file, `.toml` or `.json`.

    Tables only group: `[sampling] epsilon = 0` and `epsilon = 0` mean the
    same, and hyphens may stand for underscores.

    Returns:
        Settings as a flat dictionary, and the data set's path if it is given.

    Raises:
        InputError: If the file cannot be read or has an unknown setting.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".json":
            content = json.loads(text)
        else:
            content = tomllib.loads(text)
        if not isinstance(content, dict):
            raise ValueError("no table of settings")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            path,
            f"is not a readable configuration ({error})",
            "Give a .toml or .json file, such as a run's config.toml",
        ) from error
    flat = {}
    for key, value in content.items():
        entries = value.items() if isinstance(value, dict) else [(key, value)]
        flat |= {k.replace("-", "_"): v for k, v in entries}
    data_path = flat.pop("data", None)
    if not isinstance(data_path, str | None):
        raise InputError(
            path,
            f"data is {data_path!r}, not a path",
            'Write it like data = "scans/"',
        )
    known = {entry.name: entry for g in GROUPS.values() for entry in fields(g)}
    for key, value in flat.items():
        if key not in known:
            raise InputError(
                path,
                f"unknown setting {key!r}",
                "See keras-isample fit --help for the settings",
            )
        if known[key].type == "str":
            flat[key] = _as_text(value)
    return flat, data_path


def parse_bytes(source: str, text: str) -> int:
    """Bytes from a text such as `500MB` or `3GB` (powers of 1000).

    Raises:
        InputError: If it is no positive size.
    """
    cleaned = text.strip().upper()
    units = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "B": 1}
    unit = next((u for u in units if cleaned.endswith(u)), "")
    factor = units.get(unit, 1)
    cleaned = cleaned.removesuffix(unit)
    try:
        size = int(float(cleaned) * factor)
    except (ValueError, OverflowError):
        size = 0
    if size < 10**6:
        raise InputError(
            source, f"is no size of at least 1MB: {text!r}", "Write it like 2GB"
        )
    return size


def _toml_value(value):
    # TOML knows JSON's escapes, but no halves of characters.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _as_text(value):
    if isinstance(value, list | tuple):
        return ",".join(str(part) for part in value)
    return value if isinstance(value, str) else str(value)


def _number_or_all(config, name):
    value = getattr(config, name)
    if value == "all":
        return None
    try:
        number = int(value)
        if number < 1:
            raise ValueError
    except ValueError:
        raise InputError(
            _option(name),
            f"must be all or a number of at least 1, got {value!r}",
            "Correct the value",
        ) from None
    return number


def _fits(value, kind):
    if kind == "float | str" and value == "auto":
        return True
    if kind in ("float", "float | str"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {"str": str, "bool": bool}[kind])
