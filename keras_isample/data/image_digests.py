"""Which scans are the same, whatever their files are called.

The digest of a file is one of its decompressed voxels, so that a copy is
recognized under another name, packed or not, and with a header that was
corrected.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from keras_isample.data.cache import default_cache
from keras_isample.data.cache import hash_of
from keras_isample.data.cache import stamp
from keras_isample.data.layout import Case
from keras_isample.errors import InputError
from keras_isample.volumes.files import write_text
from keras_isample.volumes.header import MAX_HEADER_BYTES
from keras_isample.volumes.header import parse_header
from keras_isample.volumes.stream import open_stream

_DIGEST_BYTES = 16


def case_digests(
    cases: Iterable[Case], cache: Path | None = None
) -> dict[str, str]:
    """A digest of the images of each case, its labels left out.

    The digest of a file is noted in the cache, and taken from there as long as
    the file stays the same.

    Args:
        cases: The cases.
        cache: The cache folder; `None` for the default one.

    Returns:
        Case name to digest. A case of which a file cannot be read is left
        out: whoever reads it says what is wrong with it.
    """
    record = Path(cache or default_cache()) / "image_digests"
    cases = list(cases)

    def digest(case):
        try:
            return hash_of([_noted(path, record) for path in case.images])
        except (InputError, OSError):
            return None

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        found = list(pool.map(digest, cases))
    return {
        case.name: value
        for case, value in zip(cases, found, strict=True)
        if value is not None
    }


def image_digest(path: str | os.PathLike) -> str:
    """Digest of the voxels of an image file as they are stored.

    Of what is no NIfTI or MGH file, the digest of all its bytes.

    Raises:
        InputError: If the file cannot be read or is damaged.
    """
    hashed = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    with open_stream(path, lambda line: None) as stream:
        start = bytearray()
        for piece in stream.pieces:
            start += piece
            if len(start) >= MAX_HEADER_BYTES:
                break
        first = 0
        with contextlib.suppress(InputError):
            header = parse_header(
                bytes(start[:MAX_HEADER_BYTES]), str(path), lambda line: None
            )
            first = header.offset
            hashed.update(f"{header.shape} {header.dtype.str}".encode())
        skipped = min(first, len(start))
        hashed.update(start[skipped:])
        for piece in stream.pieces:
            # A header may be longer than the pieces read so far.
            rest = min(first - skipped, len(piece))
            skipped += rest
            hashed.update(piece[rest:])
    return hashed.hexdigest()


def _noted(path, record):
    note = record / hash_of(stamp(path))
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(note.read_text(encoding="utf-8"))
        if isinstance(known, str):
            return known
    digest = image_digest(path)
    # What cannot be noted is computed again.
    with contextlib.suppress(OSError, InputError):
        write_text(note, json.dumps(digest))
    return digest
