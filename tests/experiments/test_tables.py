"""Markdown and CSV of the same rows."""

from keras_isample.experiments.statistics import Measured
from keras_isample.experiments.tables import Table

TABLE = Table(
    "Dice",
    ("sampling", "runs", "5 steps", "reached"),
    [
        ("isample", 2, Measured(0.85, 0.125, 2), 5),
        ("published", None, 0.855, None),
    ],
    "A note.",
)


def test_markdown():
    assert TABLE.to_markdown() == (
        "## Dice\n"
        "\n"
        "| sampling | runs | 5 steps | reached |\n"
        "|---|---|---|---|\n"
        "| isample | 2 | 0.850 ± 0.125 | 5 |\n"
        "| published | - | 0.855 | - |\n"
        "\n"
        "A note.\n"
    )


def test_csv_has_unrounded_numbers_and_what_they_come_from():
    assert TABLE.to_csv() == (
        "sampling,runs,5 steps,5 steps std,5 steps runs,reached\n"
        "isample,2,0.85,0.125,2,5\n"
        "published,,0.855,,,\n"
    )


def test_csv_without_rows_is_its_header():
    assert Table("", ("a", "b"), []).to_csv() == "a,b\n"


def test_csv_file_is_replaced(tmp_path):
    (tmp_path / "x.csv").write_text("older")
    TABLE.write_csv(tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text() == TABLE.to_csv()
