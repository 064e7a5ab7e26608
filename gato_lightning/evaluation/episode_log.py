"""Episodes of a rollout on disk as they end, so that an interrupted one goes on where it stopped."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gato_lightning.evaluation.scores import EpisodeResult


class EpisodeLog:
    """A file with a line an episode, below a line that says of what.

    Args:
        path: the file; it is begun anew if it is of something else.
        of: what shapes the episodes, as JSON.

    Attributes:
        done: by task, the episodes that the file had.
    """

    def __init__(self, path: Path, of: Mapping[str, Any]) -> None:
        self._path = path
        self.done: dict[str, list[EpisodeResult]] = {}
        head = json.dumps(of, sort_keys=True) + "\n"
        # The last line may have been cut short.
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]
        if whole[:1] == [head]:
            for line in whole[1:]:
                task, fields = json.loads(line)
                self.done.setdefault(task, []).append(EpisodeResult(**fields))
            os.truncate(path, sum(len(line.encode()) for line in whole))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(head)
        self._file = path.open("a")

    def add(self, task: str, episode: EpisodeResult) -> None:
        """Writes an episode."""
        self._file.write(json.dumps([task, asdict(episode)]) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Leaves the file for the next time."""
        self._file.close()

    def remove(self) -> None:
        """Removes the file, when all is done."""
        self.close()
        self._path.unlink(missing_ok=True)
