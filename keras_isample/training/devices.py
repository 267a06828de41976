"""The devices that a model trains on."""

import contextlib
import logging

import tensorflow as tf

from keras_isample.errors import InputError

log = logging.getLogger(__name__)


def strategy_for(config):
    """The `tf.distribute.MirroredStrategy` of a run; `None` for one device.

    Args:
        config: The run's `Config`.

    Raises:
        InputError: If a device is not there, the batch cannot be divided among
            the devices, or the error maps need a single one.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        # Members and whoever started them may share one.
        with contextlib.suppress(RuntimeError):
            tf.config.experimental.set_memory_growth(gpu, True)
    devices, batch_size = config.training.devices, config.sampling.batch_size
    way = config.sampling.error_map_way
    alone = way is not None and way.one_device
    if alone and devices == "auto":
        if len(_gpus()) > 1:
            log.warning(
                "%s error maps need a single device: training is on 1 of "
                "%d GPUs",
                config.sampling.error_maps,
                len(_gpus()),
            )
        return None
    spared = int(way is not None and way.in_background)
    strategy = shared_among(devices, batch_size, spared)
    several = strategy is not None and strategy.num_replicas_in_sync > 1
    if several and alone:
        raise InputError(
            "`error_maps`",
            f"{config.sampling.error_maps} needs a single device",
            "Choose one with `devices`, or use `error_maps='epoch'`",
        )
    return strategy


def shared_among(devices, batch_size, spared=0):
    """A `tf.distribute.MirroredStrategy`, or `None` for a single device.

    Every batch is divided evenly among the devices. Logical CPU devices
    (`cpu:0` and `cpu:1`) are made as needed, as long as TensorFlow has not
    started; they serve for trying things out.

    Args:
        devices: `"auto"` for all visible GPUs, as far as the batch can be
            divided among them; or names such as `("gpu:0", "gpu:1")` or
            `("cpu",)`.
        batch_size: Patches per step, on all devices together.
        spared: With `"auto"`, how many of several GPUs are left to others; the
            last ones.

    Raises:
        InputError: If a device is not there or the batch cannot be divided
            among them.
    """
    if devices == "auto":
        names = _usable_gpus(batch_size, spared)
        return tf.distribute.MirroredStrategy(names) if names else None
    names = [name.lower() for name in devices]
    names = [name if ":" in name else f"{name}:0" for name in names]
    if len(set(names)) < len(names):
        raise InputError(
            "`devices`",
            f"names one twice: {', '.join(devices)}",
            "Name each once",
        )
    _make_logical_cpus(names)
    known = [
        device.name.split("device:")[-1].lower()
        for device in tf.config.list_logical_devices()
    ]
    for name in names:
        if name not in known:
            raise InputError(
                "`devices`",
                f"{name} is not there",
                f"Choose from {', '.join(known)}",
            )
    if batch_size % len(names):
        raise InputError(
            "`batch_size`",
            f"{batch_size} cannot be divided among {len(names)} devices",
            f"Use {len(names) * max(1, round(batch_size / len(names)))}",
        )
    if names == [known[0]] and len(tf.config.list_logical_devices("GPU")) == 0:
        return None
    return tf.distribute.MirroredStrategy(names)


def devices_of(strategy):
    """Names of the devices that a strategy trains on; none without one."""
    if strategy is None:
        return ()
    # Such as /job:localhost/replica:0/task:0/device:GPU:1.
    names = strategy.extended.worker_devices
    return tuple(name.split("device:")[-1].lower() for name in names)


def _usable_gpus(batch_size, spared=0):
    """Names of the GPUs to use; none where there is at most one."""
    names = [f"gpu:{i}" for i in range(len(_gpus()) - spared)]
    usable = next(
        (n for n in range(len(names), 1, -1) if batch_size % n == 0), 1
    )
    if 0 < usable < len(names):
        log.warning(
            "a batch of %d is trained on %d of %d GPUs",
            batch_size,
            usable,
            len(names),
        )
    return names[:usable] if usable > 1 else []


def _gpus():
    return tf.config.list_logical_devices("GPU")


def _make_logical_cpus(names):
    numbers = [int(n[4:]) for n in names if n[:4] == "cpu:" and n[4:].isdigit()]
    wanted = max(numbers, default=0) + 1
    cpu = tf.config.list_physical_devices("CPU")[0]
    there = tf.config.get_logical_device_configuration(cpu) or [None]
    if wanted <= len(there):
        return
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * wanted
        )
    except RuntimeError:
        # TensorFlow has started; the devices are looked up by the caller.
        log.debug("logical CPU devices cannot be made any more")
