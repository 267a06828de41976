"""Sizes in bytes, with their units."""

_UNITS = {"GB": 10**9, "MB": 10**6, "KB": 10**3, "B": 1}


def read_size(text: str) -> int | str:
    """Bytes of a text such as `"500MB"` or `"3GB"` (powers of 1000).

    Args:
        text: The text, in capitals or not. Without a unit it is in bytes.

    Returns:
        Bytes; a text that is no size comes back.
    """
    number = text.strip().upper()
    unit = next((u for u in _UNITS if number.endswith(u)), "B")
    try:
        return int(float(number.removesuffix(unit)) * _UNITS[unit])
    except (ValueError, OverflowError):
        return text


def size_text(size: int | str) -> str:
    """A size in the largest unit in which it is a short number.

    Args:
        size: Bytes, or a word that stands for them.
    """
    if isinstance(size, str):
        return size
    for unit, factor in _UNITS.items():
        if size >= factor and size * 100 % factor == 0:
            return f"{size / factor:.15g}{unit}"
    return f"{size}B"
