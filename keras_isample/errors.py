"""The one error that users cause and users can mend."""


class InputError(ValueError):
    """Something that was given to the program cannot be used.

    The text is one line, `<source>: <problem>. <cure>`, as the command line
    shows it.

    Args:
        source: The file, folder or option at fault.
        problem: What is wrong with it, without a final period.
        cure: What to do about it, without a final period.
    """

    def __init__(self, source, problem, cure):
        self.source = str(source)
        self.problem = _one_line(problem)
        self.cure = _one_line(cure)
        super().__init__(f"{self.source}: {self.problem}. {self.cure}.")


def _one_line(text):
    return " ".join(str(text).split()).rstrip(".")
