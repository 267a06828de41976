"""Parts of a data set."""

import pytest

from keras_isample.data.splits import split_names
from keras_isample.data.splits import split_sizes
from keras_isample.errors import InputError

NAMES = [f"case_{i:02d}" for i in range(20)]


@pytest.mark.parametrize(
    "number, shares, sizes",
    [
        (10, (0.7, 0.1, 0.2), (7, 1, 2)),
        (24, (0.7, 0.1, 0.2), (17, 2, 5)),
        (20, (16, 4, 0), (16, 4, 0)),
        (20, (14, 2, 4), (14, 2, 4)),
        (30, (0.7, 0.1, 0.2), (21, 3, 6)),
        (3, (0.9, 0.05, 0.05), (1, 1, 1)),
        (2, (0.7, 0.1, 0.2), (1, 1, 0)),
        (1, (0.7, 0.1, 0.2), (1, 0, 0)),
        (0, (0.7, 0.1, 0.2), (0, 0, 0)),
        (5, (0, 0, 1), (0, 0, 5)),
    ],
)
def test_sizes_follow_the_shares(number, shares, sizes):
    assert split_sizes(number, shares) == sizes


def test_sizes_always_sum_to_the_number_of_cases():
    for number in range(60):
        sizes = split_sizes(number, (0.61, 0.13, 0.26))
        assert sum(sizes) == number
        assert number < 3 or min(sizes) >= 1


@pytest.mark.parametrize(
    "shares", [(0, 0, 0), (0.7, -0.1, 0.4), (1, float("nan"), 0)]
)
def test_impossible_shares_are_refused(shares):
    with pytest.raises(InputError, match="shares"):
        split_names(NAMES, shares)


def test_parts_are_disjoint_and_complete():
    train, validation, test = split_names(NAMES, (0.7, 0.1, 0.2))
    assert sorted(train + validation + test) == NAMES
    assert [len(train), len(validation), len(test)] == [14, 2, 4]


def test_order_of_names_does_not_matter():
    backwards = split_names(reversed(NAMES), (0.7, 0.1, 0.2), seed=3)
    assert backwards == split_names(NAMES, (0.7, 0.1, 0.2), seed=3)


def test_seed_changes_the_parts():
    parts = split_names(NAMES, (0.5, 0, 0.5), seed=0)
    assert parts != split_names(NAMES, (0.5, 0, 0.5), seed=1)


def test_folds_test_every_case_once():
    folds = [
        split_names(NAMES[:11], (0.7, 0.1, 0.2), fold=(k, 5))
        for k in range(1, 6)
    ]
    assert sorted(sum((test for _, _, test in folds), [])) == NAMES[:11]
    assert all(len(test) in (2, 3) for _, _, test in folds)


def test_fold_leaves_the_other_cases_for_training_and_validation():
    train, validation, test = split_names(NAMES, (0.7, 0.1, 0.2), fold=(2, 5))
    assert sorted(train + validation + test) == NAMES
    assert [len(train), len(validation), len(test)] == [14, 2, 4]


def test_fold_without_validation_share_has_none():
    _, validation, _ = split_names(NAMES, (0.8, 0, 0.2), fold=(1, 4))
    assert validation == []


@pytest.mark.parametrize("fold", [(0, 5), (6, 5), (1, 1), (1, 21)])
def test_impossible_folds_are_refused(fold):
    with pytest.raises(InputError, match="there is no fold"):
        split_names(NAMES, (0.7, 0.1, 0.2), fold=fold)
