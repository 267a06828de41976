"""Prediction and evaluation of PNG and NPY pictures."""

import json

import numpy as np
import pytest
from PIL import Image

from keras_isample.commands.evaluate_folders import evaluate_folders
from keras_isample.commands.inputs import find_inputs
from keras_isample.commands.predict import predict
from keras_isample.data.preprocessing import Preprocessing
from keras_isample.errors import InputError

MEMORY = 10**8
NAMES = ("background", "bright")


def pixels(channels=0):
    """17 x 13 pixels, of which the bright ones are certain."""
    rng = np.random.default_rng(0)
    shape = (13, 17) + (channels,) * (channels > 0)
    bright = rng.random(shape) < 0.4
    noise = rng.integers(0, 30, shape)
    return np.where(bright, 220 + noise, noise).astype(np.uint8)


@pytest.fixture
def save_model(threshold_model, tmp_path):
    """Function that saves a model of class 1 where a pixel is bright."""

    def save(channels=1, spacing=None):
        model = threshold_model(num_channels=channels)
        facts = Preprocessing(
            spacing=spacing, intensity="zscore", class_names=NAMES
        )
        model.metadata["preprocessing"] = facts.as_metadata()
        model.save(tmp_path / "model.keras")
        return tmp_path / "model.keras"

    return save


def segment(model, path, out):
    (result,) = predict(
        model, [path], out, tile_memory=MEMORY, postprocess="none"
    )
    return result


@pytest.mark.parametrize("spacing", [None, (1.0, 1.0, 1.0), (1.0, 1.0, 1.5)])
def test_png_becomes_a_png_pixel_by_pixel(tmp_path, save_model, spacing):
    Image.fromarray(pixels()).save(tmp_path / "scan.png")
    model = save_model(spacing=spacing)
    result = segment(model, tmp_path / "scan.png", tmp_path / "out")
    assert result == tmp_path / "out/scan.png"
    with Image.open(result) as picture:
        assert picture.mode == "L"
        assert np.array_equal(np.asarray(picture), pixels() > 100)


def test_npy_becomes_an_npy(tmp_path, save_model):
    np.save(tmp_path / "scan_0000.npy", pixels().astype(np.float32))
    result = segment(save_model(), tmp_path / "scan_0000.npy", tmp_path / "out")
    assert result == tmp_path / "out/scan.npy"
    labels = np.load(result)
    assert labels.dtype == np.uint8
    assert np.array_equal(labels, pixels() > 100)


def test_rgb_picture_is_one_case_of_three_channels(tmp_path, save_model):
    Image.fromarray(pixels(3)).save(tmp_path / "scan.png")
    result = segment(save_model(3), tmp_path / "scan.png", tmp_path / "out")
    with Image.open(result) as picture:
        # The model looks at the first channel.
        assert np.array_equal(np.asarray(picture), pixels(3)[..., 0] > 100)


def test_wrong_number_of_channels_is_refused(tmp_path, save_model):
    Image.fromarray(pixels(3)).save(tmp_path / "scan.png")
    with pytest.raises(InputError, match="has 3 channel"):
        segment(save_model(1), tmp_path / "scan.png", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folder_may_mix_pictures_and_files_of_one_channel(tmp_path):
    Image.fromarray(pixels(3)).save(tmp_path / "a.png")
    for channel in range(3):
        Image.fromarray(pixels()).save(tmp_path / f"b_{channel:04d}.png")
    cases = find_inputs([tmp_path], 3)
    assert {case.name: len(case.images) for case in cases} == {"a": 1, "b": 3}


def test_damaged_picture_is_refused_before_anything_is_written(
    tmp_path, save_model
):
    model = save_model()
    (tmp_path / "scan.png").write_text("no picture")
    with pytest.raises(InputError) as error:
        segment(model, tmp_path / "scan.png", tmp_path / "out")
    assert str(error.value).startswith(f"{tmp_path / 'scan.png'}: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("ending", [".png", ".npy"])
def test_folders_of_pictures_are_compared(tmp_path, ending):
    reference, prediction = tmp_path / "reference", tmp_path / "prediction"
    for folder, columns in ((reference, 4), (prediction, 2)):
        folder.mkdir()
        rows = np.zeros((8, 9), np.uint8)
        rows[:, :columns] = 1
        if ending == ".png" or folder == reference:
            Image.fromarray(rows).save(folder / "a.png")
        else:
            np.save(folder / "a.npy", rows)
    (prediction / "labels.json").write_text(
        json.dumps({"background": 0, "bright": 1})
    )
    summary, path = evaluate_folders(reference, prediction)
    assert path == prediction / "summary.json"
    # Twice the common 16 pixels among 32 and 16.
    (case,) = summary["metric_per_case"]
    assert case["metrics"]["1"]["Dice"] == pytest.approx(32 / 48)
