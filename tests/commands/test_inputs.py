"""Files, folders and data sets that `predict` is given."""

import numpy as np
import pytest
from PIL import Image

from keras_isample.commands.inputs import find_inputs
from keras_isample.data.prediction_record import PredictionRecord
from keras_isample.errors import InputError


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def names(cases):
    return {case.name: [path.name for path in case.images] for case in cases}


def refusal(paths, num_channels=1):
    with pytest.raises(InputError) as error:
        find_inputs(paths, num_channels)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.mgz", "a.NII.GZ"])
def test_file_is_a_case(tmp_path, name):
    touch(tmp_path, name)
    assert names(find_inputs([tmp_path / name], 1)) == {"a": [name]}


def test_paths_may_be_texts(tmp_path):
    touch(tmp_path, "a.nii")
    assert names(find_inputs([str(tmp_path / "a.nii")], 1)) == {"a": ["a.nii"]}


def test_folder_is_all_its_scans(tmp_path):
    touch(tmp_path, "b.nii.gz", "a.nii.gz", "notes.txt", ".c.nii.gz")
    assert list(names(find_inputs([tmp_path], 1))) == ["a", "b"]


def test_channel_number_is_not_part_of_the_name(tmp_path):
    touch(tmp_path, "liver_12_0000.nii.gz")
    assert list(names(find_inputs([tmp_path], 1))) == ["liver_12"]


def test_channels_of_a_folder_are_put_together(tmp_path):
    files = [f"{c}_{k:04d}.nii.gz" for c in "ab" for k in (1, 0)]
    touch(tmp_path, *files)
    assert names(find_inputs([tmp_path], 2)) == {
        "a": ["a_0000.nii.gz", "a_0001.nii.gz"],
        "b": ["b_0000.nii.gz", "b_0001.nii.gz"],
    }


@pytest.mark.parametrize("file", ["a_0000.nii.gz", "a_0001.nii.gz"])
def test_file_of_one_channel_brings_the_others(tmp_path, file):
    touch(tmp_path, "a_0000.nii.gz", "a_0001.nii.gz", "b_0000.nii.gz")
    assert names(find_inputs([tmp_path / file], 2)) == {
        "a": ["a_0000.nii.gz", "a_0001.nii.gz"]
    }


def test_data_set_is_all_its_images(tmp_path):
    touch(tmp_path / "images", "a.nii.gz", "b.nii.gz")
    touch(tmp_path / "labels", "a.nii.gz")
    assert list(names(find_inputs([tmp_path], 1))) == ["a", "b"]


def test_image_of_a_data_set_may_be_named_twice(tmp_path):
    touch(tmp_path / "images", "a.nii.gz")
    touch(tmp_path / "labels", "a.nii.gz")
    image = tmp_path / "labels/../images/a.nii.gz"
    assert list(names(find_inputs([tmp_path, image], 1))) == ["a"]


def test_what_is_left_out_is_said(tmp_path):
    lines = []
    touch(tmp_path / "images", "a.nii.gz")
    touch(tmp_path, "atlas.nii.gz")
    touch(tmp_path / "flat", "b.nii.gz")
    touch(tmp_path / "flat/more", "c.nii.gz")
    paths = [tmp_path, tmp_path / "flat"]
    cases = find_inputs(paths, 1, note=lines.append)
    assert list(names(cases)) == ["a", "b"]
    assert lines == [
        f"{tmp_path}: beside its data set, left out: atlas.nii.gz",
        f"{tmp_path}/flat: 1 scan in sub-folders (more/), left out",
    ]


def test_scans_above_a_data_set_are_taken(tmp_path):
    touch(tmp_path, "a.nii.gz")
    touch(tmp_path / "set/images", "b.nii.gz")
    assert list(names(find_inputs([tmp_path], 1))) == ["a"]


def test_data_set_beside_results_is_found(tmp_path):
    touch(tmp_path / "set/images", "b.nii.gz")
    touch(tmp_path / "predictions", "b.nii.gz")
    touch(tmp_path / "runs/x", "config.toml")
    assert list(names(find_inputs([tmp_path], 1))) == ["b"]


