"""Memory of a population whose members take turns, against one run.

No rival, but limits: a serial population of 3 needs less than 1.6 times the
memory of a single run with the same settings, and 20 periods no more than 1.05
times what 3 need. Memory is that of all processes together, driver and worker:
what they have for themselves plus their share of what they have in common
(PSS), sampled twice a second.

A quarter of an hour on two cores with other jobs beside it. November 2026: one
run 1,955 MB, the population 2,173 MB up to its third period and 2,259 MB in its
twentieth: 1.11 and 1.16 times a run, and 1.04 times from the third to the last.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

COMMON = [
    "--labels=kidney",
    "--spacing=native",
    "--split=2,1,0",
    "--patch-size=16",
    "--batch-size=8",
    "--warmup-epochs=1",
    "--steps-per-epoch=2",
]


@click.command()
@click.option("--periods", default=20, show_default=True, help="Of 1 epoch.")
@click.option("--side", default=64, show_default=True, help="Voxels of a scan.")
@click.option("--width", default=0.6, show_default=True)
@click.option("--folder", type=click.Path(), help="Default: a temporary one.")
def main(periods, side, width, folder):
    """Prints the memory of one run and of a population, in MB."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(folder or temporary)
        data = folder / "data"
        if not data.exists():
            shape = f"--shape={side},{side},{side}"
            _start("phantom", data, "--cases=3", shape, "--quiet").wait()
        common = [f"--data={data}", f"--cache={folder / 'cache'}", *COMMON]
        common += [f"--width={width}", f"--epochs={periods}"]
        single = _measure(folder / "single", common)
        auto = ["--learning-rate=auto", "--executor=serial", "--period=1"]
        population = _measure(folder / "population", [*common, *auto])
    _report(single, population, periods)


def _start(command, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "keras_isample", command, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _measure(run, options):
    """Samples of a fit: finished epochs or periods, and MB."""
    process = _start("fit", f"--run={run}", "--quiet", *options)
    samples = []
    while process.poll() is None:
        samples.append((_done(run), _memory(process.pid) / 1e6))
        time.sleep(0.5)
    if process.returncode:
        raise click.ClickException(process.stderr.read())
    process.stderr.close()
    return samples


def _done(run):
    """Periods of a population, or epochs of a run, that have ended."""
    try:
        if (run / "autolr.json").exists():
            text = (run / "autolr.json").read_text()
            return len(json.loads(text)["periods"])
        return max(0, len((run / "history.csv").read_text().splitlines()) - 1)
    except FileNotFoundError:
        return 0


def _memory(pid):
    """Bytes of a process and all that it has started."""
    total = 0
    for child in _children(pid):
        total += _memory(child)
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss:"):
                    total += 1024 * int(line.split()[1])
    except (OSError, ProcessLookupError):
        pass
    return total


def _children(pid):
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            path = f"/proc/{pid}/task/{thread}/children"
            with open(path, encoding="ascii") as file:
                found += file.read().split()
    except OSError:
        pass
    return found


def _report(single, population, periods):
    early = max(2, min(3, periods))
    one = max(memory for _, memory in single)
    first = max(m for done, m in population if done <= early)
    last = max(m for done, m in population if done >= periods - 1)
    for name, value, ratio, limit in (
        ("one run", one, None, None),
        (f"population, to period {early}", first, first / one, 1.6),
        (f"population, period {periods}", last, last / one, 1.6),
        ("the same against the first", last, last / first, 1.05),
    ):
        text = f"{name:30s}  {value:7.0f} MB"
        if ratio is not None:
            text += f"  ratio {ratio:.2f}  limit {limit:.2f}"
        click.echo(text)


if __name__ == "__main__":
    main()
