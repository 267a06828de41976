"""Whether a model's loss reads the labels as its sampler writes them."""

import keras


def check_merged_classes(model, sampler):
    """Refuses a loss that does not know which classes are merged.

    It would take coded labels for classes that do not exist, and learn nothing
    from the cases that have them.

    Args:
        model: The model that is trained.
        sampler: The `ISample` that it is trained from.

    Raises:
        ValueError: If the sampler merges classes and the loss others or none.
    """
    expected = sampler.merged_classes
    if not expected:
        return
    # A model of several outputs may have a loss for each.
    for loss in keras.tree.flatten(getattr(model, "loss", None)):
        found = getattr(loss, "merged_classes", ())
        if loss is not None and tuple(map(tuple, found)) != expected:
            raise ValueError(
                "The loss must have the sampler's merged_classes, "
                f"{expected}. Received: {loss!r} with {found}. Make it with "
                "merged_classes=sampler.merged_classes, or read the cohort "
                'with partial="exclude".'
            )
