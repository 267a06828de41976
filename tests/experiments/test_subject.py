"""What experiments are run on: data sets as they are, phantoms once drawn."""

import click
import pytest
from click.testing import CliRunner

from keras_isample.errors import InputError
from keras_isample.experiments.subject import phantom_options
from keras_isample.experiments.subject import subject_of


def test_data_are_taken_as_they_are(tmp_path):
    subject = subject_of(tmp_path, "data/hearts", {"width": 1})
    assert subject.folder == tmp_path / "hearts"
    assert str(subject.data) == "data/hearts"
    assert subject.settings == {"width": 1}
    subject.draw()
    assert not any(tmp_path.iterdir())


def test_phantom_is_drawn_when_asked_for(tmp_path):
    subject = subject_of(tmp_path, None, {"width": 1}, cases=2, side=12)
    folder = tmp_path / "phantom"
    assert subject.folder == folder
    assert subject.settings == {"width": 1, "cache": str(folder / "cache")}
    assert not folder.exists()
    subject.draw()
    assert len(list((subject.data / "Volumes").iterdir())) == 2


def test_phantoms_of_other_kinds_have_their_own_size(tmp_path):
    for kind, shape in {
        "cardiac": {},
        "brain": {"shape": (64, 64, 64)},
    }.items():
        subject = subject_of(tmp_path, None, {}, kind=kind)
        assert subject.phantom == {"kind": kind, **shape}
    subject = subject_of(tmp_path, None, {}, kind="brain", side=40)
    assert subject.phantom["shape"] == (40, 40, 40)


def test_cache_of_the_settings_wins(tmp_path):
    subject = subject_of(tmp_path, None, {"cache": "x"})
    assert subject.settings == {"cache": "x"}


@pytest.mark.parametrize("name", ["cases", "side"])
def test_size_of_a_phantom_is_refused_with_data(tmp_path, name):
    with pytest.raises(InputError, match=f"^`{name}`: is of the phantom"):
        subject_of(tmp_path, "data/hearts", {}, **{name: 12})


def test_options_are_none_unless_given():
    @click.command()
    @phantom_options
    def program(**given):
        options.append(given)

    options = []
    for arguments in ([], ["--cases", "3", "--side", "20"]):
        assert CliRunner().invoke(program, arguments).exit_code == 0
    assert options == [
        {"cases": None, "side": None},
        {"cases": 3, "side": 20},
    ]
    text = CliRunner().invoke(program, ["--help"]).stdout
    assert "[default: 17]" in text and "[default: 96]" in text
