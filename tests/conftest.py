"""What many tests need."""

import sys
from pathlib import Path

import numpy as np
import pytest

from keras_isample.data.class_index import index_classes
from keras_isample.data.preparation import PreparedCase
from keras_isample.data.preparation import box_means


@pytest.fixture
def shared_data():
    """The folder of real scans beside the checkout; skips without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real scans in {folder}")
    return folder


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    """Keeps tests away from the user's cache."""
    home = tmp_path_factory.getbasetemp() / "cache-home"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))


@pytest.fixture(autouse=True, scope="module")
def no_graphs_left():
    """Frees what a module's trainings leave in the process."""
    if "tensorflow" not in sys.modules:
        yield
        return
    from keras_isample.training.traced_gradients import forgotten_afterwards

    with forgotten_afterwards():
        yield


@pytest.fixture
def make_case(tmp_path):
    """Function that writes a `PreparedCase` from a label map.

    The image has the label map's axes, or a channel axis before them.
    """

    def make(
        label_map,
        image=None,
        *,
        num_classes=None,
        name="case",
        spacing=(1.0, 1.0, 1.5),
        context_width=3,
    ):
        label_map = np.asarray(label_map, np.uint8)
        if image is None:
            image = np.zeros(label_map.shape, np.int16)
        image = np.asarray(image, np.int16)
        image = image.reshape(-1, *label_map.shape)
        folder = tmp_path / name
        folder.mkdir()
        positions, counts = index_classes(
            label_map, num_classes or int(label_map.max()) + 1
        )
        means = [box_means(channel, -1000, context_width) for channel in image]
        np.save(folder / "image.npy", image)
        np.save(folder / "context.npy", np.stack(means))
        np.save(folder / "labels.npy", label_map)
        np.save(folder / "positions.npy", positions)
        return PreparedCase(
            name=name,
            folder=folder,
            shape=label_map.shape,
            spacing=spacing,
            counts=tuple(int(n) for n in counts),
            missing=(),
            scales=(1 / 218,) * len(image),
            offsets=(0.0,) * len(image),
            outside=(-1000,) * len(image),
            extremes=((-1000, 1000),) * len(image),
            affine=tuple(map(tuple, np.diag([*spacing, 1.0]))),
        )

    return make


@pytest.fixture
def randomize():
    """Function that gives a model random weights without zeros.

    Fresh blocks are their shortcuts alone, so that a fresh model would not
    show a slip in them.
    """

    def randomize(model, seed=0):
        rng = np.random.default_rng(seed)
        for weight in model.weights:
            values = rng.normal(size=weight.shape)
            if weight.name in ("gamma", "moving_variance"):
                values = rng.uniform(0.5, 1.5, weight.shape)
            elif weight.name == "kernel":
                values *= np.sqrt(2 / np.prod(weight.shape[:-1]))
            else:
                values *= 0.1
            if "fc2" in weight.path:
                # Probabilities far from 0 and 1.
                values /= 30
            weight.assign(values)
        return model

    return randomize


