"""Every loss beside MONAI's or torch's, value and gradient on random inputs.

Logits of two examples, four classes, all of them in each example, in 2D and
3D; class weights (0.3, 1, 2, 1.5). A row has the value of ours and how much
value and gradient by the logits differ, as a share of the value and of the
largest number in the gradient. Needs the `benchmarks` extra; KERAS_BACKEND
chooses what ours run on. A few seconds. Fails if a difference is above 1e-5.

Where definitions differ, the reference is put into ours, as the last column
says:

- smoothing: `Dice(epsilon=e)` is MONAI's `smooth_nr = smooth_dr = e`;
- absent classes: ours leaves them out by default; MONAI has what ours calls
  `absent="smooth"`. Rows "class 3 absent" show it;
- class weights of Dice: ours is a weighted mean over classes, MONAI multiplies
  and divides by the number of classes;
- focal: ours is a mean over voxels, MONAI's over voxels and classes, which is
  smaller by their number;
- Dice-focal: MONAI's `DiceFocalLoss(softmax=True)` has softmax in its Dice but
  one sigmoid per class in its focal part, and is another loss. The reference
  is the sum of its `DiceLoss` and its `FocalLoss(use_softmax=True)`;
- weighted cross-entropy: torch divides by the weights of the whole batch, as
  ours with `batch=True`; by default ours divides example by example;
- boundaries: neither has the map. The reference takes distances from scipy
  (Ronneberger) or neighbors by numpy (gradient), and torch's cross-entropy.

Largest difference of all rows, value and gradient, with torch 2.13.0, MONAI
1.6.1, Keras 3.15.1 and TensorFlow 2.21.0, on CPU:

    TensorFlow   2.0e-7   6.7e-7
    torch        1.6e-7   3.8e-7
    JAX 0.10.2   5.9e-6   5.9e-6

JAX's are of sums of many equal weights in arrays this small, which XLA adds
one by one on the CPU.
"""

import os

import click
import numpy as np

CLASSES = 4
WEIGHTS = (0.3, 1.0, 2.0, 1.5)
SHAPES = {"2D": (2, 23, 18), "3D": (2, 9, 12, 7)}
TOLERANCE = 1e-5
EPSILON = 0.5


