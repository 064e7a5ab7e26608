"""How the C library hands memory out."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_KEPT = 1 << 30  # bytes


def keep_freed_memory() -> None:
    """Has glibc keep freed memory for the next allocation instead of handing it back to the system.

    A training step on a CPU frees and asks for the same tens of megabytes (logits, gradients) again and again; where they come
    from the system each time, page faults take a good part of a small model's step. Up to a GiB of freed memory is kept. Other
    C libraries have no such setting and are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _KEPT)
        mallopt(_TRIM_THRESHOLD, _KEPT)
