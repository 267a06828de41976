"""Dice estimated from blocks, against Dice of whole scans."""

from dataclasses import replace

import numpy as np
import pytest

from keras_isample.callbacks import dice_estimate
from keras_isample.callbacks.dice_estimate import DiceEstimate
from keras_isample.callbacks.dice_estimate import cheapest
from keras_isample.inference import predictor_for
from keras_isample.inference.base import Predictor
from keras_isample.inference.full_volume import predict_label_map
from keras_isample.volumes.overlap import dice_per_class

SHAPE = (50, 44, 37)


class Blocks(Predictor):
    """A predictor that costs its voxels, and tells what was asked of it."""

    def __init__(self, found, unit=(4, 4, 4), extra=0):
        self.found = found
        self.unit = unit
        self.extra = extra
        self.asked = []

    def units(self, shape):
        return self.unit

    def multiplications(self, scan, boxes):
        return sum(
            np.prod([part.stop - part.start + self.extra for part in box])
            for box in boxes
        )

    def pieces(self, scan, boxes=None, part=(0, 1)):
        self.asked.append(boxes)
        for box in boxes:
            # Cut in two, as a predictor may.
            middle = (box[0].start + box[0].stop + 1) // 2
            for part in (slice(box[0].start, middle), slice(middle, None)):
                rows = slice(part.start, part.stop or box[0].stop)
                if rows.start == rows.stop:
                    continue
                tile = self.found[(rows, *box[1:])]
                start = (rows.start, box[1].start, box[2].start)
                yield start, np.eye(3, dtype=np.float32)[tile]


@pytest.fixture
def case(make_case):
    """A scan with class 1 at one corner, and class 2 nowhere."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[:9, 2:8, 3:12] = 1
    return make_case(labels, num_classes=3)


@pytest.fixture
def found(case):
    """What misses a part of class 1, and finds much of both elsewhere."""
    found = np.array(case.labels())
    found[:3] = 0
    found[30:40, 20:40, 10:20] = 1
    found[20:50, 10:30, 20:30] = 2
    return found


@pytest.fixture
def use(monkeypatch):
    """Function that has a predictor used for whatever model."""

    def use(predictor):
        monkeypatch.setattr(
            dice_estimate, "predictor_for", lambda *_: predictor
        )
        return predictor

    return use


def test_over_all_draws_what_is_counted_is_the_whole_scan(case, found, use):
    predictor = use(Blocks(found))
    labels = np.asarray(case.labels())
    # Hits and misses are exact in each draw; mistakes are so on average.
    mistakes = []
    for seed in range(400):
        counts = DiceEstimate([case], 3, seed, 8)._counts(0, case, predictor)
        assert counts["TP"][1] == np.sum((labels == 1) & (found == 1))
        assert counts["FN"][1] == np.sum((labels == 1) & (found != 1))
        mistakes.append(counts["FP"][1:])
    expected = [np.sum((found == k) & (labels != k)) for k in (1, 2)]
    spread = np.std(mistakes, axis=0) / np.sqrt(len(mistakes))
    assert np.all(np.abs(np.mean(mistakes, axis=0) - expected) < 3 * spread)


def test_a_tenth_of_the_other_blocks_is_predicted(case, found, use):
    predictor = use(Blocks(found))
    DiceEstimate([case], 3, 0, 8).measure(None)
    (boxes,) = predictor.asked
    # 7 x 6 x 5 blocks, of which 2 x 1 x 2 hold the structure.
    assert len(boxes) == 4 + 21
    for box in boxes[:4]:
        assert np.any(np.asarray(case.labels())[box])
    for box in boxes[4:]:
        assert not np.any(np.asarray(case.labels())[box])
    assert len({str(box) for box in boxes}) == 25


def test_the_blocks_are_those_of_the_seed(case, found, use):
    predictor = use(Blocks(found))
    for seed in (5, 5, 6):
        estimate = DiceEstimate([case, case], 3, seed, 8)
        estimate.measure(None)
        estimate.measure(None)
    same = predictor.asked[:8]
    assert same[0::2] == [same[0]] * 4
    # Two cases alike are not seen at the same places.
    assert same[0] != same[1]
    assert predictor.asked[8] != same[0]


def test_dice_is_that_of_the_counts(case, found, use):
    use(Blocks(np.asarray(case.labels())))
    table = DiceEstimate([case], 3, 0, 8).measure(None)
    assert table[0, 1] == 1
    assert np.isnan(table[0, 2])
    use(Blocks(np.zeros(SHAPE, np.uint8)))
    table = DiceEstimate([case], 3, 0, 8).measure(None)
    assert table[0, 1] == 0
    use(Blocks(found))
    estimate = DiceEstimate([replace(case, missing=(2,))], 3, 0, 8)
    assert np.isnan(estimate.measure(None)[0, 2])


def test_cases_and_their_tiles_are_shown(case, found, use, listener):
    use(Blocks(found))
    estimate = DiceEstimate([case, case], 3, 0, 8)
    with listener.phase("estimate", item="case", part="blocks") as phase:
        estimate.measure(None, phase)
    heard = listener.heard
    assert heard[:2] == ["begin estimate", "estimate: case 1 of 2"]
    # 25 blocks in two tiles each, the last smaller ones among them.
    shown = [line for line in heard if line.startswith("estimate: case 1 of 2")]
    assert len(shown) > 25
    assert shown[-1] == "estimate: case 1 of 2, 100 % of its blocks"
    assert "estimate: case 2 of 2" in heard
    assert heard[-2:] == ["estimate: 2 of 2", "end estimate"]


def test_the_cheapest_side_is_taken(case, found, use):
    use(Blocks(found))
    cost, estimate = cheapest([case], 3, 0, None)
    # No margin: the smallest blocks hold the least beside the structure.
    assert estimate.side == 16
    assert cost == estimate.multiplications(None)
    use(Blocks(found, extra=60))
    assert cheapest([case], 3, 0, None)[1].side == 64


def test_a_block_of_slices_is_a_slice(case, found, use):
    predictor = use(Blocks(found, unit=(50, 1, 37)))
    cheapest([case], 3, 0, None)[1].measure(None)
    (boxes,) = predictor.asked
    # Class 1 lies in 6 of 44 slices.
    assert len(boxes) == 6 + 4
    for rows, across, columns in boxes:
        assert (rows, columns) == (slice(0, 50), slice(0, 37))
        assert across.stop == across.start + 1


def test_all_blocks_of_a_model_give_its_dice(case, threshold_model):
    image = np.full((1, *SHAPE), -300, np.int16)
    image[0, 5:20, :30, 10:30] = 300
    np.save(case.folder / "image.npy", image)
    labels = np.zeros(SHAPE, np.uint8)
    # Something in every block, so that all are predicted.
    labels[::8, ::8, ::8] = 1
    labels[6:18, 3:20, 12:28] = 1
    np.save(case.folder / "labels.npy", labels)
    model = threshold_model(3)
    expected = dice_per_class(labels, predict_label_map(model, case.scan()), 3)
    estimate = DiceEstimate([case], 3, 0, 16)
    # Class 2 is neither there nor found.
    assert np.isnan(expected[2]) and 0 < expected[1] < 1
    table = estimate.measure(model)
    assert table[0] == pytest.approx(expected, nan_ok=True)
    boxes, _ = estimate._blocks(0, case, predictor_for(model))
    assert estimate.multiplications(model) == predictor_for(
        model
    ).multiplications(case.scan(), boxes)
