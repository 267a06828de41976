"""The population that finds the rate."""

import math
from dataclasses import dataclass

from keras_isample.config.settings import Group
from keras_isample.config.settings import check_range
from keras_isample.config.settings import option_name
from keras_isample.config.settings import setting
from keras_isample.errors import InputError
from keras_isample.registries import EXECUTORS


@dataclass(frozen=True)
class AutoLRConfig(Group):
    """The population with --learning-rate auto (Algorithm 2)."""

    population: "str" = setting(
        "0.05,0.01,0.005", "AutoLR: rates of the first population."
    )
    factors: "str" = setting(
        "2,1,0.5", "AutoLR: the winner's rate times these are the next rates."
    )
    period: "int" = setting(50, "AutoLR: epochs between two choices.")
    selection: "str" = setting(
        "winner",
        "AutoLR: winner: the best member starts all of the next period; "
        "truncation: as in population-based training, the worst fifth is "
        "replaced by the best.",
        ("winner", "truncation"),
    )
    spawn_from: "str" = setting(
        "last",
        "AutoLR: the next period starts from the weights at the end of the "
        "last one, or from its best epoch.",
        ("last", "best"),
    )
    executor: "str" = setting(
        "auto",
        "AutoLR: serial: members take turns; process: one process for each "
        "group of GPUs or CPU threads; ray: on a Ray cluster; auto: ray with "
        "--ray-address, process with two GPUs or more, else serial.",
        EXECUTORS,
        words=("auto",),
    )
    gpus_per_member: "int" = setting(
        0,
        "AutoLR: GPUs of a member; 0: all, divided by the members (ray: none).",
    )
    threads_per_member: "int" = setting(
        0,
        "AutoLR: CPU threads of a member; 0: all, divided likewise (ray: 1).",
    )
    ray_address: "str" = setting(
        "", "AutoLR: address of a running Ray cluster, such as auto."
    )
    max_restarts: "int" = setting(
        2, "AutoLR: how often a member that died is started again in a period."
    )

    def _check(self):
        for name in ("population", "factors"):
            _ = self._positive(name)
        check_range(self, "period", 1)
        for name in ("gpus_per_member", "threads_per_member", "max_restarts"):
            check_range(self, name, 0)

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
                option_name(name),
                f"must be positive numbers, got {text!r}",
                "Write them like 2,1,0.5",
            ) from None
        return values
