"""The isample papers' first experiment: isample against uniform sampling."""

from keras_isample.config import Config
from keras_isample.errors import InputError
from keras_isample.experiments.comparison import Arm
from keras_isample.experiments.comparison import Comparison
from keras_isample.experiments.experiment import Experiment
from keras_isample.experiments.half_length import half_length
from keras_isample.experiments.learning_rates import arms_at_rates
from keras_isample.experiments.report import write_report


class SamplingExperiment(Experiment):
    """Runs of equal data, split, seeds and steps; only the sampling differs.

    Args:
        folder: Where runs, tables and pictures are written.
        data_path: The data set.
        settings: Common settings, as those of a configuration file.
        seeds: Number of runs of isample and of uniform.
        epsilons: Of more isample arms.
        epsilon_seeds: Number of runs of each of these.
        error_maps: Other ways to make error maps, of arms with as many seeds:
            `"online"`, `"concurrent"`.
        error_map_shares: Shares of the time that bound the maps of more
            isample arms, with as many seeds as these; where a share does not
            allow whole scans, blocks are refreshed.
        half: Whether there is one more isample arm, planned for half the
            epochs; a rate that falls does so in half the time.
        learning_rates: Of more arms, one of isample and one of uniform each,
            with as many seeds as these.
        published: Of other people, see `report.write_report`.

    Attributes:
        comparison: The runs, a `Comparison`.

    Raises:
        InputError: If a setting is unknown or out of range.
    """

    def __init__(
        self,
        folder,
        data_path,
        settings,
        *,
        seeds=3,
        epsilons=(),
        epsilon_seeds=1,
        error_maps=(),
        error_map_shares=(),
        half=False,
        learning_rates=(),
        published=None,
    ):
        if not 1 <= epsilon_seeds <= seeds:
            raise InputError(
                "`epsilon_seeds`",
                f"received {epsilon_seeds}, with `seeds` {seeds}",
                "Use 1 or more, and no more than `seeds`",
            )
        settings = dict(settings)
        epsilon = float(settings.pop("epsilon", 0.01))
        super().__init__(folder)
        self.isample = _isample(epsilon, seeds, "isample")
        self.uniform = Arm(
            "uniform", "uniform", {"sampling": "uniform"}, tuple(range(seeds))
        )
        self.others = [
            _isample(value, epsilon_seeds, f"isample, epsilon {value:g}")
            for value in sorted(set(epsilons) - {epsilon})
        ]
        self.ways = [
            Arm(
                f"isample-{way}",
                f"isample, {way} maps",
                {
                    **self.isample.settings,
                    "error_maps": way,
                    # They choose the scans themselves.
                    "error_map_cases": "all",
                },
                tuple(range(epsilon_seeds)),
            )
            for way in error_maps
        ]
        self.ways += [
            Arm(
                f"isample-share{share:g}",
                f"isample, maps within {100 * share:g} %",
                {
                    **self.isample.settings,
                    "error_map_share": share,
                    # Blocks are of all cases.
                    "error_map_cases": "all",
                    "sample_from": "auto",
                },
                tuple(range(epsilon_seeds)),
            )
            for share in sorted(set(error_map_shares))
        ]
        arms = [self.isample, self.uniform, *self.others, *self.ways]
        self.half = None
        if half:
            whole = Comparison(self.folder, data_path, settings, arms)
            self.half = Arm(
                f"{self.isample.name}-half",
                "isample, half as long",
                {
                    **self.isample.settings,
                    **half_length(whole.config(self.isample, 0)),
                },
                self.isample.seeds,
            )
            arms.append(self.half)
        main = [self.isample, self.uniform]
        common = Config.from_settings(data_path, settings).optimizer
        if learning_rates and (
            common.is_auto or common.schedule[0] == "replay"
        ):
            raise InputError(
                "`learning_rates`",
                "are compared of runs whose own rate is a number",
                "Give `learning_rate` a number, without replay",
            )
        if set(learning_rates) == {common.learning_rate}:
            raise InputError(
                "`learning_rates`",
                f"has only the rate of all runs, {common.learning_rate:g}",
                "Give others",
            )
        self.rates = arms_at_rates(
            main, sorted(set(learning_rates) - {common.learning_rate})
        )
        arms += self.rates
        self.comparison = Comparison(
            self.folder / "runs", data_path, settings, arms
        )
        self.comparisons = [self.comparison]
        self.published = published

    def _write_report(self):
        return write_report(
            self.comparison,
            self.isample,
            self.uniform,
            self.others,
            self.ways,
            self.folder,
            half=self.half,
            rates=self.rates,
            published=self.published,
        )


def parse_epsilons(text):
    """Numbers from a text such as `"0,0.1,1"`; none if it is empty."""
    return _numbers("`epsilons`", text, "0,0.1,1")


def parse_shares(text):
    """Shares from a text such as `"0.02,0.15"`; none if it is empty."""
    return _numbers("`error_map_shares`", text, "0.02,0.15")


def _numbers(option, text, example):
    try:
        values = [float(part) for part in text.split(",") if part.strip()]
        if not all(0 <= value <= 1 for value in values):
            raise ValueError
    except ValueError:
        raise InputError(
            option,
            f"must be numbers from 0 to 1, got {text!r}",
            f"Write them like {example}",
        ) from None
    return values


def _isample(epsilon, seeds, title):
    return Arm(
        f"isample-epsilon{epsilon:g}",
        title,
        {"sampling": "isample", "epsilon": epsilon},
        tuple(range(seeds)),
    )
