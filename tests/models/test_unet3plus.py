"""UNet 3+ as published."""

import numpy as np

from keras_isample.models import unet3plus


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def test_parameters_are_the_papers_26_97_million():
    encoder = [(3, 64), (64, 128), (128, 256), (256, 512), (512, 1024)]
    expected = sum(9 * a * b + 9 * b * b + 4 * b for a, b in encoder)
    # What the four decoder stages read, 64 maps of each; then 320 to 320.
    read = (
        (64 + 128 + 256 + 512 + 1024)
        + (64 + 128 + 256 + 320 + 1024)
        + (64 + 128 + 320 + 320 + 1024)
        + (64 + 320 + 320 + 320 + 1024)
    )
    expected += 9 * read * 64 + 4 * (9 * 320 * 320 + 4 * 320)
    expected += 9 * 320 * 2 + 2
    assert expected == 26_968_130
    model = unet3plus(2, input_shape=(None, None, 3))
    assert trainable(model) == expected
    # Its authors': one class less, biases before normalizations.
    biases = 2 * (64 + 128 + 256 + 512 + 1024) + 4 * 2 * 320
    assert expected - 2_881 + biases == 26_971_777


def test_every_decoder_stage_reads_all_five_scales():
    model = unet3plus(2, width=0.05)
    for stage in (1, 2, 3, 4):
        joined = model.get_layer(f"up{stage}_concatenate")
        sources = [
            tensor._keras_history.operation.name for tensor in joined.input
        ]
        assert sources == [f"up{stage}_from{i}_relu" for i in range(1, 6)]
        assert joined.output.shape[-1] == 5 * 3
    assert model.metadata["multiple"] == 16


def test_deep_supervision_adds_a_classifier_per_scale():
    plain = unet3plus(2, input_shape=(32, 32, 1), width=0.05)
    model = unet3plus(
        2, input_shape=(32, 32, 1), width=0.05, deep_supervision=True
    )
    assert [x.shape for x in model.outputs] == [(None, 32, 32, 2)] * 5
    # 15 maps in stages 2 to 4, 51 in the bottleneck, to 2 classes.
    more = 9 * (3 * 15 + 51) * 2 + 4 * 2
    assert trainable(model) == trainable(plain) + more
