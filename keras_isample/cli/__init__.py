"""The command line: parse, call, report. Keras is imported by the commands."""

from keras_isample.cli.evaluate_command import evaluate
from keras_isample.cli.fit_command import fit
from keras_isample.cli.group import main
from keras_isample.cli.inspect_command import inspect
from keras_isample.cli.phantom_command import phantom
from keras_isample.cli.predict_command import predict

__all__ = ["evaluate", "fit", "inspect", "main", "phantom", "predict"]
