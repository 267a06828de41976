"""DeepLabV3 on ResNet18."""

import numpy as np
import pytest

from keras_isample.models import deeplab_v3


def test_parameters():
    pyramid = 512 * 256 + 3 * 9 * 512 * 256 + 512 * 256 + 5 * 256 * 256
    pyramid += 6 * 2 * 256
    assert pyramid == 4_131_840
    model = deeplab_v3(21, input_shape=(None, None, 3))
    trainable = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert trainable == 11_176_512 + pyramid + 257 * 21


@pytest.mark.parametrize(
    "output_stride, rates", [(16, [6, 12, 18]), (8, [12, 24, 36])]
)
def test_rates_double_where_the_stride_is_half(output_stride, rates):
    model = deeplab_v3(
        2,
        input_shape=(64, 64, 1),
        output_stride=output_stride,
        width=0.05,
    )
    found = [model.get_layer(f"pyramid_rate{r}") for r in (6, 12, 18)]
    assert [layer.dilation_rate[0] for layer in found] == rates
    sides = model.get_layer("layer4_1_relu2").output.shape[1:3]
    assert sides == (64 // output_stride,) * 2


def test_the_mean_of_the_image_is_seen_everywhere(randomize):
    model = randomize(deeplab_v3(2, width=0.05, classifier_activation=None))
    image = np.zeros((1, 400, 16, 1), "float32")
    before = np.array(model(image))
    image[:, -1] = 10
    # Farther than the 18 * 16 voxels of the largest rate.
    assert np.all(np.array(model(image))[:, :16] != before[:, :16])


@pytest.mark.parametrize("options", [{"input_shape": (8, 8, 8, 1)}])
def test_volumes_are_refused(options):
    with pytest.raises(ValueError, match=r"must be \(H, W, channels\)"):
        deeplab_v3(2, **options)


def test_stride_32_is_refused():
    with pytest.raises(ValueError, match="must be 16 or 8"):
        deeplab_v3(2, output_stride=32)
