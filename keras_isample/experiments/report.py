"""Tables and pictures of isample against uniform, from finished runs."""

from collections.abc import Mapping
from pathlib import Path

from keras_isample.experiments.comparison import Arm
from keras_isample.experiments.comparison import Comparison
from keras_isample.experiments.error_slices import draw_error_slices
from keras_isample.experiments.learning_rates import draw_rates
from keras_isample.experiments.learning_rates import rate_of
from keras_isample.experiments.learning_rates import rates_table
from keras_isample.experiments.result_curves import draw_curves
from keras_isample.experiments.result_curves import draw_dice
from keras_isample.experiments.result_curves import draw_epsilons
from keras_isample.experiments.result_tables import curves_table
from keras_isample.experiments.result_tables import dice_table
from keras_isample.experiments.result_tables import epsilon_table
from keras_isample.experiments.result_tables import evaluation_table
from keras_isample.experiments.result_tables import half_table
from keras_isample.experiments.result_tables import runs_table
from keras_isample.experiments.result_tables import time_table
from keras_isample.experiments.result_tables import ways_table
from keras_isample.experiments.tables import Table
from keras_isample.volumes.files import write_text


def write_report(
    comparison: Comparison,
    isample: Arm,
    uniform: Arm,
    others: list[Arm],
    ways: list[Arm],
    folder: str | Path,
    *,
    half: Arm | None = None,
    rates: list[Arm] = (),
    published: Mapping[str, tuple] | None = None,
) -> list[Table]:
    """Writes `report.md`, a CSV for each table, and PNGs.

    Only finished runs count.

    Args:
        comparison: The `Comparison`.
        isample: Its main arm.
        uniform: The arm that it is compared with.
        others: Arms with other epsilons.
        ways: Arms whose error maps are made in other ways.
        folder: Where to write; it is there.
        half: The isample arm that is planned for half the epochs.
        rates: Both arms at other learning rates, isample before uniform.
        published: Name to the four Dice at an eighth, a quarter, half and all
            of the steps, `None` where not known; shown below our own.

    Returns:
        The `Table`s.
    """
    folder = Path(folder)
    main = [isample, uniform]
    every = [*main, *others, *ways, *([half] if half else []), *rates]
    tables = {
        "dice_at_steps": dice_table(comparison, main, uniform, published),
        "test_dice": evaluation_table(comparison, main),
        "time": time_table(comparison, every),
        "runs": runs_table(comparison),
    }
    pictures = ["curves.png", "dice.png"]
    draw_curves(comparison, main, folder / "curves.png")
    draw_dice(comparison, main, uniform, folder / "dice.png")
    if draw_error_slices(comparison, main, folder / "error_maps.png"):
        pictures.append("error_maps.png")
    if others:
        arms = sorted(
            [isample, *others], key=lambda arm: arm.settings["epsilon"]
        )
        tables["epsilon"] = epsilon_table(comparison, [*arms, uniform])
        draw_epsilons(comparison, arms, folder / "epsilon.png")
        pictures.append("epsilon.png")
    if ways:
        tables["error_map_ways"] = ways_table(
            comparison, [isample, *ways, uniform]
        )
    if half:
        tables["half_length"] = half_table(comparison, [half, *main])
    if rates:
        pairs = [main, *zip(rates[::2], rates[1::2], strict=True)]
        pairs.sort(key=lambda pair: rate_of(comparison, pair[0]))
        tables["learning_rates"] = rates_table(comparison, pairs)
        draw_rates(comparison, pairs, folder / "learning_rates.png")
        pictures.append("learning_rates.png")
    curves_table(comparison, every).write_csv(folder / "curves.csv")
    for name, table in tables.items():
        table.write_csv(folder / f"{name}.csv")
    text = ["# isample against uniform sampling", ""]
    text += [f"![{name}]({name})" for name in pictures]
    text += ["", *(table.to_markdown() for table in tables.values())]
    write_text(folder / "report.md", "\n".join(text))
    return list(tables.values())
