"""Makes error maps: `python -m keras_isample.callbacks.error_map_worker`.

It reads one task a line from its standard input, in JSON: the facts of a
prepared case, the version of the weights, the seed of the rounding and the file
to write. The answer is a line when it is written. It ends when its input
does, so that it never outlives the training, even one that was killed.
"""

import json
import os
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue

NICENESS = 10
"""Training goes first where both want the same processor."""


def main(folder, tile_memory):
    """Answers tasks until there are no more.

    Args:
        folder: Folder of the `PublishedWeights`.
        tile_memory: About how many bytes the maps of one tile may take, as
            text.
    """
    os.nice(NICENESS)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # Whatever else is printed must not get between the answers.
    os.dup2(2, 1)
    tasks = SimpleQueue()
    threading.Thread(target=_read, args=(tasks,), daemon=True).start()
    try:
        size = None if tile_memory == "None" else int(tile_memory)
        _answer(tasks, answers, Path(folder), size)
    except Exception:
        traceback.print_exc()
        # The usual way out would stumble over the thread.
        os._exit(1)


def _answer(tasks, answers, folder, tile_memory):
    from keras_isample.callbacks.predicted_errors import predicted_errors
    from keras_isample.callbacks.published_weights import PublishedWeights
    from keras_isample.models.keras_settings import set_keras
    from keras_isample.sampling.error_map_files import write_tiles

    set_keras()
    weights = PublishedWeights(folder)
    model = weights.model()
    while True:
        task = json.loads(tasks.get())
        weights.load(task["version"], model)
        case = _case(task["case"])
        errors = predicted_errors(
            model, case, tuple(task["seed"]), tile_memory=tile_memory
        )
        write_tiles(Path(task["path"]), case.shape, errors)
        answers.write(json.dumps(task["version"]) + "\n")
        answers.flush()


def _case(facts):
    from keras_isample.data.preparation import PreparedCase

    tuples = {k: tuple(v) for k, v in facts.items() if isinstance(v, list)}
    return PreparedCase(**{**facts, **tuples, "folder": Path(facts["folder"])})


def _read(tasks):
    for line in sys.stdin:
        tasks.put(line)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
