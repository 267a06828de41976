"""What all experiments do: train what has not finished, then report."""

from abc import ABC
from abc import abstractmethod
from pathlib import Path


class Experiment(ABC):
    """Runs that are compared, with the tables and pictures made of them.

    Args:
        folder: Where runs, tables and pictures are written.

    Attributes:
        comparisons: The runs, `Comparison`s in the order of training.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.comparisons = []

    def run(self, *, say, train=True, **options):
        """Trains what has not finished, writes the report and says its tables.

        Args:
            say: Called with each line meant for the user.
            train: Whether anything is trained.
            options: See `Comparison.train`.

        Returns:
            List of `Table`s.

        Raises:
            InputError: If a run that is there was made with other settings.
        """
        for comparison in self.comparisons:
            comparison.check()
        if train:
            self.train(say=say, **options)
        self.folder.mkdir(parents=True, exist_ok=True)
        tables = self.write_report()
        for table in tables:
            say(table.to_markdown())
        say(str(self.folder / "report.md"))
        return tables

    def train(self, **options):
        """Trains what has not finished; see `Comparison.train`."""
        for comparison in self.comparisons:
            comparison.train(**options)

    @abstractmethod
    def write_report(self):
        """Writes `report.md`, tables and pictures of what has finished.

        Returns:
            List of `Table`s.
        """
