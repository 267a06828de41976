"""Slices lie as radiologists look at them; colors mean the same everywhere."""

import numpy as np
import pytest

from keras_isample.figures import ErrorMapRow
from keras_isample.figures import draw_error_map_slices
from keras_isample.figures.error_map_slices import _box_to_show
from keras_isample.figures.error_map_slices import radiological


def test_right_is_left_and_front_is_above():
    array = np.zeros((4, 6))  # x to the right, y to the front
    array[3, 5] = 1  # right front
    array[0, 5] = 2  # left front
    array[3, 0] = 3  # right back
    shown = radiological(array)
    assert shown.shape == (6, 4)
    assert shown[0, 0] == 1
    assert shown[0, -1] == 2
    assert shown[-1, 0] == 3


@pytest.fixture
def panels(tmp_path, read_png):
    """Function that draws and cuts the four panels of the first row."""

    def draw(errors, labels=None, rows=1, image=None, **options):
        image = np.zeros((40, 40)) if image is None else image
        labels = np.zeros((40, 40), np.uint8) if labels is None else labels
        draw_error_map_slices(
            tmp_path / "x.png",
            image,
            labels,
            [ErrorMapRow(f"row {i}", errors) for i in range(rows)],
            ["early", "late"],
            window=(-1, 1),
            **options,
        )
        return read_png(tmp_path / "x.png")

    return draw


def test_error_0_is_dark_and_error_1_bright(panels):
    pixels = panels([np.zeros((40, 40)), np.ones((40, 40))])
    row = pixels[pixels.shape[0] // 2]
    from matplotlib import colormaps

    colors = [np.array(colormaps["inferno"](end))[:3] for end in (0.0, 1.0)]
    places = [
        np.flatnonzero(np.abs(row - color).max(axis=1) < 0.02)
        for color in colors
    ]
    dark, bright = places
    quarter = 0.2 * pixels.shape[1]
    assert len(dark) > 0.8 * quarter
    assert len(bright) > 0.8 * quarter
    assert dark.max() < bright.min()


def test_low_errors_are_not_stretched(panels):
    # Equal maps of error 0.1 must look the same beside a map of error 1.
    low = np.full((40, 40), 0.1)
    alone = panels([low, low])
    beside = panels([low, np.ones((40, 40))])
    middle = alone.shape[0] // 2
    early = slice(int(0.5 * alone.shape[1]), int(0.65 * alone.shape[1]))
    assert np.array_equal(alone[middle, early], beside[middle, early])


def test_labels_color_the_truth_alone(panels, near):
    labels = np.zeros((40, 40), np.uint8)
    labels[20:, :] = 1  # the patient's right
    errors = [np.zeros((40, 40))] * 2
    plain, colored = panels(errors), panels(errors, labels)
    changed = np.abs(plain - colored).max(axis=-1) > 0.1
    columns = np.flatnonzero(changed.any(axis=0)) / changed.shape[1]
    # The left half of the second of four panels, beside the color bar.
    assert 0.2 < columns.min() < columns.max() < 0.45
    area = changed.sum() / changed.size
    assert 0.06 < area < 0.12


def test_rows_are_below_one_another(panels):
    errors = [np.zeros((40, 40))] * 2
    one, two = panels(errors), panels(errors, rows=2)
    assert two.shape[1] == one.shape[1]
    assert 1.7 < two.shape[0] / one.shape[0] < 2


def test_flat_voxels_make_flat_panels(panels):
    errors = [np.zeros((40, 40))] * 2
    assert panels(errors, aspect=0.5).shape[0] < panels(errors).shape[0]


class TestCrop:
    """Air around the body is not shown; what is wrong in it is."""

    @pytest.mark.parametrize(
        "image, labels, errors, aspect, expected",
        [
            ((15, 25, 12, 22), None, None, 1, (14, 26, 11, 23)),
            ((15, 25, 12, 22), (30, 31, 12, 13), None, 1, (13, 33, 10, 24)),
            ((15, 25, 12, 22), None, (0, 1, 15, 16), 1, (0, 28, 9, 25)),
            ((15, 25, 12, 22), None, None, 3, (12, 28, 11, 23)),
            ((0, 40, 0, 40), None, None, 1, (0, 40, 0, 40)),
            (None, None, None, 1, (0, 40, 0, 40)),
        ],
        ids=["body", "label", "wrong", "long voxels", "whole", "nothing"],
    )
    def test_box(self, image, labels, errors, aspect, expected):
        def filled(box, value, background):
            result = np.full((40, 40), background, np.float32)
            if box:
                result[box[0] : box[1], box[2] : box[3]] = value
            return result

        early = np.ones((40, 40))
        box = _box_to_show(
            filled(image, 0.5, -1),
            filled(labels, 1, 0).astype(np.uint8),
            [ErrorMapRow("x", [early, filled(errors, 0.6, 0.4)])],
            (-1, 1),
            aspect,
        )
        rows, columns = (side.indices(40)[:2] for side in box)
        assert (*rows, *columns) == expected

    def test_panels_have_the_form_of_the_body(self, panels):
        errors = [np.zeros((40, 40))] * 2
        image = np.full((40, 40), -1.0)
        image[5:35, 15:25] = 0.5  # wide, and hardly deep
        assert (
            panels(errors, image=image).shape[0]
            < 0.75 * panels(errors).shape[0]
        )
