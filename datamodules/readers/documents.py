"""Documents of prose: what ships with Python, and the user's own text files."""

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
PACKAGE = "package:"  # and the name of an installed package: its docstrings

# Tests, and folders that are no part of the library although they lie in it.
_SKIPPED = {"site-packages", "dist-packages", "test", "tests", "_tests", "idle_test", "lib2to3", "pydoc_data", "turtledemo"}


@dataclass(frozen=True)
class Document:
    """One document.

    Args:
        name: names it on every machine, such as `"python:docstrings/json/decoder.py"`.
        parts: its text, in pieces that may also stand in other documents (the docstrings of one file).
    """

    name: str
    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole text, its parts separated by an empty line."""
        return "\n\n".join(self.parts)


def fingerprint(source: str) -> list[object]:
    """What changes when the text of a source does: the version of Python, or size and time of every file."""
    if source in (TOPICS, DOCSTRINGS):
        return [source, platform.python_version()]
    if source.startswith(PACKAGE):
        _package_folder(source)
        return [source, importlib.metadata.version(source.removeprefix(PACKAGE))]
    return source_fingerprint(source)


def read(sources: Iterable[str], field: str = "text") -> tuple[list[Document], list[Fault]]:
    """Reads the documents of all sources, without the parts that an earlier document has as well, and what is wrong with some.

    Args:
        sources: `TOPICS`, `DOCSTRINGS`, `PACKAGE` and a name, or what `text_files.texts` reads.
        field: of a JSON object, or column of a table, that holds the text.

    Raises:
        UserError: a source that does not exist, or holds no text; names it.
    """
    seen: set[bytes] = set()
    documents: list[Document] = []
    faults: list[Fault] = []
    for source in sources:
        # Inherited docstrings are copied from class to class; a copy must not stand on the other side of the split.
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
    """A digest of a text less case, spacing and punctuation: near copies share it."""
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
    """The docstrings below a folder, a document a file."""
    for path in sorted(root.rglob("*.py")):
        inner = path.relative_to(root)
        if _SKIPPED.isdisjoint(inner.parts):
            yield Document(f"{source}/{inner.as_posix()}", tuple(_docstrings(path)))


def _package_folder(source: str) -> Path:
    """Where the files of an installed package lie; it is not imported."""
    found = importlib.util.find_spec(source.removeprefix(PACKAGE))
    if found is None or not found.submodule_search_locations:
        raise UserError(f"text source {source}: no such package is installed")
    return Path(found.submodule_search_locations[0])


def _docstrings(path: Path) -> Iterator[str]:
    """The docstrings of a file, which is parsed but not run."""
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
    """What `ast.walk` gives, in its order, without the expressions: most of a tree, and nothing is defined in them."""
    waiting: deque[ast.AST] = deque([tree])
    while waiting:
        node = waiting.popleft()
        for field in ("body", "handlers", "cases", "orelse", "finalbody"):
            waiting.extend(getattr(node, field, ()))
        yield node
