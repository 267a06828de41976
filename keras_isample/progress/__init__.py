"""How far work has come: silent, in lines, or on a terminal's last row."""

from keras_isample.progress.lines import LineReporter
from keras_isample.progress.pace import Pace
from keras_isample.progress.phase import Phase
from keras_isample.progress.reporter import SILENT
from keras_isample.progress.reporter import Reporter
from keras_isample.progress.showing import ShowingReporter
from keras_isample.progress.terminal import TerminalReporter
from keras_isample.progress.terminal import reporter_for
from keras_isample.progress.times import clock_text

__all__ = [
    "LineReporter",
    "Pace",
    "Phase",
    "Reporter",
    "SILENT",
    "ShowingReporter",
    "TerminalReporter",
    "clock_text",
    "reporter_for",
]
