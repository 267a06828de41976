"""Seeded training, validation and test parts of a list of names."""

from collections.abc import Iterable
from collections.abc import Sequence

import numpy as np

from keras_isample.errors import InputError


def split_names(
    names: Iterable[str],
    shares: tuple[float, float, float],
    *,
    seed: int = 0,
    fold: tuple[int, int] | None = None,
) -> tuple[list[str], list[str], list[str]]:
    """Draws disjoint parts that together hold every name.

    Args:
        names: Names, in any order; the parts do not depend on it.
        shares: Training, validation and test, as fractions or numbers of
            cases: only their ratio counts, so `(16, 4, 0)` of 20 names
            gives parts of 16, 4 and 0.
        seed: Of the permutation.
        fold: `(k, n)`, `k` from 1 to `n`: the test part is the k-th of n
            folds, and validation gets its share of the rest.

    Returns:
        Three sorted lists: training, validation, test.

    Raises:
        InputError: If shares are negative or all 0, or there is no such
            fold.
    """
    ordered = sorted(names)
    order = np.random.default_rng(seed).permutation(len(ordered))
    shuffled = [ordered[i] for i in order]
    if fold is None:
        train, validation, _ = split_sizes(len(shuffled), shares)
        test = shuffled[train + validation :]
        rest = shuffled[: train + validation]
    else:
        test, rest = _cut_fold(shuffled, fold)
        train, _ = split_sizes(len(rest), shares[:2])
    return sorted(rest[:train]), sorted(rest[train:]), sorted(test)


def split_sizes(number: int, shares: Sequence[float]) -> tuple[int, ...]:
    """Numbers of cases in each part, by the largest remainders.

    A part whose share is not 0 gets at least one case, as long as there are
    enough, the earlier parts first.

    Args:
        number: Of cases.
        shares: One a part; only their ratio counts.

    Returns:
        Sizes whose sum is `number`.
    """
    shares = np.asarray(shares, dtype=np.float64)
    if not np.isfinite(shares).all() or (shares < 0).any() or not shares.any():
        raise InputError(
            "split",
            f"shares {', '.join(f'{s:g}' for s in shares)} cannot be used",
            "Give positive numbers, such as 0.7,0.1,0.2",
        )
    # Rounded, so that 0.1 of 30 is 3 and not a hair less.
    quotas = np.round(shares * number / shares.sum(), 9)
    sizes = np.floor(quotas).astype(int)
    by_remainder = np.argsort(-(quotas - sizes).round(9), kind="stable")
    sizes[by_remainder[: number - sizes.sum()]] += 1
    for part in np.flatnonzero((shares > 0) & (sizes == 0)):
        if sizes.max() > 1:
            sizes[sizes.argmax()] -= 1
            sizes[part] += 1
    return tuple(int(size) for size in sizes)


def _cut_fold(
    shuffled: list[str], fold: tuple[int, int]
) -> tuple[list[str], list[str]]:
    k, n = fold
    if not 2 <= n <= len(shuffled) or not 1 <= k <= n:
        raise InputError(
            "fold",
            f"there is no fold {k} of {n} of {len(shuffled)} cases",
            f"Use K/N with N from 2 to {len(shuffled)} and K from 1 to N",
        )
    start, stop = ((k - 1) * len(shuffled) // n, k * len(shuffled) // n)
    # Starting after the fold, validation cases change with it too.
    return shuffled[start:stop], shuffled[stop:] + shuffled[:start]
