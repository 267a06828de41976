"""How the cases of a synthetic data set are divided."""

from keras_isample.errors import InputError


def cardiac_splits(cases: int) -> list[str]:
    """Part of each case: half train, a tenth validation, the rest test."""
    _check(cases, 3)
    train, validation = max(1, cases // 2), max(1, cases // 10)
    test = cases - train - validation
    return ["train"] * train + ["validation"] * validation + ["test"] * test


def brain_splits(cases: int) -> list[tuple[str, str]]:
    """Step and part of each case.

    Two fifths of the cases are for pre-training, three tenths for fine-tuning
    and three tenths for test (20, 15 and 15 of 50); of the first two a fifth,
    but no case of fewer than three, is for validation.

    Returns:
        `("pretraining" | "finetuning" | "test", "train" | "validation" |
        "test")` for each case.
    """
    _check(cases, 3)
    pretraining = max(1, round(0.4 * cases))
    test = max(1, round(0.3 * cases))
    finetuning = cases - pretraining - test
    steps = [("pretraining", pretraining), ("finetuning", finetuning)]
    result = []
    for step, number in steps:
        validation = max(1, round(0.2 * number)) if number > 2 else 0
        result += [(step, "train")] * (number - validation)
        result += [(step, "validation")] * validation
    return result + [("test", "test")] * test


def _check(cases: int, least: int) -> None:
    if cases < least:
        raise InputError(
            "cases", f"received {cases}", f"Ask for {least} or more"
        )
