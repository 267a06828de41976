"""Ways of training compared in groups, a table and a picture of each group."""

from dataclasses import dataclass

from keras_isample.experiments.class_bars import draw_class_bars
from keras_isample.experiments.class_bars import draw_class_shares
from keras_isample.experiments.comparison import Arm
from keras_isample.experiments.comparison import Comparison
from keras_isample.experiments.experiment import Experiment
from keras_isample.experiments.result_curves import draw_training
from keras_isample.experiments.result_tables import evaluation_table
from keras_isample.experiments.result_tables import runs_table
from keras_isample.volumes.files import write_text


@dataclass(frozen=True)
class Group:
    """What is shown together; an arm may be in several groups.

    Args:
        name: Of its files.
        title: Of its table and pictures.
        arms: `Arm`s; those of one name are the same runs.
    """

    name: str
    title: str
    arms: tuple[Arm, ...]


class SettingsExperiment(Experiment):
    """Groups of ways of training on the same data and split.

    Args:
        folder: Where runs, tables and pictures are written.
        data_path: The data set.
        settings: Common settings, as those of a configuration file.
        groups: `Group`s.
        title: Of the report.

    Attributes:
        comparison: The runs, a `Comparison`.

    Raises:
        InputError: If a setting is unknown or out of range.
    """

    def __init__(self, folder, data_path, settings, groups, *, title):
        super().__init__(folder)
        self.groups = list(groups)
        self.title = title
        arms = {arm.name: arm for group in groups for arm in group.arms}
        self.comparison = Comparison(
            self.folder / "runs", data_path, settings, list(arms.values())
        )
        self.comparisons = [self.comparison]

    def _write_report(self):
        comparison = self.comparison
        text = [f"# {self.title}", ""]
        if draw_class_shares(comparison, self.folder / "class_shares.png"):
            text += ["![class shares](class_shares.png)", ""]
        tables = []
        for group in self.groups:
            table = evaluation_table(
                comparison, group.arms, title=f"{group.title}: test Dice"
            )
            table.write_csv(self.folder / f"{group.name}.csv")
            text += [table.to_markdown()]
            tables.append(table)
            if not any(comparison.histories(arm) for arm in group.arms):
                continue
            draw_training(
                comparison,
                group.arms,
                self.folder / f"{group.name}_curves.png",
                comparison.common_seeds(group.arms),
            )
            text += [f"![curves]({group.name}_curves.png)"]
            if draw_class_bars(
                comparison,
                group.arms,
                self.folder / f"{group.name}.png",
                title=group.title,
            ):
                text += [f"![Dice per class]({group.name}.png)"]
            text += [""]
        runs = runs_table(comparison)
        runs.write_csv(self.folder / "runs.csv")
        text += [runs.to_markdown()]
        write_text(self.folder / "report.md", "\n".join(text))
        return [*tables, runs]
