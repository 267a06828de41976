"""Runs and caches are written beside the data."""

import os
from types import SimpleNamespace

import pytest

from keras_isample.config import Config
from keras_isample.data.layout import Case
from keras_isample.errors import InputError
from keras_isample.training.run_folder import RunFolder
from keras_isample.training.run_places import check_data_apart
from keras_isample.training.run_places import check_files_apart


@pytest.fixture
def data(tmp_path):
    for folder in ("images", "labels"):
        (tmp_path / "all/data" / folder).mkdir(parents=True)
    (tmp_path / "link").symlink_to("all/data")
    return tmp_path / "all/data"


@pytest.fixture
def check(data):
    """Function that checks a run folder and a cache."""

    def check(run, cache=""):
        cache = str(cache)
        config = Config.from_settings(str(data), {"cache": cache})
        folder = RunFolder(run)
        check_data_apart(config, folder)
        case = Case("a", (data / "images/a.nii",), data / "labels/a.nii")
        check_files_apart(
            config, folder, {"train": SimpleNamespace(cases=[case])}
        )

    return check


@pytest.mark.parametrize(
    "run, words",
    [
        ("all/data", "is the data set itself"),
        ("all/data/", "is the data set itself"),
        ("link", "is the data set itself"),
        ("all/data/images/../", "is the data set itself"),
        ("all", "holds the data set"),
        (".", "holds the data set"),
        ("all/data/images", "a folder of scans"),
        ("all/data/labels/run", "a folder of scans"),
        ("link/labels/run", "a folder of scans"),
    ],
)
def test_run_that_would_harm_the_data_is_refused(
    tmp_path, check, monkeypatch, run, words
):
    for path in (tmp_path / run, run):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(InputError, match=words) as error:
            check(path)
        assert "`run`" in str(error.value)


@pytest.mark.parametrize(
    "cache, words",
    [
        ("all/data", "is the data set itself"),
        ("link", "is the data set itself"),
        ("all/data/images", "a folder of scans"),
        ("all/data/labels/cache", "a folder of scans"),
    ],
)
def test_cache_that_would_harm_the_data_is_refused(
    tmp_path, check, cache, words
):
    with pytest.raises(InputError, match=words) as error:
        check(tmp_path / "run", tmp_path / cache)
    assert "`cache`" in str(error.value)


@pytest.mark.parametrize("run", ["run", "all/run", "all/data/run", "data"])
def test_run_beside_the_scans_is_allowed(tmp_path, check, run):
    check(tmp_path / run)
    # The built-in phantom lies in the cache.
    check(tmp_path / run, tmp_path / "all")


def test_relative_paths_are_followed(data, check, monkeypatch):
    monkeypatch.chdir(data / "images")
    with pytest.raises(InputError, match="is the data set itself"):
        check(os.pardir)
