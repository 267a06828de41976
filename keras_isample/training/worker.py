"""A process that trains members: `python -m keras_isample.training.worker`.

It reads one task a line from its standard input and answers each with one
line, both JSON. It ends when its input does, so that no worker outlives its
driver, even one that was killed.
"""

import json
import os
import signal
import sys
import threading
from dataclasses import asdict
from queue import SimpleQueue


def main(run, threads):
    """Answers tasks until there are no more.

    Args:
        run: The run folder of the population.
        threads: CPU threads of a member, as text.
    """
    # Ctrl-C reaches the whole group; the driver decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # Whatever else is printed must not get between the answers.
    os.dup2(2, 1)
    tasks = SimpleQueue()
    threading.Thread(target=_read, args=(tasks,), daemon=True).start()

    from keras_isample.errors import InputError
    from keras_isample.training.member import READY
    from keras_isample.training.member import MemberRunner
    from keras_isample.training.member import MemberTask
    from keras_isample.training.member import run_member

    def answer(content):
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    try:
        runner = MemberRunner(run, int(threads))
    except InputError as error:
        answer({"kind": "refused", "reason": str(error)})
        return
    answer(READY)
    while True:
        task = MemberTask.from_json(json.loads(tasks.get()))
        answer(asdict(run_member(runner, task)))


def _read(tasks):
    for line in sys.stdin:
        tasks.put(line)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
