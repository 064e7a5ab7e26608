"""Decides which part of a data set is held out."""

import hashlib


def is_held_out(key: str, fraction: float) -> bool:
    """Returns whether the item with this key is held out.

    Only the key decides, not the seed, the order or the number of items. So an item held out in one run is never trained on
    in another, and adding data moves no item from one side to the other.

    Args:
        key: name of the item that must not occur on both sides (a concept, a set of objects, a document).
        fraction: share of all keys that is held out, in [0, 1].
    """
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < fraction * 2**64
