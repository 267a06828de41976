"""The population that finds the rate."""

from dataclasses import dataclass
from typing import Literal

from keras_isample.config.settings import Form
from keras_isample.config.settings import Group
from keras_isample.config.settings import setting
from keras_isample.registries import EXECUTORS

_RATES = Form(cure="Write positive numbers like 2,1,0.5")


@dataclass(frozen=True)
class AutoLRConfig(Group):
    """The population with --learning-rate auto (Algorithm 2)."""

    population: tuple[float, ...] = setting(
        (0.05, 0.01, 0.005),
        "AutoLR: rates of the first population.",
        form=_RATES,
        more_than=0,
    )
    factors: tuple[float, ...] = setting(
        (2.0, 1.0, 0.5),
        "AutoLR: the winner's rate times these are the next rates.",
        form=_RATES,
        more_than=0,
    )
    period: int = setting(50, "AutoLR: epochs between two choices.", at_least=1)
    selection: Literal["winner", "truncation"] = setting(
        "winner",
        "AutoLR: winner: the best member starts all of the next period; "
        "truncation: as in population-based training, the worst fifth is "
        "replaced by the best.",
    )
    spawn_from: Literal["last", "best"] = setting(
        "last",
        "AutoLR: the next period starts from the weights at the end of the "
        "last one, or from its best epoch.",
    )
    executor: str = setting(
        "auto",
        "AutoLR: serial: members take turns; process: one process for each "
        "group of GPUs or CPU threads; ray: on a Ray cluster; auto: ray with "
        "--ray-address, process with two GPUs or more, else serial.",
        choices=EXECUTORS,
    )
    gpus_per_member: int = setting(
        0,
        "AutoLR: GPUs of a member; 0: all, divided by the members (ray: none).",
        at_least=0,
    )
    threads_per_member: int = setting(
        0,
        "AutoLR: CPU threads of a member; 0: all, divided likewise (ray: 1).",
        at_least=0,
    )
    ray_address: str | None = setting(
        None, "AutoLR: address of a running Ray cluster, such as auto."
    )
    max_restarts: int = setting(
        2,
        "AutoLR: how often a member that died is started again in a period.",
        at_least=0,
    )
