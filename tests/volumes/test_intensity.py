import numpy as np
import pytest

from keras_isample.volumes.intensity import fit_intensity
from keras_isample.volumes.intensity import num_gray_levels
from keras_isample.volumes.intensity import to_storage

RNG = np.random.default_rng(0)


def mr(shape=(20, 21, 22), low=0.0, factor=1.0):
    """Half air, half body, and a few glaring voxels."""
    array = RNG.exponential(5, shape)
    array[shape[0] // 2 :] += RNG.normal(300, 60, array[shape[0] // 2 :].shape)
    array.ravel()[RNG.integers(0, array.size, 20)] = 4000
    return (low + factor * array).astype(np.float32)


def test_ct_is_clipped_and_divided_by_218():
    intensity = fit_intensity("ct", np.zeros((2, 2, 2)))
    hounsfield = np.array([-2000, -1000, -218, 0, 109, 1000, 3071], np.int16)
    expected = np.array([-1000, -1000, -218, 0, 109, 1000, 1000]) / 218
    normalized = intensity.normalize(hounsfield)
    np.testing.assert_allclose(normalized, expected, rtol=1e-6)
    assert normalized.dtype == np.float32


def test_ct_does_not_depend_on_the_case():
    assert fit_intensity("ct", mr()) == fit_intensity("ct", np.zeros(5))


def test_outside_of_ct_is_clipped_air():
    assert fit_intensity("ct", mr()).outside == pytest.approx(-1000 / 218)


def test_zscore_by_hand():
    # 1000 voxels 0 to 999: the 1st percentile is 9.99, the 99.5th 994.005.
    array = np.arange(1000, dtype=np.float32)
    body = np.minimum(np.arange(10, 1000), 994.005)
    intensity = fit_intensity("zscore", array)
    assert intensity.low == pytest.approx(9.99)
    assert intensity.high == pytest.approx(994.005)
    assert intensity.center == pytest.approx(body.mean())
    assert intensity.scale == pytest.approx(body.std())
    values = intensity.normalize(np.array([-5.0, 9, 500, 2000]))
    clipped = np.array([9.99, 9.99, 500, 994.005])
    expected = (clipped - body.mean()) / body.std()
    np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_zscore_of_the_body_has_mean_0_and_deviation_1():
    array = mr()
    intensity = fit_intensity("zscore", array)
    # The glaring voxels lie apart from all others and do not count.
    array = array[array < 4000]
    normalized = intensity.normalize(array)
    body = normalized[array > np.percentile(array, 1)]
    assert body.mean() == pytest.approx(0, abs=1e-4)
    assert body.std() == pytest.approx(1, abs=1e-4)


def test_outside_of_mr_is_the_least_value_that_is_kept():
    array = mr(low=17)
    intensity = fit_intensity("zscore", array)
    assert intensity.outside == pytest.approx(intensity.normalize(array).min())


def test_zscore_does_not_depend_on_units():
    state = RNG.bit_generator.state
    array = mr()
    RNG.bit_generator.state = state
    scaled = mr(low=100, factor=3)
    a = fit_intensity("zscore", array).normalize(array)
    b = fit_intensity("zscore", scaled).normalize(scaled)
    np.testing.assert_allclose(a, b, atol=1e-3)


def test_whole_hounsfield_units_are_stored_exactly():
    array = np.arange(-1000, 1001, dtype=np.int16)
    intensity = fit_intensity("ct", array)
    stored, scale, offset = to_storage(array, intensity, "ct")
    assert stored.dtype == np.int16
    assert np.array_equal(stored, array)
    np.testing.assert_allclose(
        stored * np.float32(scale) + np.float32(offset),
        intensity.normalize(array),
        rtol=1e-6,
    )


def test_hounsfield_units_are_rounded_to_whole_ones():
    array = np.array([0.4, 0.6, -0.6, 999.7], np.float32)
    stored, _, _ = to_storage(array, fit_intensity("ct", array), "ct")
    assert stored.tolist() == [0, 1, -1, 1000]


@pytest.mark.parametrize("low, factor", [(0, 1), (-1000, 0.01), (1e6, 1e-3)])
def test_mr_is_stored_within_half_a_step(low, factor):
    array = mr(low=low, factor=factor)
    intensity = fit_intensity("zscore", array)
    stored, scale, offset = to_storage(array, intensity, "zscore")
    back = stored * np.float64(scale) + np.float64(offset)
    exact = np.clip(array.astype(np.float64), intensity.low, intensity.high)
    exact = (exact - intensity.center) / intensity.scale
    # float32 itself resolves the values of the third case no better.
    resolution = np.spacing(np.float32(abs(low))) / intensity.scale
    assert np.abs(back - exact).max() <= 0.51 * scale + resolution


def test_bounds_that_float32_cannot_hold_do_not_overflow():
    array = np.linspace(1e6, 1e6 + 1, 20, dtype=np.float32)
    stored, _, _ = to_storage(array, fit_intensity("zscore", array), "zscore")
    assert np.all(np.diff(stored.astype(int)) >= 0)


def test_mr_uses_all_16_bits():
    array = mr()
    stored, _, _ = to_storage(array, fit_intensity("zscore", array), "zscore")
    assert (stored.min(), stored.max()) == (-32768, 32767)


@pytest.mark.parametrize("value", [0, -3.5, 1e6])
def test_constant_image_becomes_0(value):
    array = np.full((3, 4, 5), value, np.float32)
    intensity = fit_intensity("zscore", array)
    assert np.all(intensity.normalize(array) == 0)
    stored, scale, offset = to_storage(array, intensity, "zscore")
    assert np.all(stored * scale + offset == 0)


def test_image_of_two_values_is_normalized():
    array = np.zeros((10, 10, 10), np.float32)
    array[5:] = 8
    normalized = fit_intensity("zscore", array).normalize(array)
    assert np.isfinite(normalized).all()
    assert normalized[9, 0, 0] > normalized[0, 0, 0]


def test_two_values_have_mean_0_and_deviation_1():
    array = np.zeros((10, 10, 10), np.uint8)
    array[5:] = 8
    normalized = fit_intensity("zscore", array).normalize(array)
    assert normalized[0, 0, 0] == -1 and normalized[9, 0, 0] == 1


def test_rare_level_of_a_mask_is_not_clipped_away():
    array = np.zeros((10, 10, 10), np.uint8)
    array[4, 5, 6] = 1
    intensity = fit_intensity("zscore", array)
    assert (intensity.low, intensity.high) == (0, 1)
    assert num_gray_levels(array, intensity, "zscore") == 2


def unit_scan():
    """0.2 to 1, with nothing around it but 0: 60 % of the voxels."""
    array = RNG.uniform(0.2, 1, (20, 20, 20)).astype(np.float32)
    array[:12] = 0
    return array


@pytest.mark.parametrize("value", [-32768, -1024, 1e9, 65535, -3e38])
@pytest.mark.parametrize("number", [1, 80, 2400])
def test_no_data_changes_nothing_for_the_rest(value, number):
    clean, array = unit_scan(), unit_scan()
    array[12:] = clean[12:]
    array.ravel()[:number] = value
    expected = fit_intensity("zscore", clean)
    found = fit_intensity("zscore", array)
    assert found == expected
    stored, _, _ = to_storage(array[12:], found, "zscore")
    assert len(np.unique(stored)) > 2000


def test_padding_does_not_count():
    array = unit_scan()
    body = array[12:].astype(np.float64)
    first, high = np.percentile(body, (1, 99.5))
    kept = np.minimum(body[body > first], high)
    intensity = fit_intensity("zscore", array)
    assert intensity.low == pytest.approx(first)
    assert intensity.high == pytest.approx(high)
    assert intensity.center == pytest.approx(kept.mean())
    assert intensity.scale == pytest.approx(kept.std())
    outside = intensity.normalize(array)[0, 0, 0]
    assert intensity.outside == pytest.approx(outside)


def test_padding_at_the_top_does_not_count():
    array = RNG.integers(0, 2000, (20, 20, 20)).astype(np.uint16)
    body = array[12:].copy()
    array[:12] = 65535
    assert fit_intensity("zscore", array) == fit_intensity("zscore", body)


def test_padding_between_the_values_does_not_count():
    array = RNG.normal(0, 1, (20, 20, 20)).astype(np.float32)
    array[[0, -1]] = array[:, [0, -1]] = array[:, :, [0, -1]] = 0
    body = array[1:-1, 1:-1, 1:-1]
    intensity = fit_intensity("zscore", array)
    assert intensity == fit_intensity("zscore", body)


@pytest.mark.parametrize("order", ["C", "F"])
def test_normalization_of_a_view_is_that_of_its_copy(order):
    array = np.asarray(mr(), order=order)
    view = array[::-1].transpose(2, 0, 1)
    expected = fit_intensity("zscore", array)
    found = fit_intensity("zscore", view)
    assert (found.low, found.high) == (expected.low, expected.high)
    assert found.center == pytest.approx(expected.center, rel=1e-12)
    assert found.scale == pytest.approx(expected.scale, rel=1e-12)


@pytest.mark.parametrize(
    "array, kind, levels",
    [
        (np.full((3, 3, 3), 7), "zscore", 1),
        (np.full((3, 3, 3), -2000), "ct", 1),
        (np.linspace(0, 1, 27).reshape(3, 3, 3), "ct", 2),
        (np.arange(27).reshape(3, 3, 3) % 5, "zscore", 5),
        (np.arange(27).reshape(3, 3, 3), "zscore", 16),
        (np.arange(27).reshape(3, 3, 3), "ct", 16),
    ],
)
def test_gray_levels_are_those_of_storage(array, kind, levels):
    intensity = fit_intensity(kind, array)
    assert num_gray_levels(array, intensity, kind) == levels


def test_integers_are_not_overflown():
    array = np.array([-32768, 0, 32767], np.int16)
    assert fit_intensity("ct", array).normalize(array)[2] == pytest.approx(
        1000 / 218
    )


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind"):
        fit_intensity("pet", np.zeros(3))
