"""`keras-isample inspect`."""

import json


def test_inspection_of_good_data_exits_with_0(ball_data, run):
    result = run("inspect", ball_data, "--quiet")
    assert result.exit_code == 0
    assert "case_3" in result.stdout


def test_inspection_of_bad_data_exits_with_2(tmp_path, write_balls, run):
    data = write_balls(tmp_path / "data", cases=2)
    path = data / "images/case_1.nii.gz"
    path.write_bytes(path.read_bytes()[:-9])
    result = run("inspect", data, "--quiet")
    assert result.exit_code == 2
    assert str(path) in result.stdout


def test_inspection_is_machine_readable(ball_data, run):
    result = run("inspect", ball_data, "--json", "--quiet")
    assert len(json.loads(result.stdout)) > 0


def test_inspection_tells_what_a_spacing_loses(tmp_path, write_balls, run):
    data = write_balls(tmp_path / "data", cases=2)
    result = run("inspect", data, "--quiet", "--spacing", "9,9,9")
    assert result.exit_code == 0
    assert "bead: lost by resampling to 9 x 9 x 9 mm" in result.stdout
    result = run("inspect", data, "--spacing", "9,9,9", "--json", "--quiet")
    assert json.loads(result.stdout)[0]["lost"] == ["bead"]
    assert "bead: lost by resampling" in result.stderr


def test_inspection_refuses_a_spacing_that_is_none(ball_data, run):
    result = run("inspect", ball_data, "--spacing", "1,1")
    assert result.exit_code == 2
    assert "--spacing" in result.stderr
