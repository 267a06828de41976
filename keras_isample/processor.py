"""The processor: its name, what it computes, and TensorFlow's use of it.

TensorFlow's wheels bring two sets of CPU kernels, Eigen's and oneDNN's. They
use oneDNN by default only on processors with AVX-512 VNNI or newer. Elsewhere
3D convolutions run through Eigen, and a training step of the dual-path network
takes about four times as long. TensorFlow reads `TF_ENABLE_ONEDNN_OPTS` when it
is imported, so that the package sets it before.
"""

import functools
import logging
import os
import platform
import sys
from pathlib import Path

log = logging.getLogger(__name__)

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
"""Environment variable by which TensorFlow is told to use oneDNN."""

_CPU_INFO = Path("/proc/cpuinfo")

_INSTRUCTION_SETS = (
    ("amx_bf16", "AMX"),
    ("avx512_bf16", "AVX-512 with bfloat16"),
    ("avx512_vnni", "AVX-512 VNNI"),
    ("avx512f", "AVX-512"),
    ("avx2", "AVX2"),
    ("avx", "AVX"),
    ("sve", "SVE"),
    ("asimd", "NEON"),
)
"""Flag of the kernel and the name to show, the newest first."""

_ONEDNN_BY_DEFAULT = {
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
}
"""With any of these TensorFlow 2.17 to 2.21 uses oneDNN without being told."""

_FAST_BFLOAT16 = {"avx512_bf16", "amx_bf16"}
"""With any of these oneDNN computes bfloat16 faster than float32."""

_ANY_BFLOAT16 = {"avx512f", "avx_ne_convert", *_FAST_BFLOAT16}
"""Without all of these TensorFlow leaves bfloat16 to Eigen, which takes
minutes for a step."""


def switch_on_onednn():
    """Tells TensorFlow to use oneDNN, unless the user has decided.

    To be called before TensorFlow is imported. Where that has happened and
    TensorFlow runs without oneDNN, one warning says so.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return
    if "tensorflow" not in sys.modules:
        os.environ.setdefault(VARIABLE, "1")
    elif VARIABLE not in os.environ and not uses_onednn():
        log.warning(
            "TensorFlow was imported before keras_isample and runs without "
            "oneDNN on this processor (%s): training and prediction take "
            "about four times as long. Import keras_isample first, or set "
            "%s=1 before TensorFlow is imported.",
            instruction_set(),
            VARIABLE,
        )


def uses_onednn() -> bool:
    """Whether TensorFlow computes with oneDNN on CPUs."""
    chosen = os.environ.get(VARIABLE)
    if chosen is not None:
        return chosen.strip().lower() in ("1", "true")
    return bool(_flags() & _ONEDNN_BY_DEFAULT)


def computes_bfloat16() -> bool:
    """Whether bfloat16 has kernels that end within a reasonable time."""
    return uses_onednn() and bool(_flags() & _ANY_BFLOAT16)


def gains_by_bfloat16() -> bool:
    """Whether the processor computes bfloat16 faster than float32."""
    return uses_onednn() and bool(_flags() & _FAST_BFLOAT16)


def instruction_set() -> str:
    """Name of the newest vector instructions, such as `"AVX2"`."""
    flags = _flags()
    known = (name for flag, name in _INSTRUCTION_SETS if flag in flags)
    return next(known, platform.machine() or "unknown")


def processor_name() -> str:
    """Name of the processor, such as `"AMD EPYC 7B13"`."""
    for key, value in _cpu_info():
        if key == "model name":
            return value
    return platform.processor() or platform.machine() or "unknown"


def describe_processor() -> str:
    """Name, cores, instruction set and use of oneDNN, in one line."""
    state = "on" if uses_onednn() else "off"
    return (
        f"{processor_name()}, {usable_cores()} cores, {instruction_set()}, "
        f"oneDNN {state}"
    )


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def _cpu_info():
    """Pairs of key and value for the first processor, as the kernel has them;
    none where there is no such file.
    """
    try:
        text = _CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    first = text.strip().split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return tuple((key.strip(), value.strip()) for key, _, value in pairs)


def _flags():
    """Instructions of the processor, as the kernel names them."""
    for key, value in _cpu_info():
        if key in ("flags", "Features"):
            return set(value.split())
    return set()
