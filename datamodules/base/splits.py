"""Which part of a data set is held out."""

import hashlib


def is_held_out(key: str, fraction: float) -> bool:
    """Whether the thing named by `key` belongs to the held-out part.

    The name alone decides: not the seed, the order or the number of things, so that what is held out in one run is
    never trained on in another, and adding data moves nothing across the border.

    Args:
        key: names what must not occur on both sides (a concept, a set of objects, a document).
        fraction: share of all keys that is held out, in [0, 1].
    """
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < fraction * 2**64
