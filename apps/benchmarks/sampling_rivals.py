"""What `sampling.py` compares with, each in a process of its own per core.

The processes do nothing else and give their batches to nobody, which spares
the rivals the transport that a training would need.
"""

import functools
import importlib.util
import multiprocessing
import pickle
import tempfile
import time
from pathlib import Path

import numpy as np

SIDE = 64
BATCH = 12


def available(module):
    """Whether a rival is installed."""
    return importlib.util.find_spec(module) is not None


def rate(name, folder, number, processes):
    """Patches per second of a rival in some processes at once.

    Args:
        name: One of `RIVALS`.
        folder: Prepared case with `image.npy`, `labels.npy`, `errors-*.npy`.
        number: Patches that each process draws.
        processes: Number of processes.
    """
    context = multiprocessing.get_context("spawn")
    results, start = context.Queue(), context.Barrier(processes)
    workers = [
        context.Process(
            target=_work, args=(name, folder, number, start, results)
        )
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    seconds = [results.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    return processes * number / max(seconds)


def _work(name, folder, number, start, results):
    import torch

    torch.set_num_threads(1)
    draw = RIVALS[name](Path(folder))
    draw(BATCH)
    start.wait()
    begun = time.perf_counter()
    draw(number)
    results.put(time.perf_counter() - begun)


def _nnunet_loader(folder, *, warp=False):
    """nnU-Net's loader, from mapped arrays, a third of it foreground."""
    from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetNumpy
    from nnunetv2.utilities.label_handling.label_handling import LabelManager

    data = Path(tempfile.mkdtemp())
    (data / "case.npy").symlink_to(folder / "image.npy")
    labels = np.load(folder / "labels.npy", mmap_mode="r")
    (data / "case_seg.npy").symlink_to(folder / "labels-4d.npy")
    rng = np.random.default_rng(0)
    places = {}
    for label in (1, 2):
        found = np.argwhere(labels == label)
        found = found[rng.choice(len(found), 10_000)]
        places[label] = np.pad(found, ((0, 0), (1, 0)))
    with open(data / "case.pkl", "wb") as file:
        pickle.dump({"class_locations": places}, file)
    manager = LabelManager({"background": 0, "a": 1, "b": 2}, None)
    final = (SIDE,) * 3
    # The margin that rotation and scaling need.
    first = (SIDE + 16,) * 3 if warp else final
    loader = nnUNetDataLoader(
        nnUNetDatasetNumpy(str(data), ["case"]),
        BATCH,
        first,
        final,
        manager,
        oversample_foreground_percent=0.33,
        transforms=_spatial() if warp else None,
    )

    def draw(number):
        for _ in range(number // BATCH):
            next(loader)

    return draw


def _spatial():
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform

    return SpatialTransform(
        (SIDE,) * 3,
        patch_center_dist_from_border=0,
        random_crop=False,
        p_rotation=1,
        rotation=(-np.pi / 18, np.pi / 18),
        p_scaling=1,
        scaling=(0.9, 1.1),
        mode_seg="nearest",
    )


def _nnunet_warp(folder):
    """nnU-Net's rotation and scaling of patches that are cut already."""
    import torch

    side = SIDE + 16
    image = np.load(folder / "image.npy", mmap_mode="r")
    labels = np.load(folder / "labels-4d.npy", mmap_mode="r")
    window = (slice(None), *[slice(90, 90 + side)] * 3)
    image = torch.from_numpy(image[window].astype(np.float32))
    labels = torch.from_numpy(labels[window].astype(np.int16))
    warp = _spatial()

    def draw(number):
        for _ in range(number):
            warp(image=image, segmentation=labels)

    return draw


def _torchio(folder, *, weighted):
    import torch
    import torchio

    image = np.load(folder / "image.npy", mmap_mode="r")
    labels = np.load(folder / "labels-4d.npy", mmap_mode="r")
    errors = np.load(folder / "errors-1.npy", mmap_mode="r")[None]
    subject = torchio.Subject(
        image=torchio.ScalarImage(tensor=torch.from_numpy(image.copy())),
        labels=torchio.LabelMap(tensor=torch.from_numpy(labels.copy())),
    )
    if weighted:
        subject["errors"] = torchio.ScalarImage(
            tensor=torch.from_numpy(errors.astype(np.float32))
        )
        sampler = torchio.WeightedSampler(SIDE, "errors")
    else:
        sampler = torchio.LabelSampler(SIDE, "labels")

    def draw(number):
        # A new call takes up whatever has changed, as at a new epoch.
        for patch in sampler(subject, number):
            patch["image"].data.float()

    return draw


RIVALS = {
    "nnU-Net loader": _nnunet_loader,
    "nnU-Net loader and warp": functools.partial(_nnunet_loader, warp=True),
    "nnU-Net warp alone": _nnunet_warp,
    "TorchIO LabelSampler": functools.partial(_torchio, weighted=False),
    "TorchIO WeightedSampler": functools.partial(_torchio, weighted=True),
}
