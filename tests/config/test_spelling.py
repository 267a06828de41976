"""Options in place of arguments."""

from click import Argument
from click import Option

from keras_isample.config.spelling import options_by_name
from keras_isample.config.spelling import spelled

OPTIONS = {
    "epochs": "--epochs",
    "error_maps": "--error-maps",
    "augment": "--augment",
    "data_path": "--data",
}


def test_names_of_options_come_from_the_command():
    options = options_by_name(
        [
            Argument(["run"]),
            Option(["-q", "--quiet"], is_flag=True),
            Option(["--augment/--no-augment"]),
            Option(["--data", "data_path"]),
        ]
    )
    assert options == {
        "quiet": "--quiet",
        "augment": "--augment",
        "data_path": "--data",
    }


def test_arguments_become_options():
    text = "`epochs`: is 3. Use more `epochs`, or `error_maps='epoch'`."
    assert spelled(text, OPTIONS) == (
        "--epochs: is 3. Use more --epochs, or --error-maps epoch."
    )


def test_flags_have_no_value():
    assert spelled("`augment=True`", OPTIONS) == "--augment"
    assert spelled("`augment=False`", OPTIONS) == "--no-augment"


def test_numbers_and_empty_fields_of_a_log_are_values():
    assert spelled("`epochs=3`", OPTIONS) == "--epochs 3"
    assert spelled("`data_path='%s'`", OPTIONS) == "--data %s"


def test_all_else_stays():
    for text in (
        "epochs/error_maps: does not exist",
        "`epoch`: is no option",
        "`keras_isample.training`",
        "a`epochs b`",
        "'epochs'",
    ):
        assert spelled(text, OPTIONS) == text
