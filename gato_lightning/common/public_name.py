"""The name of a class in what is kept: configs, stores, data sets."""

import sys


def public_name(kind: type) -> str:
    """`package.Class` where the package exports the class, so that its file can move; otherwise its full path.

    `pkgutil.resolve_name` gives the class of a name.
    """
    package = kind.__module__.partition(".")[0]
    exported = getattr(sys.modules[package], kind.__name__, None) is kind
    return f"{package}.{kind.__name__}" if exported else f"{kind.__module__}.{kind.__qualname__}"