@pytest.fixture
def threshold_model():
    """Function that makes a dual-path model of class 1 where voxel > 0.

    A voxel's prediction depends on that voxel alone (normalized intensity,
    above -10); further classes are never predicted.
    """
    from keras_isample.models import dual_path_resnet

    def make(num_classes=2, *, steepness=100.0, **options):
        model = dual_path_resnet(num_classes, width=0.1, **options)
        for layer in model.layers:
            if layer.name.endswith("_bn"):
                gamma, beta, mean, _ = layer.get_weights()
                # Together with the layer's epsilon a variance of 1.
                variance = np.full_like(mean, 1 - layer.epsilon)
                layer.set_weights([gamma, beta, mean, variance])
        copied = ["high_stem", "fc1"]
        copied += [f"high_{block}_projection" for block in ("ra3", "ra5")]
        copied += ["high_rb1_projection"]
        for name in copied:
            kernel, bias = (0 * w for w in model.get_layer(name).get_weights())
            kernel[(*(n // 2 for n in kernel.shape[:3]), 0, 0)] = 1
            # Keeps what ReLU sees above 0.
            bias[0] = 10 if name == "high_stem" else 0
            model.get_layer(name).set_weights([kernel, bias])
        kernel, bias = (0 * w for w in model.get_layer("fc2").get_weights())
        kernel[0, 0, 0, 0, 1] = steepness
        bias[1] = -10 * steepness
        bias[2:] = -1e6
        model.get_layer("fc2").set_weights([kernel, bias])
        return model

    return make


@pytest.fixture(scope="session")
def write_balls():
    """Function that writes a data set that small networks can learn.

    Four scans of about 33 x 32 x 34 voxels of 1 x 1 x 1.5 mm in images/ and
    labels/ layout, with a ball and a bead of their own intensities, or one of
    several channels in nnU-Net layout.
    """
    import json

    import nibabel as nib

    from keras_isample.volumes.volume import Volume
    from keras_isample.volumes.writing import write_volume

    def write(root, *, cases=4, channels=1, codes="RAS"):
        rng = np.random.default_rng(0)
        images, labels = ("images", "labels")
        if channels > 1:
            images, labels = ("imagesTr", "labelsTr")
        for folder in (images, labels):
            (root / folder).mkdir(parents=True)
        affine = nib.orientations.inv_ornt_aff(
            nib.orientations.axcodes2ornt(codes), (33, 32, 34)
        )
        affine = np.diag([1, 1, 1.5, 1]) @ affine
        for index in range(cases):
            shape = (33 + 2 * (index % 2), 32, 34)
            grid = np.stack(np.indices(shape), axis=-1)
            center = np.array(shape) // 2 + rng.integers(-4, 5, 3)
            label_map = np.zeros(shape, np.uint8)
            for label, shift, radius in ((1, 0, 7), (2, 9, 3)):
                place = center + (shift, 0, 0)
                inside = np.linalg.norm(grid - place, axis=-1) < radius
                label_map[inside] = label
            levels = np.array([-50, 100, 250])[label_map]
            file = f"case_{index}"
            write_volume(
                root / labels / f"{file}.nii.gz", Volume(label_map, affine)
            )
            for channel in range(channels):
                array = levels + rng.normal(0, 20, shape)
                ending = f"_{channel:04d}" if channels > 1 else ""
                write_volume(
                    root / images / f"{file}{ending}.nii.gz",
                    Volume(array.astype(np.int16), affine),
                )
        content = {
            "channel_names": {str(c): "CT" for c in range(channels)},
            "labels": {"background": 0, "ball": 1, "bead": 2},
            "numTraining": cases,
            "file_ending": ".nii.gz",
        }
        (root / "dataset.json").write_text(json.dumps(content))
        return root

    return write


@pytest.fixture(scope="session")
def ball_data(tmp_path_factory, write_balls):
    """A data set that small networks can learn, not to be changed."""
    return write_balls(tmp_path_factory.mktemp("balls") / "balls")


@pytest.fixture(scope="session")
def ball_settings(tmp_path_factory):
    """Settings of a run of seconds."""
    return {
        "spacing": "native",
        "split": "2,1,1",
        "width": 0.3,
        "patch_size": 8,
        "batch_size": 2,
        "steps_per_epoch": 3,
        "epochs": 3,
        "warmup_epochs": 1,
        "normalization_batches": 2,
        # Small patches of small scans pay for a part of these only.
        "error_map_share": "none",
        "validation_share": "none",
        "cache": str(tmp_path_factory.mktemp("cache")),
    }


@pytest.fixture(scope="session")
def ball_config(ball_data, ball_settings):
    """`Config` of a run of seconds; further settings win."""
    from keras_isample.config import Config

    def make(data=ball_data, **settings):
        return Config.from_settings(data, {**ball_settings, **settings})

    return make


@pytest.fixture(scope="session")
def ball_run(tmp_path_factory, ball_config):
    """A run that nothing has interrupted, not to be changed."""
    from keras_isample.training.run import fit

    said = []
    path = tmp_path_factory.mktemp("runs") / "balls"
    result = fit(
        ball_config(), path, command_line=["fit", "balls"], say=said.append
    )
    (path.parent / "said.txt").write_text("\n".join(said))
    return result


@pytest.fixture(scope="session")
def ball_options(ball_data, ball_settings):
    """Options of the command line for a run of seconds."""
    options = ["--data", str(ball_data)]
    for name, value in ball_settings.items():
        options += [f"--{name.replace('_', '-')}", str(value)]
    return options


@pytest.fixture
def assert_same_end():
    """Function that checks that two runs ended with the same state."""
    from keras_isample.training.history import read_history
    from keras_isample.training.run_folder import RunFolder

    def history(folder):
        return [
            {k: v for k, v in row.items() if not k.startswith("seconds")}
            for row in read_history(folder.history_file)
        ]

    def weights(folder):
        import keras

        return keras.models.load_model(folder.model_file).get_weights()

    def check(path, other):
        folders = [RunFolder(path), RunFolder(other)]
        assert history(folders[0]) == history(folders[1])
        first, second = (np.load(f.state_file) for f in folders)
        assert first.files == second.files
        for name in set(first.files) - {"progress"}:
            assert first[name].dtype == second[name].dtype
            assert np.array_equal(first[name], second[name]), name
        for one, two in zip(*map(weights, folders), strict=True):
            assert np.array_equal(one, two)
        maps = [sorted(f.error_map_folder.glob("*")) for f in folders]
        assert [m.name for m in maps[0]] == [m.name for m in maps[1]]
        for one, two in zip(*maps, strict=True):
            assert one.read_bytes() == two.read_bytes()

    return check


@pytest.fixture
def clock():
    """A clock that stands until `step` turns it."""

    class Clock:
        now = 1000.0

        def __call__(self):
            return self.now

        def step(self, seconds):
            self.now += seconds

    return Clock()


@pytest.fixture
def listener():
    """A `Reporter` that keeps what it is told in `heard`."""
    from keras_isample.progress import Reporter

    class Listener(Reporter):
        def __init__(self):
            super().__init__()
            self.heard = []
            self.said = []

        def begun(self, phase):
            self.heard.append(f"begin {phase.title}")

        def moved(self, phase):
            self.heard.append(phase.head())

        def ended(self, phase):
            self.heard.append(f"end {phase.title}")

        def say(self, text):
            self.said.append(text)

    return Listener()
