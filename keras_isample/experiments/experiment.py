"""What all experiments do: train what has not finished, then report."""

from abc import ABC
from abc import abstractmethod
from pathlib import Path

from keras_isample.experiments.comparison import Comparison


class Experiment(ABC):
    """Runs that are compared, with the tables and pictures made of them.

    Args:
        folder: Where runs, tables and pictures are written.

    Attributes:
        comparisons: The runs, in the order of training; set by subclasses.
    """

    comparisons: list[Comparison]

    def __init__(self, folder):
        self.folder = Path(folder)

    def run(self, *, say, train=True, **options):
        """Trains what has not finished, writes the report and says its tables.

        Args:
            say: Called with each line meant for the user.
            train: Whether anything is trained.
            options: See `Comparison.train`.

        Returns:
            List of `Table`s.

        Raises:
            InputError: If a run that is there was made with other settings, or
                from weights that have changed since.
        """
        for comparison in self.comparisons:
            comparison.check()
        if train:
            self.train(say=say, **options)
        self.folder.mkdir(parents=True, exist_ok=True)
        tables = self._write_report()
        for table in tables:
            say(table.to_markdown())
        say(str(self.folder / "report.md"))
        return tables

    def train(self, *, say, **options):
        """Trains what has not finished; see `Comparison.train`."""
        for comparison in self.comparisons:
            comparison.train(say=say, **options)

    @abstractmethod
    def _write_report(self):
        """Writes `report.md`, tables and pictures to the folder.

        Returns:
            List of `Table`s.
        """
