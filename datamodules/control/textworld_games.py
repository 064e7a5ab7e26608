"""Games of TextWorld (Côté et al. 2018), made once and kept in the user's cache folder.

They are made ten at a time, in a process of their own: TextWorld goes through sets of strings in an order that differs by
process, unless it is told which. A game takes half a second of CPU, most of it for Inform 7, whose compiler TextWorld ships.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock

from gato_lightning.errors import UserError

TOGETHER = 10  # games that are made in one process: to begin costs as much as five of them


def game_file(game: str, options: Mapping[str, Any], number: int, count: int) -> Path:
    """A compiled game; what TextWorld knows of it lies beside it.

    Args:
        game: the kind, one of `textworld_generator.GAMES`.
        options: of that kind.
        number: of the game, which decides it, 0 or more.
        count: of all games; none is made of this number or above.

    Raises:
        UserError: it cannot be made with these options.
    """
    made_of = json.dumps([version("textworld"), game, dict(options)], sort_keys=True)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "gato-lightning" / "textworld" / hashlib.sha256(made_of.encode()).hexdigest()[:16]
    path = folder / f"{number}.z8"
    if not path.exists():
        first = number - number % TOGETHER
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{first}.lock"):
            if not path.exists():
                _make(game, options, first, min(first + TOGETHER, count), folder)
    return path


def _make(game: str, options: Mapping[str, Any], first: int, stop: int, folder: Path) -> None:
    arguments = json.dumps([game, dict(options), first, stop])
    settings = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "datamodules.control.textworld_generator", arguments, str(folder)]
    made = subprocess.run(command, env=settings, capture_output=True, text=True)
    if made.returncode:
        why = (made.stderr.strip().splitlines() or [f"exit status {made.returncode}"])[-1]
        raise UserError(f"the TextWorld game '{game}' cannot be made with options {dict(options)}: {why}")
