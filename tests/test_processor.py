"""What the processor computes, and whether TensorFlow uses oneDNN."""

import subprocess
import sys
import types

import pytest

from keras_isample import processor

ZEN_3 = "processor : 0\nmodel name : AMD EPYC 7B13\nflags : fpu sse avx avx2\n"
SKYLAKE = "model name : Intel Xeon\nflags : avx avx2 avx512f avx512bw\n"
SAPPHIRE = (
    "model name : Intel Xeon\nflags : avx avx2 avx512f avx512_vnni avx512_bf16"
)
ARM = "processor : 0\nFeatures : fp asimd evtstrm\n"


@pytest.fixture
def on(monkeypatch, tmp_path):
    """Function that pretends to be on a processor, by its /proc/cpuinfo."""

    def pretend(text, machine="x86_64", chosen=None):
        file = tmp_path / "cpuinfo"
        file.write_text(text + "\n\nprocessor : 1\nflags : nothing\n")
        monkeypatch.setattr(processor, "_CPU_INFO", file)
        monkeypatch.setattr(processor.platform, "machine", lambda: machine)
        processor._cpu_info.cache_clear()
        monkeypatch.delenv(processor.VARIABLE, raising=False)
        if chosen is not None:
            monkeypatch.setenv(processor.VARIABLE, chosen)

    yield pretend
    processor._cpu_info.cache_clear()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (ZEN_3, "AVX2"),
        (SKYLAKE, "AVX-512"),
        (SAPPHIRE, "AVX-512 with bfloat16"),
        (ARM, "NEON"),
    ],
)
def test_instruction_set_is_the_newest(on, text, name):
    on(text)
    assert processor.instruction_set() == name


def test_name_comes_from_the_kernel(on):
    on(ZEN_3)
    assert processor.processor_name() == "AMD EPYC 7B13"


def test_without_the_kernels_file_the_machine_is_named(on, monkeypatch):
    on(ZEN_3, machine="arm64")
    monkeypatch.setattr(processor, "_CPU_INFO", processor.Path("/nowhere"))
    processor._cpu_info.cache_clear()
    assert processor.instruction_set() == "arm64"
    assert not processor.computes_bfloat16()


@pytest.mark.parametrize(
    ("text", "chosen", "uses"),
    [
        (ZEN_3, None, False),
        (ZEN_3, "1", True),
        (SKYLAKE, None, False),
        (SAPPHIRE, None, True),
        (SAPPHIRE, "0", False),
    ],
)
def test_onednn_is_the_users_choice_or_the_default(on, text, chosen, uses):
    on(text, chosen=chosen)
    assert processor.uses_onednn() is uses


@pytest.mark.parametrize(
    ("text", "chosen", "computes", "gains"),
    [
        (ZEN_3, "1", False, False),
        (SKYLAKE, "1", True, False),
        (SAPPHIRE, None, True, True),
        (SAPPHIRE, "0", False, False),
    ],
)
def test_bfloat16_needs_instructions_and_onednn(
    on, text, chosen, computes, gains
):
    on(text, chosen=chosen)
    assert processor.computes_bfloat16() is computes
    assert processor.gains_by_bfloat16() is gains


@pytest.fixture
def imported(monkeypatch):
    """Function that pretends that TensorFlow was imported, or was not."""

    def pretend(yes):
        if yes:
            fake = types.ModuleType("tensorflow")
            monkeypatch.setitem(sys.modules, "tensorflow", fake)
        else:
            monkeypatch.delitem(sys.modules, "tensorflow", raising=False)

    return pretend


def test_it_is_switched_on_before_tensorflow(on, imported):
    on(ZEN_3)
    imported(False)
    processor.switch_on_onednn()
    assert processor.os.environ[processor.VARIABLE] == "1"


def test_what_the_user_has_set_stays(on, imported, caplog):
    on(ZEN_3, chosen="0")
    for yes in (False, True):
        imported(yes)
        processor.switch_on_onednn()
    assert processor.os.environ[processor.VARIABLE] == "0"
    assert not caplog.records


def test_other_machines_are_left_alone(on, imported):
    on(ARM, machine="aarch64")
    imported(False)
    processor.switch_on_onednn()
    assert processor.VARIABLE not in processor.os.environ


def test_tensorflow_that_came_first_without_it_is_pointed_out(
    on, imported, caplog
):
    on(ZEN_3)
    imported(True)
    processor.switch_on_onednn()
    (record,) = caplog.records
    assert "four times" in record.getMessage()
    assert processor.VARIABLE in record.getMessage()
    assert processor.VARIABLE not in processor.os.environ


def test_tensorflow_that_came_first_with_it_is_fine(on, imported, caplog):
    on(SAPPHIRE)
    imported(True)
    processor.switch_on_onednn()
    assert not caplog.records


def test_children_inherit_it():
    if processor.platform.machine() != "x86_64":
        pytest.skip("only x86-64 has the choice")
    code = (
        "import os; os.environ.pop('TF_ENABLE_ONEDNN_OPTS', None);"
        "import keras_isample.cli, subprocess, sys;"
        "subprocess.run([sys.executable, '-c', "
        "'import os; print(os.environ[\"TF_ENABLE_ONEDNN_OPTS\"])'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "1\n"
