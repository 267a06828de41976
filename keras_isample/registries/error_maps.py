"""Ways of making error maps, by name.

A new way is a file with its callback, and a line here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras_isample.registries.registry import Registry
from keras_isample.registries.registry import imported


@dataclass(frozen=True)
class ErrorMapsSpec:
    """What is known of a way of making error maps before it is used.

    Attributes:
        maker: Function `(sampler, config, reporter)` that returns the
            callback, or its place, such as `"package.module:function"`.
        has_share: Whether it takes a share of the time of training, which
            `error_map_share` bounds.
        chooses_cases: Whether it chooses the cases of each update itself, so
            that `error_map_cases` means nothing.
        one_device: Whether training must be on a single device.
        in_background: Whether maps are made beside the training, on a device
            that is left to it.
        why: Why options that mean nothing do so, for messages.
    """

    maker: str | Callable[..., Any]
    has_share: bool = False
    chooses_cases: bool = True
    one_device: bool = False
    in_background: bool = False
    why: str = ""

    def make(self, sampler: Any, config: Any, reporter: Any) -> Any:
        """Makes the callback.

        Args:
            sampler: The `ISample`.
            config: The run's `Config`.
            reporter: The `Reporter` that shows how far it is.

        Returns:
            An `ErrorMapsCallback`.
        """
        return imported(self.maker)(sampler, config, reporter)


ERROR_MAPS = Registry("way of making error maps")
"""An `ErrorMapsSpec` for each name of `error_maps`."""

_PLACE = "keras_isample.training.error_map_ways"

for _name, _spec in {
    "epoch": ErrorMapsSpec(
        f"{_PLACE}:epoch", has_share=True, chooses_cases=False
    ),
    "online": ErrorMapsSpec(
        f"{_PLACE}:online", one_device=True, why="predicts no scan"
    ),
    "concurrent": ErrorMapsSpec(
        f"{_PLACE}:concurrent",
        in_background=True,
        why="is made beside the training",
    ),
}.items():
    ERROR_MAPS.register(_name, _spec)

ERROR_MAPS.protect()


def register_error_maps(
    name: str,
    maker: Callable[..., Any],
    *,
    has_share: bool = False,
    chooses_cases: bool = True,
    one_device: bool = False,
    in_background: bool = False,
    why: str = "takes no share of the time",
) -> None:
    """Makes a way of making error maps known, for `error_maps`.

    Args:
        name: Its name.
        maker: Function of the `ISample`, the run's `Config` and a `Reporter`
            that returns a `callbacks.ErrorMapsCallback`.
        has_share, chooses_cases, one_device, in_background, why: See
            `ErrorMapsSpec`.

    Raises:
        ValueError: If the name is one of this package's.
    """
    spec = ErrorMapsSpec(
        maker,
        has_share=has_share,
        chooses_cases=chooses_cases,
        one_device=one_device,
        in_background=in_background,
        why=why,
    )
    ERROR_MAPS.register(name, spec)
