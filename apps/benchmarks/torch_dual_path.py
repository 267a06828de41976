"""The dual-path network in torch, layer for layer, with the Keras weights."""

import torch
from torch import nn
from torch.nn import functional


def convolution(weights, name):
    """A layer with the weights of that name, and its normalization if any."""
    kernel = weights[f"{name}/kernel"].transpose(4, 3, 0, 1, 2)
    layer = nn.Conv3d(kernel.shape[1], kernel.shape[0], kernel.shape[2])
    layer.weight.data = torch.from_numpy(kernel.copy())
    layer.bias.data = torch.from_numpy(weights[f"{name}/bias"])
    if f"{name}_bn/gamma" not in weights:
        return layer
    # Keras' defaults, and the package's momentum of 0.9 in torch's terms.
    norm = nn.BatchNorm3d(kernel.shape[0], eps=1e-3, momentum=0.1)
    for target, source in (
        (norm.weight.data, "gamma"),
        (norm.bias.data, "beta"),
        (norm.running_mean, "moving_mean"),
        (norm.running_var, "moving_variance"),
    ):
        target.copy_(torch.from_numpy(weights[f"{name}_bn/{source}"]))
    return nn.Sequential(layer, norm)


class Block(nn.Module):
    """RA or RB: valid convolutions, and a cropped shortcut."""

    def __init__(self, weights, name):
        super().__init__()
        count = 3 if "_rb" in name else 2
        self.crop = 1 if "_rb" in name else 2
        self.branch = nn.ModuleList(
            convolution(weights, f"{name}_conv{i + 1}") for i in range(count)
        )
        self.projection = nn.Identity()
        if f"{name}_projection/kernel" in weights:
            self.projection = convolution(weights, f"{name}_projection")

    def forward(self, x):
        c = slice(self.crop, -self.crop)
        y = x
        for layer in self.branch[:-1]:
            y = functional.relu(layer(y), inplace=True)
        y = self.branch[-1](y)
        y += self.projection(x[:, :, c, c, c])
        return functional.relu(y, inplace=True)


def _path(weights, name, bottlenecks):
    blocks = [f"{name}_ra{i + 1}" for i in range(6)]
    blocks += [f"{name}_rb{i + 1}" for i in range(bottlenecks)]
    return nn.Sequential(
        convolution(weights, f"{name}_stem"),
        nn.ReLU(inplace=True),
        *(Block(weights, block) for block in blocks),
    )


class DualPath(nn.Module):
    """The network, from its two inputs to logits, in channels_last_3d.

    Args:
        weights: Arrays by `layer/weight`, as in Keras.
        dropout: Share of maps' voxels dropped before `fc1` and `fc2`.
    """

    def __init__(self, weights, dropout=0.0):
        super().__init__()
        self.high = _path(weights, "high", 1)
        self.low = _path(weights, "low", 2)
        self.fc1 = convolution(weights, "fc1")
        self.fc2 = convolution(weights, "fc2")
        self.dropout = nn.Dropout(dropout)
        self.to(memory_format=torch.channels_last_3d)

    def forward(self, image, context):
        low = self.low(context)
        for axis in (2, 3, 4):
            low = low.repeat_interleave(4, dim=axis)
        x = torch.cat([self.high(image), low], dim=1)
        x = functional.relu(self.fc1(self.dropout(x)), inplace=True)
        return self.fc2(self.dropout(x))
