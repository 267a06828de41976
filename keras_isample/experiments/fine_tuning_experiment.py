"""Pre-training on automatic labels, fine-tuning on manual ones (brain MR)."""

import json
from dataclasses import replace
from pathlib import Path

from keras_isample.commands.evaluate import evaluate_run
from keras_isample.errors import InputError
from keras_isample.experiments.comparison import Comparison
from keras_isample.experiments.experiment import Experiment
from keras_isample.experiments.result_curves import draw_training
from keras_isample.experiments.result_tables import runs_table
from keras_isample.experiments.sharing import share
from keras_isample.experiments.statistics import measure
from keras_isample.experiments.tables import Table
from keras_isample.figures.boxes import draw_boxes
from keras_isample.progress import SILENT
from keras_isample.volumes.files import write_text

_BEFORE = "pre-trained on automatic labels"
_AFTER = "fine-tuned on manual labels"


class FineTuningExperiment(Experiment):
    """Ways of training on automatic labels, each then fine-tuned.

    Everything is tested on the test cases of the manual labels.

    Args:
        folder: Where runs, tables and pictures are written.
        automatic: Data set with automatic labels.
        manual: Data set of the same structures with manual labels.
        settings: Common settings, as those of a configuration file.
        arms: `Arm`s of the pre-training; the first is drawn in boxes.
        fine_tuning: Settings of the fine-tuning that differ.
        published: Name to Dice of other people, below our own.

    Attributes:
        first: The `Comparison` of the pre-training.
        second: That of the fine-tuning.

    Raises:
        InputError: If a setting is unknown or out of range.
    """

    def __init__(
        self,
        folder,
        automatic,
        manual,
        settings,
        arms,
        fine_tuning,
        *,
        published=None,
    ):
        super().__init__(folder)
        self.manual = Path(manual)
        self.arms = list(arms)
        self.published = published or {}
        self.first = Comparison(
            self.folder / "pretraining", automatic, settings, self.arms
        )
        self.second = Comparison(
            self.folder / "fine_tuning",
            manual,
            {**settings, **fine_tuning},
            [self._tuned(arm) for arm in self.arms],
        )
        self.comparisons = [self.first, self.second]

    def train(self, *, say, **options):
        """Trains, tests and tunes what has not finished."""
        self.first.train(say=say, **options)
        self._test_first(say, options.get("reporter", SILENT))
        self._check_origins()
        self.second.train(say=say, **options)

    def _tuned(self, arm):
        """An arm's fine-tuning, with the loss that its schedule ends with."""
        config = self.first.config(arm, arm.seeds[0])
        last, _ = config.loss.stages(config.training.epochs)[-1]
        return replace(
            arm,
            settings={
                **arm.settings,
                "loss": last,
                "loss_schedule": (),
                "loss_transition": "step",
            },
            start=lambda seed: self.first.run_folder(arm, seed).path,
        )

    def _test_first(self, say, reporter):
        """Tests every pre-trained model on the manual labels."""

        def work(pair):
            folder = self.first.run_folder(*pair)
            if self._summary_of_first(*pair).is_file():
                return
            with reporter.phase("evaluating", item="case") as phase:
                evaluate_run(
                    folder.path,
                    "test",
                    data=self.manual,
                    tile_memory=folder.config().training.tile_bytes,
                    postprocess="none",
                    overwrite=True,
                    progress=phase,
                    voxels=phase.within,
                )

        share(self.first.pairs(), work, self.first.lock, say=say)

    def _check_origins(self):
        """Refuses fine-tuning that began before its origin had ended."""
        for arm, tuned in zip(self.arms, self.second.arms, strict=True):
            for seed in arm.seeds:
                folder = self.second.run_folder(tuned, seed)
                if not folder.manifest_file.is_file():
                    continue
                origin = self.first.run_folder(arm, seed).manifest()
                if folder.manifest()["started"] < origin["finished"]:
                    raise InputError(
                        folder.path,
                        "was tuned from weights that were trained on since",
                        "Remove it, and it is tuned anew",
                    )

    def _summary_of_first(self, arm, seed):
        folder = self.first.run_folder(arm, seed)
        name = f"{self.manual.resolve().name}-test"
        return folder.evaluation(name) / "summary.json"

    def _summaries(self, arm):
        """Of the runs that were tested before, and of those after."""
        before, after = [], []
        tuned = self.second.arms[self.arms.index(arm)]
        for seed in arm.seeds:
            file = self._summary_of_first(arm, seed)
            done = self.second.has_finished(tuned, seed)
            if file.is_file():
                before.append(json.loads(file.read_text(encoding="utf-8")))
            if done:
                after += self.second.test_summaries(tuned, [seed])
        return before, after

    def _write_report(self):
        found = {arm.name: self._summaries(arm) for arm in self.arms}
        tables = [
            self._mean_table(found),
            *(
                self._structure_table(arm, *found[arm.name])
                for arm in self.arms
            ),
            runs_table(self.first, f"Runs {_BEFORE}"),
            runs_table(self.second, f"Runs {_AFTER}"),
        ]
        names = [
            "dice",
            *(f"structures_{arm.name}" for arm in self.arms),
            "runs_pretraining",
            "runs_fine_tuning",
        ]
        for name, table in zip(names, tables, strict=True):
            table.write_csv(self.folder / f"{name}.csv")
        pictures = ["pretraining.png", "fine_tuning.png"]
        for comparison, name in zip(
            (self.first, self.second), pictures, strict=True
        ):
            draw_training(comparison, comparison.arms, self.folder / name)
        before, after = found[self.arms[0].name]
        if before and after:
            pictures.append("structures.png")
            _draw_structures(
                self.folder / "structures.png",
                self.arms[0].title,
                {_BEFORE: before, _AFTER: after},
            )
        text = ["# Automatic labels first, manual ones after", ""]
        text += [f"![{name}]({name})" for name in pictures]
        text += ["", *(table.to_markdown() for table in tables)]
        write_text(self.folder / "report.md", "\n".join(text))
        return tables

    def _mean_table(self, found):
        rows = [
            (arm.title, len(found[arm.name][0]), *_means(found[arm.name]))
            for arm in self.arms
        ]
        rows += [(n, None, d, None) for n, d in self.published.items()]
        return Table(
            "Mean test Dice",
            ("loss", "runs", _BEFORE, _AFTER),
            rows,
            "Mean over structures and test cases with manual labels, ± its "
            "standard deviation over seeds; no post-processing.",
        )

    def _structure_table(self, arm, before, after):
        labels = (before or after or [{"labels": {}}])[0]["labels"]
        rows = [
            (
                name,
                *(
                    measure(s["mean"][label]["Dice"] for s in summaries)
                    for summaries in (before, after)
                ),
            )
            for label, name in labels.items()
        ]
        return Table(
            f"{arm.title}: test Dice", ("structure", _BEFORE, _AFTER), rows
        )


def _means(pair):
    return [
        measure(summary["foreground_mean"]["Dice"] for summary in summaries)
        for summaries in pair
    ]


def _draw_structures(path, title, found):
    """Boxes over test cases and seeds (the paper's Fig. 2)."""
    labels = next(iter(found.values()))[0]["labels"]

    def dice(summaries, label):
        values = [
            case["metrics"][label]["Dice"]
            for summary in summaries
            for case in summary["metric_per_case"]
        ]
        return [value for value in values if value is not None]

    draw_boxes(
        path,
        list(labels.values()),
        {
            name: [dice(summaries, label) for label in labels]
            for name, summaries in found.items()
        },
        title=title,
        quantity="test Dice",
        limits=(0, 1),
    )
