"""Runs of a comparison: equal but for arm and seed, resumed, left alone."""

import contextlib
import json

import pytest

from keras_isample.config import Config
from keras_isample.errors import InputError
from keras_isample.experiments import Arm
from keras_isample.experiments import Comparison
from keras_isample.experiments import comparison as module
from keras_isample.experiments import sharing
from keras_isample.training import recorder
from keras_isample.volumes.lock import held


def again(comparison, **settings):
    """The same comparison with other common settings."""
    config = comparison.config(comparison.arms[0], 0)
    common = {**config.settings(), **settings}
    for name in ("seed", "sampling", "epsilon"):
        common.pop(name)
    return Comparison(
        comparison.folder, config.data_path, common, comparison.arms
    )


def test_runs_differ_in_arm_and_seed_alone(comparison):
    one, two = comparison.arms
    first = comparison.config(one, 0).settings()
    assert first["split_seed"] == 0
    other_seed = comparison.config(one, 1).settings()
    assert {k for k in first if first[k] != other_seed[k]} == {"seed"}
    other_arm = comparison.config(two, 0).settings()
    differing = {k for k in first if first[k] != other_arm[k]}
    assert differing == {"sampling", "epsilon"}


def test_what_a_run_took_from_its_images_is_no_other_setting(tmp_path):
    settings = {"network": "unet", "patch_size": "auto"}
    arms = [Arm("a", "unet", {}, (0,))]
    comparison = Comparison(tmp_path, "data", settings, arms)
    folder = comparison.run_folder(arms[0], 0)
    wanted = comparison.config(arms[0], 0)
    data, config = wanted.data_path, wanted.settings()
    for own, fits in (
        ({"spacing": "native", "axis": "auto"}, True),
        ({"spacing": "1,1,1.5"}, True),
        ({"axis": "coronal"}, False),
        ({"width": 0.5}, False),
    ):
        written = Config.from_settings(data, {**config, **own})
        folder.path.mkdir(exist_ok=True)
        folder.config_file.write_text(written.to_toml())
        if fits:
            comparison.check()
            continue
        with pytest.raises(InputError, match="was made with"):
            comparison.check()


def test_first_seeds_come_first(comparison):
    assert [(a.name, s) for a, s in comparison.pairs()] == [
        ("a", 0),
        ("b", 0),
        ("a", 1),
        ("b", 1),
    ]


def test_wrong_setting_is_refused_before_anything_runs(tmp_path, ball_data):
    arm = Arm("x", "x", {"sampling": "best"}, (0,))
    with pytest.raises(InputError, match="best"):
        Comparison(tmp_path, ball_data, {}, [arm])


def test_finished_runs_are_left_alone(comparison, pretend):
    for arm, seed in comparison.pairs():
        pretend(arm, seed, [0.1, 0.2, 0.3, 0.4], test_dice=0.5)
    before = {p: p.stat().st_mtime_ns for p in comparison.folder.rglob("*")}
    said = []
    comparison.train(say=said.append)
    after = {p: p.stat().st_mtime_ns for p in comparison.folder.rglob("*")}
    assert after == before
    assert len(said) == 4


def test_run_of_another_process_is_waited_for(comparison, pretend, monkeypatch):
    monkeypatch.setattr(sharing, "_PAUSE", 0.01)
    *rest, last = comparison.pairs()
    for arm, seed in rest:
        pretend(arm, seed, [0.1, 0.2, 0.3, 0.4], test_dice=0.5)
    said = []
    with contextlib.ExitStack() as other:
        other.enter_context(held(comparison.lock(last)))

        def say(line):
            said.append(line)
            if line.startswith("waiting"):
                pretend(*last, [0.1, 0.2, 0.3, 0.4], test_dice=0.5)
                other.close()

        comparison.train(say=say)
    assert [line.split()[0] for line in said] == [
        *["run"] * 3,
        "waiting",
        "run",
    ]


