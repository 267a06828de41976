"""Imports run one way; which package may import which."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "keras_isample"

# A part may import itself and those above it in this table, no others.
LEVELS = [
    ("errors", "processor", "progress", "version"),
    ("registries",),
    ("volumes",),
    ("models", "losses"),
    ("data", "metrics", "config", "figures"),
    ("sampling", "inference"),
    ("callbacks",),
    ("training",),
    ("commands",),
    ("experiments",),
    ("cli",),
    ("__init__", "__main__"),
]
HEIGHT = {part: i for i, parts in enumerate(LEVELS) for part in parts}

ARRAYS = {"numpy", "nibabel", "scipy"}
KERAS = {"keras", "numpy"}
# What a part may import beside the standard library; all the others may use
# whatever is a requirement of the package.
OUTSIDE = {
    "errors": set(),
    "processor": set(),
    "version": set(),
    "progress": set(),
    "registries": set(),
    "config": set(),
    "volumes": ARRAYS | {"PIL"},
    "data": ARRAYS,
    "metrics": ARRAYS | KERAS,
    "figures": {"numpy", "matplotlib"},
    "models": KERAS,
    "losses": KERAS,
    # A cluster is an extra.
    "training": ARRAYS | KERAS | {"tensorflow", "ray"},
    "cli": {"click", "keras"},
    "__init__": set(),
    "__main__": set(),
}
REQUIRED = ARRAYS | KERAS | {"tensorflow", "click"}


def imported_names(tree):
    """Dotted names that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            dots = "." * node.level
            for alias in node.names:
                yield f"{dots}{node.module or ''}.{alias.name}"


def part_of(path, root):
    """The package or module of the first level that a file belongs to."""
    return path.relative_to(root / PACKAGE).parts[0].removesuffix(".py")


def broken_arrows(root):
    """`file -> module` for each import that the table does not allow."""
    broken = []
    for path in sorted((root / PACKAGE).rglob("*.py")):
        part = part_of(path, root)
        for name in imported_names(ast.parse(path.read_text())):
            if not _allowed(root, part, name):
                broken.append(f"{path.relative_to(root)} -> {name}")
    return broken


def _allowed(root, part, name):
    if name.startswith("."):
        return False  # Imports are absolute, so that they can be read.
    first, *rest = name.split(".")
    if first == PACKAGE:
        target = rest[0] if rest else "__init__"
        if not (root / PACKAGE / target).exists():
            known = (root / PACKAGE / f"{target}.py").exists()
            target = target if known else "__init__"
        return target == part or HEIGHT[target] < HEIGHT[part]
    return first in sys.stdlib_module_names or first in OUTSIDE.get(
        part, REQUIRED
    )


def write_package(root, files):
    for part in HEIGHT:
        path = root / PACKAGE / f"{part}.py"
        if part in ("errors", "version", "config", "cli", "__init__"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
        elif part != "__main__":
            path = root / PACKAGE / part / "__init__.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
    for name, text in files.items():
        (root / PACKAGE / name).write_text(text)


def test_imports_run_one_way():
    assert broken_arrows(ROOT) == []


def test_every_part_has_its_place():
    found = {part_of(path, ROOT) for path in (ROOT / PACKAGE).rglob("*.py")}
    assert found == set(HEIGHT)


@pytest.mark.parametrize(
    "file, line, arrow",
    [
        (
            "volumes/x.py",
            "from keras_isample.data.y import z",
            "keras_isample/volumes/x.py -> keras_isample.data.y.z",
        ),
        (
            "volumes/x.py",
            "def f():\n    import keras_isample.training",
            "keras_isample/volumes/x.py -> keras_isample.training",
        ),
        (
            "models/x.py",
            "from keras_isample import losses",
            "keras_isample/models/x.py -> keras_isample.losses",
        ),
        (
            "data/x.py",
            "from keras_isample import read_cohort",
            "keras_isample/data/x.py -> keras_isample.read_cohort",
        ),
        (
            "sampling/x.py",
            "import keras_isample.inference.dual_path as d",
            "keras_isample/sampling/x.py -> keras_isample.inference.dual_path",
        ),
        (
            "data/x.py",
            "from keras import ops",
            "keras_isample/data/x.py -> keras.ops",
        ),
        (
            "models/x.py",
            "if True:\n    import tensorflow as tf",
            "keras_isample/models/x.py -> tensorflow",
        ),
        (
            "training/x.py",
            "from apps.demo import train",
            "keras_isample/training/x.py -> apps.demo.train",
        ),
        (
            "training/x.py",
            "from tests import conftest",
            "keras_isample/training/x.py -> tests.conftest",
        ),
        (
            "training/x.py",
            "from . import run",
            "keras_isample/training/x.py -> ..run",
        ),
    ],
)
def test_broken_arrow_is_named(tmp_path, file, line, arrow):
    write_package(tmp_path, {file: line})
    assert broken_arrows(tmp_path) == [arrow]


@pytest.mark.parametrize(
    "file, line",
    [
        ("data/x.py", "from keras_isample.volumes.y import z"),
        ("data/x.py", "from keras_isample.data import y"),
        ("metrics/x.py", "from keras_isample import volumes"),
        ("models/x.py", "from keras_isample.errors import InputError"),
        ("sampling/x.py", "import tensorflow as tf"),
        ("inference/x.py", "from keras_isample.models.y import z"),
    ],
)
def test_arrows_downward_are_allowed(tmp_path, file, line):
    write_package(tmp_path, {file: line})
    assert broken_arrows(tmp_path) == []
