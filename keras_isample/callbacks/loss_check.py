"""Whether a model's loss reads the labels as its sampler writes them."""


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
    loss = getattr(model, "loss", None)
    expected = sampler.merged_classes
    if not expected or loss is None:
        return
    found = getattr(loss, "merged_classes", ())
    if tuple(map(tuple, found)) != expected:
        raise ValueError(
            "The loss must have the sampler's merged_classes, "
            f"{expected}. Received: {loss!r} with {found}. Make it with "
            "merged_classes=sampler.merged_classes, or read the cohort with "
            'partial="exclude".'
        )