def test_what_predict_wrote_is_no_scan(tmp_path):
    touch(tmp_path, "a.nii.gz", "b.nii.gz")
    PredictionRecord(tmp_path).begin({"model": "m"}, ["b.nii.gz"])
    assert list(names(find_inputs([tmp_path], 1))) == ["a"]
    (tmp_path / "a.nii.gz").unlink()
    assert "nothing but label maps that predict wrote" in refusal([tmp_path])


def test_unusable_cases_do_not_stop_the_others(tmp_path):
    touch(tmp_path, "a_0000.nii.gz", "b_0000.nii.gz", "b_0001.nii.gz")
    failed = {}
    cases = find_inputs([tmp_path], 2, fail=failed.__setitem__)
    assert list(names(cases)) == ["b"]
    assert f"{tmp_path}/a_0001.nii.gz: is missing" in str(failed["a"])


def test_missing_channel_is_named(tmp_path):
    touch(tmp_path, "a_0000.nii.gz")
    text = refusal([tmp_path], 2)
    assert text.startswith(f"{tmp_path}/a_0001.nii.gz: is missing")


def test_data_set_is_all_its_cases(ball_data):
    assert list(names(find_inputs([ball_data], 1))) == [
        f"case_{k}" for k in range(4)
    ]


def test_data_set_of_other_channels_is_refused(ball_data):
    text = refusal([ball_data], 2)
    assert "has 1 channel(s), the model needs 2" in text


def test_color_pictures_for_a_gray_model_are_refused(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(path)
    text = refusal([path], 1)
    assert "has 3 channel(s), the model needs 1" in text
    assert "such as gray pictures" in text


def test_several_inputs_are_all_taken(tmp_path, ball_data):
    touch(tmp_path, "a.nii")
    cases = find_inputs([ball_data, tmp_path / "a.nii"], 1)
    assert len(cases) == 5


def test_two_scans_of_one_name_are_refused(tmp_path):
    touch(tmp_path / "x", "a.nii.gz")
    touch(tmp_path / "y", "a.nii.gz")
    text = refusal([tmp_path / "x", tmp_path / "y"])
    assert text.startswith(f"{tmp_path}/y/a.nii.gz: has the same case name")


def test_data_set_without_images_is_refused(tmp_path):
    touch(tmp_path / "images")
    assert "holds no image" in refusal([tmp_path])


def test_missing_file_is_refused(tmp_path):
    assert "does not exist" in refusal([tmp_path / "none.nii.gz"])


def test_file_of_another_kind_is_refused(tmp_path):
    touch(tmp_path, "a.txt")
    assert "is not a scan by its name" in refusal([tmp_path / "a.txt"])


def test_folder_without_scans_is_refused(tmp_path):
    touch(tmp_path / "empty")
    refusal([tmp_path / "empty"])


def test_number_at_the_end_of_a_single_channel_is_part_of_the_name(tmp_path):
    for name in ("scan_0001", "scan_0002", "other_0000"):
        (tmp_path / f"{name}.nii.gz").touch()
    names = [case.name for case in find_inputs([tmp_path], 1)]
    assert sorted(names) == ["other", "scan_0001", "scan_0002"]


def test_both_channels_of_a_case_may_be_named(tmp_path):
    files = [tmp_path / f"p_000{channel}.nii.gz" for channel in (0, 1)]
    for file in files:
        file.touch()
    (case,) = find_inputs(files, 2)
    assert case.images == tuple(files)


def test_scan_that_a_link_does_not_reach_is_named(tmp_path):
    touch(tmp_path, "a.nii.gz")
    (tmp_path / "b.nii.gz").symlink_to(tmp_path / "gone.nii.gz")
    (tmp_path / "folder").mkdir()
    (tmp_path / "c.nii.gz").symlink_to(tmp_path / "folder")
    failed = {}
    cases = find_inputs([tmp_path], 1, fail=failed.__setitem__)
    assert list(names(cases)) == ["a"]
    assert list(failed) == ["b"]
    assert "b.nii.gz: is a link to a file" in str(failed["b"])


def test_scans_of_other_formats_are_told(tmp_path, caplog):
    touch(tmp_path, "a.nii.gz", "b.nrrd", "c.MHA", "notes.txt")
    assert list(names(find_inputs([tmp_path], 1))) == ["a"]
    find_inputs([tmp_path], 1)
    assert caplog.text.count("2 file(s) of formats that are not read") == 1
    assert "b.nrrd" in caplog.text
