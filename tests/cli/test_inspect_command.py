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