def test_run_begun_with_other_settings_in_the_meantime_is_refused(
    comparison, pretend
):
    (arm, seed), (other, _) = comparison.pairs()[:2]
    pretend(arm, seed, [0.1, 0.2, 0.3, 0.4], test_dice=0.5)

    def say(line):
        if line.startswith("run 1 "):
            pretend(other, seed, [0.1, 0.2, 0.3, 0.4], test_dice=0.5)
            file = comparison.run_folder(other, seed).config_file
            text = file.read_text().replace("width = 0.3", "width = 0.4")
            file.write_text(text)

    with pytest.raises(InputError, match="width = 0.4, not 0.3"):
        comparison.train(say=say)


def test_run_with_other_settings_is_refused(comparison, pretend):
    pretend(comparison.arms[0], 0, [0.1] * 4)
    with pytest.raises(InputError, match="width = 0.3, not 0.4"):
        again(comparison, width=0.4).train()
    with pytest.raises(InputError, match="epochs = 4, not 3"):
        again(comparison, epochs=3).train()


def test_more_epochs_make_a_run_unfinished(comparison, pretend):
    arm = comparison.arms[0]
    pretend(arm, 0, [0.1] * 4)
    assert comparison.has_finished(arm, 0)
    assert not again(comparison, epochs=5).has_finished(arm, 0)


class Killed(BaseException):
    """What the process would not survive."""


@pytest.mark.slow
def test_stopped_comparison_goes_on(
    tmp_path, monkeypatch, ball_data, ball_settings, ball_run, assert_same_end
):
    arms = [
        Arm("a", "isample", {"sampling": "isample"}, (0, 1)),
        Arm("b", "uniform", {"sampling": "uniform"}, (0,)),
    ]
    with monkeypatch.context() as patched:
        # The checkout moves while the program runs; the code in it does not.
        patched.setattr(module, "loaded_commit", lambda: "loaded")
        comparison = Comparison(
            tmp_path / "runs", ball_data, {**ball_settings, "epochs": 3}, arms
        )
    calls = []

    def dying(*args):
        calls.append(1)
        if len(calls) == 3:
            raise Killed
        return save_state(*args)

    save_state = recorder.save_state
    with monkeypatch.context() as patched:
        patched.setattr(recorder, "save_state", dying)
        with pytest.raises(Killed):
            comparison.train()
    assert not comparison.has_finished(arms[0], 0)
    comparison.train()
    # As the run that nothing has interrupted, which has the same settings.
    first = comparison.run_folder(arms[0], 0)
    assert_same_end(first.path, ball_run.path)
    folders = [comparison.run_folder(a, s) for a, s in comparison.pairs()]
    facts = [json.loads(f.manifest_file.read_text()) for f in folders]
    assert all(f["cases"] == facts[0]["cases"] for f in facts)
    assert all(f["commits"] == ["loaded"] for f in facts)
    losses = [
        comparison.history(a, s)[0]["loss"] for a, s in comparison.pairs()
    ]
    # The first epoch is drawn alike by both arms; another seed is another run.
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert losses[2] != pytest.approx(losses[0], rel=1e-4)
    for arm, seed in comparison.pairs():
        assert comparison.snapshot(arm, seed, 1).is_file()
        assert comparison.snapshot(arm, seed, 3).is_file()
        (summary,) = comparison.test_summaries(arm, [seed])
        assert summary["labels"] == {"1": "ball", "2": "bead"}


def test_only_seeds_that_all_arms_have_finished_are_compared(
    comparison, pretend
):
    one, two = comparison.arms
    assert comparison.common_seeds([one, two]) == []
    pretend(one, 0, [0.1, 0.2, 0.3, 0.4])
    pretend(one, 1, [0.1, 0.2, 0.3, 0.9])
    assert comparison.common_seeds([one, two]) == [0, 1]
    pretend(two, 0, [0.1, 0.2, 0.3, 0.4])
    pretend(two, 1, [0.1, 0.2, 0.3, 0.4], finished=False)
    assert comparison.common_seeds([one, two]) == [0]


def test_seed_of_a_configuration_is_refused(comparison, ball_settings):
    settings = {**ball_settings, "seed": "3"}
    with pytest.raises(InputError, match="seed"):
        Comparison("runs", "data", settings, comparison.arms)


def test_check_refuses_runs_of_other_settings(comparison, pretend):
    pretend(comparison.arms[0], 0, [0.1, 0.2, 0.3, 0.4])
    comparison.check()
    with pytest.raises(InputError, match="width"):
        again(comparison, width=0.4).check()
