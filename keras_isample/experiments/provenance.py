"""Which code made a result: the git commit of the package's checkout."""

import functools
import subprocess
from pathlib import Path

import keras

from keras_isample.training.run_folder import RunFolder

UNKNOWN = "unknown"
_SOURCES = ("*.py", "apps", "keras_isample")


def git_commit(folder=None):
    """Short hash of the commit that a folder of sources is checked out at.

    Args:
        folder: The folder; that of this package if `None`.

    Returns:
        The hash, with `-dirty` if sources differ from it; `"unknown"` if the
        folder's files are in no commit.
    """
    folder = Path(folder or Path(__file__).parents[1])
    known = _git(folder, "rev-parse", "--short=12", "HEAD")
    root = _git(folder, "rev-parse", "--show-toplevel")
    # A checkout of something else may lie around an installed package.
    if not known or not root or not _git(folder, "ls-files", "*.py"):
        return UNKNOWN
    changes = _git(Path(root), "status", "--porcelain", "--", *_SOURCES)
    return f"{known}-dirty" if changes or changes is None else known


@functools.cache
def loaded_commit():
    """`git_commit` of this package when a program first asked.

    The checkout may move while the program runs, the code in it does not.
    """
    return git_commit()


def commits_of(folder):
    """Commits that trained a run, oldest first.

    Args:
        folder: Its `RunFolder`.
    """
    return folder.manifest().get("commits", [UNKNOWN])


class CommitRecord(keras.callbacks.Callback):
    """Notes in a run's manifest which commit trains it from here on.

    Args:
        folder: A `RunFolder`, or its path.
        commit: See `loaded_commit`.
    """

    def __init__(self, folder, commit):
        super().__init__()
        self.commit = commit
        self.folder = (
            folder if isinstance(folder, RunFolder) else RunFolder(folder)
        )

    def on_train_begin(self, logs=None):
        note_commit(self.folder, self.commit)


def note_commit(folder, commit):
    """Adds a commit to those of a `RunFolder`."""
    commits = folder.manifest().get("commits", [])
    if commit not in commits[-1:]:
        folder.update_manifest(commits=[*commits, commit])


def _git(folder, *arguments):
    """What git prints, without its last newline; `None` if it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
