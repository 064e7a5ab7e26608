"""RLDS data sets, as TFDS writes them and Open X-Embodiment publishes them, as tasks; without TensorFlow."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.control.recorded.columns_task import ColumnsTask
from datamodules.control.recorded.recording import Recording, split_of
from datamodules.control.recorded.tfrecords import offsets, read_record
from datamodules.readers.files import fingerprint
from gato_lightning.errors import UserError

_FEATURES = "features.json"
_STEPS = "steps/"
_INSTRUCTION = "language_instruction"
_FILE = re.compile(r".*-(?P<split>\w+)\.tfrecord-\d+-of-\d+")


@dataclass(frozen=True)
class _Feature:
    """What features.json says of a key of the steps.

    Args:
        kind: `text`, `image`, or the dtype of numbers.
        shape: of a value.
    """

    kind: str
    shape: tuple[int, ...] = ()


class RldsDataModule(ColumnsTask):
    """Episodes in the layout of RLDS: a folder with features.json and files NAME-SPLIT.tfrecord-00000-of-00010.

    Keys are those of a step, as in features.json: `action`, `observation/image_0`, `language_instruction`. Observed are, by
    default, those under `observation` and the instruction. What stands beside the last observation (`is_last`) is no action and
    is left out.

    Args:
        path: the folder of a version, such as `bridge/1.0.0`, or one above it that holds no other.
        kwargs: of `ColumnsTask`.
    """

    domain = "rlds"

    def __init__(self, path: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.root = _version_folder(path)
        self.features = dict(_step_features(self.root / _FEATURES))
        files = {file: match["split"] for file in sorted(self.root.iterdir()) if (match := _FILE.fullmatch(file.name))}
        if not files:
            raise UserError(f"{self.root}: no file NAME-SPLIT.tfrecord-00000-of-0000N in it")
        splits = {file: split_of(split, set(files.values())) for file, split in files.items()}
        self.describe(
            [
                Recording(file, f"record {number}", offset, split)
                for file, split in splits.items()
                if split is not None
                for number, offset in enumerate(offsets(file))
            ],
            path,
        )

    def fingerprints(self) -> list[Any]:
        return [fingerprint(self.root / _FEATURES), *super().fingerprints()]

    def is_observed(self, key: str) -> bool:
        return key.startswith("observation/") or key == _INSTRUCTION

    def read(self, recording: Recording, keys: Collection[str] | None) -> Mapping[str, Any]:
        record = read_record(recording.file, recording.where)
        found = {}
        for key, feature in self.features.items():
            if (keys is None or key in keys or key == "is_last") and _STEPS + key in record:
                found[key] = _values(record[_STEPS + key], feature, key)
        ends = found.get("is_last", ())
        return {key: values[:-1] for key, values in found.items()} if len(ends) and ends[-1] else found


def _version_folder(path: str) -> Path:
    """The one folder of a version at or below a path.

    Raises:
        UserError: there is none, or more than one.
    """
    found = sorted(file.parent for file in Path(path).rglob(_FEATURES))
    if len(found) != 1:
        told = (
            f"{len(found)} folders with a {_FEATURES} ({', '.join(map(str, found[:4]))})" if found else f"no {_FEATURES} in it"
        )
        raise UserError(f"{path}: {told}, expected the folder of one version of a data set, as TFDS writes it")
    return found[0]


def _step_features(path: Path) -> Iterator[tuple[str, _Feature]]:
    """What features.json says of the steps; keys whose values have no fixed shape or are encoded are left out.

    Raises:
        UserError: it cannot be read, or has no steps.
    """
    try:
        steps = json.loads(path.read_bytes())["featuresDict"]["features"]["steps"]["sequence"]["feature"]
        yield from _flat(steps, "")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: cannot be read, or has no steps ({type(error).__name__}: {error})") from error


def _flat(feature: Mapping[str, Any], key: str) -> Iterator[tuple[str, _Feature]]:
    if "featuresDict" in feature:
        for name, part in feature["featuresDict"]["features"].items():
            yield from _flat(part, f"{key}/{name}" if key else name)
    elif "image" in feature:
        yield key, _Feature("image")
    elif "text" in feature:
        yield key, _Feature("text")
    elif "tensor" in feature:
        tensor = feature["tensor"]
        shape = tuple(int(size) for size in tensor["shape"].get("dimensions", ()))
        if min(shape, default=1) > 0 and tensor.get("encoding", "none") == "none":
            yield key, _Feature("text" if tensor["dtype"] in ("string", "object") else tensor["dtype"], shape)


def _values(flat: list[bytes] | np.ndarray, feature: _Feature, key: str) -> Any:
    """A column over the steps, of which a record holds all values one after another.

    Raises:
        UserError: they are of another type or number.
    """
    if feature.kind == "image":
        return flat
    if feature.kind == "text":
        try:
            return [bytes(one).decode() for one in flat]
        except (UnicodeDecodeError, TypeError, ValueError) as error:
            raise UserError(f"column {key}: no UTF-8 text ({error})") from error
    size = int(np.prod(feature.shape))
    if isinstance(flat, list) or len(flat) % size:
        raise UserError(f"column {key}: {len(flat)} values, expected a multiple of {size}, as of shape {feature.shape}")
    return np.asarray(flat).reshape(-1, *feature.shape).astype(feature.kind)
