"""Documents: the texts that Python and its packages ship, each once."""

import ast
import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from datamodules.readers.documents import DOCSTRINGS, TOPICS, _docstrings, read
from gato_lightning.errors import UserError


def test_what_python_ships_is_read_without_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("json", "copy_of_json", "test"):  # tests are no documents, copies are dropped
        shutil.copytree(Path(json.__file__).parent, tmp_path / name)
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    documents, faults = read([TOPICS, DOCSTRINGS])
    assert not faults
    assert sum(len(document.text) for document in documents) > 400_000
    named = {document.name: document for document in documents}
    assert len(named) == len(documents)
    assert "python:docstrings/copy_of_json/decoder.py" in named
    assert not any(name.startswith(("python:docstrings/json", "python:docstrings/test")) for name in named)
    assert "Simple JSON <https://json.org> decoder" in named["python:docstrings/copy_of_json/decoder.py"].text


EVERYWHERE = """'module'
if x:
    def f(): 'if'
elif y:
    async def f(): 'elif'
else:
    class C:
        'else'
        def f(): 'method'
for _ in x:
    def f(): 'for'
else:
    def f(): 'for else'
while x:
    def f(): 'while'
with x:
    def f(): 'with'
try:
    def f(): 'try'
except A:
    def f(): 'except'
else:
    def f(): 'try else'
finally:
    def f(): 'finally'
match x:
    case 1:
        def f(): 'case'
"""


def test_docstrings_are_found_wherever_a_definition_may_stand(tmp_path: Path):
    path = tmp_path / "everywhere.py"
    path.write_text(EVERYWHERE)
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    expected = [ast.get_docstring(node) for node in ast.walk(ast.parse(EVERYWHERE)) if isinstance(node, kinds)]
    assert list(_docstrings(path)) == expected
    assert len(expected) == 14


def test_an_installed_package_is_read_without_importing_it():
    code = (
        "import sys; from datamodules.readers.documents import read;"
        "names = [d.name for d in read(['package:sentencepiece'])[0]];"
        "assert 'package:sentencepiece/__init__.py' in names, names; assert 'sentencepiece' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(UserError, match="text source package:nowhere: no such package is installed"):
        read(["package:nowhere"])


def test_near_copies_are_dropped_whatever_their_case_and_spacing(tmp_path: Path):
    (tmp_path / "a.txt").write_text("One  text.\n")
    (tmp_path / "b.txt").write_text("one text")
    (tmp_path / "c.txt").write_text("another text")
    assert [document.text for document in read([str(tmp_path)])[0]] == ["One  text.", "another text"]
