"""The kinds of synthetic data sets."""

import json

import pytest

from keras_isample.data.phantom_kinds import write_phantom_of_kind
from keras_isample.errors import InputError


@pytest.mark.parametrize(
    "kind, shape, folder",
    [
        ("ct", (16, 16, 16), "Volumes"),
        ("cardiac", (40, 40), "images"),
        ("brain", (16, 16, 16), "manual"),
    ],
)
def test_every_kind_is_written(tmp_path, kind, shape, folder):
    done = []
    path = write_phantom_of_kind(
        tmp_path / kind,
        kind,
        cases=3,
        shape=shape,
        progress=lambda *numbers: done.append(numbers),
    )
    assert (path / folder).is_dir()
    assert json.loads((path / "phantom.json").read_text())["cases"] == 3
    assert done == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("kind", ["cardiac", "brain"])
def test_other_phantom_is_replaced_only_if_allowed(tmp_path, kind):
    settings = {"cases": 3, "shape": (32,) * (2 if kind == "cardiac" else 3)}
    write_phantom_of_kind(tmp_path / "a", kind, **settings)
    with pytest.raises(InputError, match="holds files already"):
        write_phantom_of_kind(tmp_path / "a", kind, **settings)
    write_phantom_of_kind(tmp_path / "a", kind, **settings, overwrite=True)


@pytest.mark.parametrize(
    "kind, settings, words",
    [
        ("pet", {}, "kind: received 'pet'"),
        ("cardiac", {"spacing": (1, 1, 1)}, "spacing: is none of"),
        ("cardiac", {"layout": "nnunet"}, "layout: is none of"),
        ("brain", {"layout": "visceral"}, "layout: is none of"),
    ],
)
def test_what_does_not_belong_to_a_kind_is_refused(
    tmp_path, kind, settings, words
):
    with pytest.raises(InputError) as error:
        write_phantom_of_kind(tmp_path / "a", kind, **settings)
    assert str(error.value).startswith(words)
    assert list(tmp_path.iterdir()) == []
