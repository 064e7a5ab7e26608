"""Documents of prose: Python's documentation, docstrings of packages, and the user's text files."""

import ast
import hashlib
import importlib.metadata
import importlib.util
import platform
import re
import sysconfig
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from datamodules.base.faults import Fault
from datamodules.readers.text_files import source_fingerprint, texts
from gato_lightning.errors import UserError

TOPICS, DOCSTRINGS = "python:topics", "python:docstrings"
PACKAGE = "package:"  # followed by the name of an installed package, whose docstrings are read

# Tests, and folders inside the library's folder that do not belong to the library.
_SKIPPED = {"site-packages", "dist-packages", "test", "tests", "_tests", "idle_test", "lib2to3", "pydoc_data", "turtledemo"}


@dataclass(frozen=True)
class Document:
    """One document.

    Args:
        name: a name that is the same on every machine, such as `"python:docstrings/json/decoder.py"`.
        parts: the parts of its text, which may also occur in other documents (for example, the docstrings of a file).
    """

    name: str
    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole text: the parts, separated by empty lines."""
        return "\n\n".join(self.parts)


def fingerprint(source: str) -> list[object]:
    """Returns a value that changes with the text of a source: a version, or the size and time of every file."""
    if source in (TOPICS, DOCSTRINGS):
        return [source, platform.python_version()]
    if source.startswith(PACKAGE):
        _package_folder(source)
        return [source, importlib.metadata.version(source.removeprefix(PACKAGE))]
    return source_fingerprint(source)


def read(sources: Iterable[str], field: str = "text") -> tuple[list[Document], list[Fault]]:
    """Returns the documents of all sources, without parts that occur in an earlier document, and the faults.

    Args:
        sources: `TOPICS`, `DOCSTRINGS`, `PACKAGE` and a name, or a source of `text_files.texts`.
        field: the field of a JSON object, or the column of a table, that holds the text.

    Raises:
        UserError: if a source does not exist; names it.
    """
    seen: set[bytes] = set()
    documents: list[Document] = []
    faults: list[Fault] = []
    for source in sources:
        # Inherited docstrings are copied from class to class; a copy must not be in the other split.
        for document in _documents(source, field):
            if isinstance(document, Fault):
                faults.append(document)
                continue
            fresh = {essence: part for part in document.parts if (essence := _essence(part)) not in seen}
            seen.update(fresh)
            fresh.pop(_NOTHING, None)
            if fresh:
                documents.append(Document(document.name, tuple(fresh.values())))
    return documents, faults


def _essence(text: str) -> bytes:
    """Returns a digest of a text that ignores case, spacing and punctuation, so that near copies have the same digest."""
    return hashlib.blake2b(" ".join(re.findall(r"\w+", text.lower())).encode(), digest_size=16).digest()


_NOTHING = _essence("")


def _documents(source: str, field: str) -> Iterator[Document | Fault]:
    if source == TOPICS:
        from pydoc_data.topics import topics

        yield from (Document(f"{TOPICS}/{name}", (text.strip(),)) for name, text in sorted(topics.items()))
    elif source == DOCSTRINGS:
        yield from _modules(source, Path(sysconfig.get_paths()["stdlib"]))
    elif source.startswith(PACKAGE):
        yield from _modules(source, _package_folder(source))
    else:
        for text in texts(source, field):
            yield text if isinstance(text, Fault) else Document(text[0], (text[1],))


def _modules(source: str, root: Path) -> Iterator[Document]:
    """Yields the docstrings of the Python files below a folder, one document per file."""
    for path in sorted(root.rglob("*.py")):
        inner = path.relative_to(root)
        if _SKIPPED.isdisjoint(inner.parts):
            yield Document(f"{source}/{inner.as_posix()}", tuple(_docstrings(path)))


def _package_folder(source: str) -> Path:
    """Returns the folder of an installed package, without importing it."""
    found = importlib.util.find_spec(source.removeprefix(PACKAGE))
    if found is None or not found.submodule_search_locations:
        raise UserError(f"text source {source}: no such package is installed")
    return Path(found.submodule_search_locations[0])


def _docstrings(path: Path) -> Iterator[str]:
    """Yields the docstrings of a file, which is parsed but not run."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:  # a few files of the library are broken on purpose, to test tools
        return
    for node in _statements(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield text


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Yields the nodes of `ast.walk` in its order, without expressions: they are most of a tree and define nothing."""
    waiting: deque[ast.AST] = deque([tree])
    while waiting:
        node = waiting.popleft()
        for field in ("body", "handlers", "cases", "orelse", "finalbody"):
            waiting.extend(getattr(node, field, ()))
        yield node