@click.command()
@click.option("--seed", default=0, show_default=True)
def main(seed):
    """Compares all losses; prints a row each, fails if one differs."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import monai
        import torch
    except ImportError as error:
        raise click.ClickException(
            f"{error}. Install keras-isample[benchmarks]."
        ) from error
    import keras

    click.echo(
        f"Keras {keras.__version__} on {keras.backend.backend()}, "
        f"torch {torch.__version__}, MONAI {monai.__version__}"
    )
    click.echo(f"{'loss':27}    {'value':>9}  {'value':>8} {'slope':>8}")
    worst = [0.0, 0.0]
    for dimensions, shape in SHAPES.items():
        for absent in (False, True):
            labels, logits = random_voxels(shape, seed, absent)
            for name, loss, reference, note in comparisons(absent):
                ours = value_and_gradient(loss, labels, logits)
                theirs = torch_value_and_gradient(reference, labels, logits)
                found = differences(ours, theirs)
                worst = [max(pair) for pair in zip(worst, found, strict=True)]
                click.echo(
                    f"{name:27} {dimensions} {float(ours[0]):9.6f}  "
                    f"{found[0]:8.1e} {found[1]:8.1e}  {note}"
                )
    click.echo(f"largest: value {worst[0]:.1e}, slope {worst[1]:.1e}")
    if max(worst) > TOLERANCE:
        raise click.ClickException(f"a difference is above {TOLERANCE}")


def random_voxels(shape, seed, absent):
    """Labels with all classes in each example, or all but 3, and logits."""
    rng = np.random.default_rng(seed)
    classes = CLASSES - absent
    labels = rng.integers(0, classes, shape)
    for example in labels.reshape(shape[0], -1):
        example[:classes] = np.arange(classes)
    return labels, 2 * rng.normal(size=(*shape, CLASSES)).astype("float32")


def comparisons(absent):
    """Name, loss, reference (of torch tensors) and note of each row."""
    import monai.losses as theirs
    import torch

    import keras_isample.losses as ours

    weights = torch.tensor(WEIGHTS)
    options = {"to_onehot_y": True, "softmax": True}
    smooth = {"smooth_nr": EPSILON, "smooth_dr": EPSILON}
    logits = {"from_logits": True}
    dice = {"epsilon": EPSILON, "absent": "smooth", **logits}
    monai_dice = theirs.DiceLoss(**options, **smooth)
    if absent:
        yield (
            "Dice, class 3 absent",
            ours.Dice(**dice),
            monai_dice,
            'absent="smooth"',
        )
        each = theirs.DiceLoss(**options, **smooth, reduction="none")
        yield (
            "Dice, class 3 absent",
            ours.Dice(epsilon=EPSILON, **logits),
            lambda x, t: each(x, t)[:, :3].mean(),
            'absent="skip": mean of MONAI\'s other three',
        )
        return
    cross_entropy = torch.nn.CrossEntropyLoss()
    yield (
        "CrossEntropy",
        ours.CrossEntropy(**logits),
        lambda x, t: cross_entropy(x, t[:, 0]),
        "torch",
    )
    weighted = torch.nn.CrossEntropyLoss(weights)
    yield (
        "CrossEntropy, weighted",
        ours.CrossEntropy(class_weights=WEIGHTS, batch=True, **logits),
        lambda x, t: weighted(x, t[:, 0]),
        "torch, batch=True",
    )
    yield (
        "CrossEntropy, weighted",
        ours.CrossEntropy(class_weights=WEIGHTS, **logits),
        lambda x, t: torch.stack(
            [weighted(a[None], b) for a, b in zip(x, t, strict=True)]
        ).mean(),
        "torch, example by example",
    )
    focal = {"to_onehot_y": True, "use_softmax": True}
    for gamma in (2.0, 0.5):
        yield (
            f"Focal, gamma {gamma}",
            ours.Focal(gamma, **logits),
            times(CLASSES, theirs.FocalLoss(gamma=gamma, **focal)),
            f"MONAI times {CLASSES}",
        )
    yield (
        "Focal, weighted",
        ours.Focal(class_weights=WEIGHTS, **logits),
        times(CLASSES, theirs.FocalLoss(weight=WEIGHTS, **focal)),
        f"MONAI times {CLASSES}",
    )
    yield "Dice", ours.Dice(**dice), monai_dice, "MONAI"
    yield (
        "Dice, no background",
        ours.Dice(include_background=False, **dice),
        theirs.DiceLoss(**options, **smooth, include_background=False),
        "MONAI",
    )
    yield (
        "Dice, batch",
        ours.Dice(batch=True, **dice),
        theirs.DiceLoss(**options, **smooth, batch=True),
        "MONAI",
    )
    scale = CLASSES / sum(WEIGHTS)
    yield (
        "Dice, weighted",
        ours.Dice(class_weights=WEIGHTS, **dice),
        times(scale, theirs.DiceLoss(**options, **smooth, weight=WEIGHTS)),
        f"MONAI times {CLASSES} / sum of weights",
    )
    yield (
        "CEDice, 0.5 and 2",
        ours.CEDice(ce_weight=0.5, dice_weight=2.0, **dice),
        theirs.DiceCELoss(**options, **smooth, lambda_ce=0.5, lambda_dice=2.0),
        "MONAI",
    )
    monai_focal = theirs.FocalLoss(**focal)
    yield (
        "DiceFocal",
        ours.DiceFocal(**dice),
        lambda x, t: monai_dice(x, t) + CLASSES * monai_focal(x, t),
        f"MONAI's DiceLoss + {CLASSES} FocalLoss",
    )
    for kind, reference in (
        ("ronneberger", ronneberger_map),
        ("gradient", gradient_map),
    ):
        yield (
            f"Boundary, {kind}",
            ours.BoundaryCrossEntropy(
                kind=kind,
                sigma=2.0,
                boundary_weight=10.0,
                class_weights=WEIGHTS,
                **logits,
            ),
            with_map(reference, weights),
            "torch, weights by scipy and numpy",
        )


def times(factor, loss):
    """A loss multiplied by a number."""
    return lambda x, t: factor * loss(x, t)


def with_map(boundary_map, weights):
    """Weighted mean of torch's cross-entropy, example by example."""
    import torch

    def loss(x, t):
        labels = t[:, 0]
        maps = np.stack([boundary_map(each) for each in labels.numpy()])
        w = weights[labels] + 10 * torch.tensor(maps, dtype=torch.float32)
        errors = torch.nn.functional.cross_entropy(x, labels, reduction="none")
        axes = tuple(range(1, labels.ndim))
        return ((w * errors).sum(axes) / w.sum(axes)).mean()

    return loss


def ronneberger_map(labels, sigma=2.0):
    """exp(-(d1 + d2)^2 / (2 sigma^2)), 0 where d2 is 3 sigma or more."""
    from scipy import ndimage

    distances = np.sort(
        [
            ndimage.distance_transform_edt(labels != k)
            for k in range(1, CLASSES)
            if (labels == k).any()
        ],
        axis=0,
    )
    term = np.exp(-((distances[0] + distances[1]) ** 2) / (2 * sigma**2))
    return np.where(distances[1] < 3 * sigma, term, 0)


def gradient_map(labels):
    """1 where a face neighbor has another label."""
    found = np.zeros(labels.shape, bool)
    padded = np.pad(labels, 1, mode="edge")
    inner = (slice(1, -1),) * labels.ndim
    for axis in range(labels.ndim):
        for shift in (-1, 1):
            found |= np.roll(padded, shift, axis)[inner] != labels
    return found


def value_and_gradient(loss, labels, logits):
    """Value of a Keras loss and its gradient by the logits, as numpy."""
    import keras

    x = keras.ops.convert_to_tensor(logits)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(labels, x)
        slope = tape.gradient(value, x)
    elif keras.backend.backend() == "jax":
        import jax

        value, slope = jax.value_and_grad(lambda x: loss(labels, x))(x)
    else:
        x = x.detach().requires_grad_(True)
        value = loss(labels, x)
        value.backward()
        value, slope = value.detach(), x.grad
    return np.array(float(value)), keras.ops.convert_to_numpy(slope)


def torch_value_and_gradient(loss, labels, logits):
    """The same of a torch loss, which has channels first."""
    import torch

    x = torch.tensor(np.moveaxis(logits, -1, 1).copy(), requires_grad=True)
    value = loss(x, torch.tensor(labels[:, None]))
    value.backward()
    return np.array(float(value.detach())), np.moveaxis(x.grad.numpy(), 1, -1)


def differences(ours, theirs):
    """Of values and gradients, as a share of the largest number."""
    return [
        float(np.abs(one - two).max() / np.abs(two).max())
        for one, two in zip(ours, theirs, strict=True)
    ]


if __name__ == "__main__":
    main()
