"""Recorded episodes in the layouts of other projects, as small as the tests need them."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import datasets
import h5py
import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from tfrecord.writer import TFRecordWriter

from tests.datamodules.vision_files import photograph


def movie(seed: int, steps: int, width: int = 64, height: int = 48) -> np.ndarray:
    """Smooth pictures that differ from step to step: uint8 (steps, height, width, 3)."""
    first = np.asarray(photograph(seed, width, height))
    return np.stack([np.roll(first, 3 * t, axis=1) for t in range(steps)])


def write_npz(folder: Path, episodes: int = 6, steps: int = 4) -> Path:
    (folder / "episodes").mkdir(parents=True)
    for seed in range(episodes):
        rng = np.random.default_rng(seed)
        np.savez(
            folder / "episodes" / f"{seed}.npz",
            image=movie(seed, steps),
            state=rng.normal(size=(steps, 2)),
            action=rng.normal(size=(steps, 2)),
            reward=np.ones(steps),
        )
    return folder / "episodes"


def encode(path: Path, frames: np.ndarray, fps: int, codec: str) -> None:
    """A video of these frames, in yuv420p with a key frame every second frame, as LeRobot has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, fps, options={"g": "2", "crf": "20"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode())


CAMERA, TASKS, FPS = "observation.images.top", ("push the cup", "open the box"), 10


def lerobot_columns(episode: int, number: int, steps: int, first: int) -> dict[str, Any]:
    """The columns of an episode that are no video; `number` counts its files' rows, `episode` its values."""
    rng = np.random.default_rng(episode)
    return {
        "observation.state": rng.normal(size=(steps, 3)).astype(np.float32),
        "action": (20 * rng.normal(size=(steps, 2))).astype(np.float32),
        "timestamp": (np.arange(steps) / FPS).astype(np.float32),
        "frame_index": np.arange(steps),
        "episode_index": np.full(steps, number),
        "index": first + np.arange(steps),
        "task_index": np.full(steps, episode % 2),
        "next.reward": np.linspace(0, 1, steps, dtype=np.float32),
    }


def _lists(columns: dict[str, Any]) -> pa.Table:
    return pa.table({key: list(value) if np.ndim(value) > 1 else value for key, value in columns.items()})


def write_lerobot(
    folder: Path, version: str = "v2.1", lengths: Sequence[int] = (6, 4, 5, 7), camera: str = "libx264", first: int = 0
) -> Path:
    """A data set in LeRobot's layout.

    Args:
        folder: where to.
        version: `v2.0`, `v2.1` or `v3.0`; the files of the last hold two episodes each.
        lengths: of the episodes.
        camera: a codec; `image` for images in the tables.
        first: index of the first episode.
    """
    root = folder / "lerobot"
    v3 = version == "v3.0"
    films = [movie(episode, steps, 64, 64) for episode, steps in enumerate(lengths)]
    starts = np.cumsum([0, *lengths])
    tables, rows = [], []
    for episode, steps in enumerate(lengths):
        columns = lerobot_columns(episode, first + episode, steps, int(starts[episode]))
        if camera == "image":
            columns[CAMERA] = [{"bytes": png(frame), "path": None} for frame in films[episode]]
        tables.append(_lists(columns))
        rows.append({"episode_index": first + episode, "tasks": [TASKS[episode % 2]], "length": steps})
    kind = "image" if camera == "image" else "video"
    counts = ("frame_index", "episode_index", "index", "task_index")
    features = {
        "observation.state": {"dtype": "float32", "shape": [3], "names": None},
        "action": {"dtype": "float32", "shape": [2], "names": None},
        CAMERA: {"dtype": kind, "shape": [64, 64, 3], "names": ["height", "width", "channel"]},
        **{key: {"dtype": "float32", "shape": [1], "names": None} for key in ("timestamp", "next.reward")},
        **{key: {"dtype": "int64", "shape": [1], "names": None} for key in counts},
    }
    data, videos = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}", "videos/chunk-{episode_chunk:03d}/{video_key}/"
    videos += "episode_{episode_index:06d}"
    if v3:
        file = "chunk-{chunk_index:03d}/file-{file_index:03d}"
        data, videos = f"data/{file}", "videos/{video_key}/" + file
    info = {
        "codebase_version": version,
        "robot_type": "arm",
        "fps": FPS,
        "total_episodes": len(lengths),
        "total_frames": int(starts[-1]),
        "total_tasks": 2,
        "chunks_size": 1000,
        "splits": {"train": f"{first}:{first + len(lengths)}"},
        "data_path": f"{data}.parquet",
        "video_path": None if camera == "image" else f"{videos}.mp4",
        "features": features,
    }
    meta = root / "meta"
    meta.mkdir(parents=True)
    (meta / "info.json").write_text(json.dumps(info))
    if not v3:
        (meta / "tasks.jsonl").write_text(
            "".join(json.dumps({"task_index": n, "task": text}) + "\n" for n, text in enumerate(TASKS))
        )
        (meta / "episodes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        for episode, table in enumerate(tables):
            place = {"episode_chunk": (first + episode) // 1000, "episode_index": first + episode}
            _write_table(root / info["data_path"].format(**place), [table])
            if camera != "image":
                encode(root / info["video_path"].format(video_key=CAMERA, **place), films[episode], FPS, camera)
        return root
    pandas.DataFrame({"task_index": [0, 1]}, index=pandas.Index(TASKS, name="task")).to_parquet(meta / "tasks.parquet")
    for file, begin in enumerate(range(0, len(lengths), 2)):
        place, chosen = {"chunk_index": 0, "file_index": file}, range(begin, min(begin + 2, len(lengths)))
        _write_table(root / info["data_path"].format(**place), [tables[episode] for episode in chosen])
        if camera != "image":
            joined = np.concatenate([films[episode] for episode in chosen])
            encode(root / info["video_path"].format(video_key=CAMERA, **place), joined, FPS, camera)
        for episode in chosen:
            since = (starts[episode] - starts[begin]) / FPS
            rows[episode] |= {
                "data/chunk_index": 0,
                "data/file_index": file,
                "dataset_from_index": int(starts[episode]),
                "dataset_to_index": int(starts[episode + 1]),
                f"videos/{CAMERA}/chunk_index": 0,
                f"videos/{CAMERA}/file_index": file,
                f"videos/{CAMERA}/from_timestamp": since,
                f"videos/{CAMERA}/to_timestamp": since + lengths[episode] / FPS,
            }
    (meta / "episodes" / "chunk-000").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), meta / "episodes" / "chunk-000" / "file-000.parquet")
    return root


def _write_table(path: Path, tables: Sequence[pa.Table]) -> None:
    """A Parquet file with a row group for each table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, tables[0].schema) as writer:
        for table in tables:
            writer.write_table(table)


def png(image: np.ndarray) -> bytes:
    """An image as the bytes of a PNG file."""
    held = io.BytesIO()
    Image.fromarray(image).save(held, "png")
    return held.getvalue()


def write_robomimic(
    folder: Path, lengths: Sequence[int] = (5, 4, 6, 3, 5), env_args: dict | None = None, **arrays: Any
) -> Path:
    """A file in robomimic's layout, in which demonstration 1 is held out; `arrays` come into each demonstration."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "demos.hdf5"
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["total"] = sum(lengths)
        data.attrs["env_args"] = json.dumps(env_args or {"env_name": "Lift", "env_type": 1, "env_kwargs": {}})
        for number, steps in enumerate(lengths):
            rng = np.random.default_rng(number)
            demo = data.create_group(f"demo_{number}")
            demo.attrs["num_samples"] = steps
            given = {
                "actions": rng.uniform(-1, 1, (steps, 2)),
                "states": rng.normal(size=(steps, 9)),
                "rewards": (np.arange(steps) == steps - 1).astype(float),
                "dones": np.arange(steps) == steps - 1,
                "obs/eef_pos": rng.normal(size=(steps, 3)),
                "obs/agentview_image": movie(number, steps),
                "next_obs/eef_pos": rng.normal(size=(steps, 3)),
            }
            for key, values in {**given, **{key: make(steps) for key, make in arrays.items()}}.items():
                demo[key] = values
        names = [f"demo_{number}".encode() for number in range(len(lengths))]
        file["mask/train"], file["mask/valid"] = [names[0], *names[2:]], names[1:2]
        file["mask/few"] = names[:3]
    return path


def write_d4rl(folder: Path, lengths: Sequence[int] = (5, 4, 6, 3), size: int = 4) -> Path:
    """A file in D4RL's layout: episodes end by turns as terminal and at their time limit, the last one not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "flat.hdf5"
    rng, total = np.random.default_rng(0), sum(lengths)
    last = np.cumsum(lengths)[:-1] - 1
    with h5py.File(path, "w") as file:
        file["observations"] = rng.normal(size=(total, size)).astype(np.float32)
        file["actions"] = rng.uniform(-1, 1, (total, 1)).astype(np.float32)
        file["rewards"] = np.ones(total, np.float32)
        file["terminals"] = np.isin(np.arange(total), last[::2])
        file["timeouts"] = np.isin(np.arange(total), last[1::2])
        file["infos/goal"] = rng.normal(size=(total, 2))
        file["metadata/algorithm"] = "SAC"
    return path


def jat_columns(kind: str, seed: int, steps: int) -> dict[str, Any]:
    """A row of JAT's data set, of a configuration of this kind."""
    rng = np.random.default_rng(seed)
    rewards = {"rewards": np.ones(steps, np.float32).tolist()}
    if kind == "atari":
        stacked = np.concatenate([movie(seed, steps, 84, 84)[..., :1], movie(seed, steps, 84, 84)], axis=3)
        return {"image_observations": list(stacked), "discrete_actions": rng.integers(0, 18, steps).tolist(), **rewards}
    if kind == "babyai":
        return {
            "text_observations": ["go to the red ball"] * steps,
            "discrete_observations": rng.integers(0, 11, (steps, 148)).tolist(),
            "discrete_actions": rng.integers(0, 7, steps).tolist(),
            **rewards,
        }
    return {
        "continuous_observations": rng.normal(size=(steps, 5)).astype(np.float32).tolist(),
        "continuous_actions": (20 * rng.normal(size=(steps, 3))).astype(np.float32).tolist(),
        **rewards,
    }


def write_jat(
    folder: Path, configs: Sequence[str] = ("metaworld-reach", "metaworld-push", "babyai-go-to", "atari-pong")
) -> Path:
    """Parquet files in JAT's layout: five episodes to train on and two to test with of each configuration."""
    kinds = {
        "text_observations": datasets.Sequence(datasets.Value("string")),
        "image_observations": datasets.Sequence(datasets.Image()),
        "discrete_observations": datasets.Sequence(datasets.Sequence(datasets.Value("int64"))),
        "continuous_observations": datasets.Sequence(datasets.Sequence(datasets.Value("float32"))),
        "discrete_actions": datasets.Sequence(datasets.Value("int64")),
        "continuous_actions": datasets.Sequence(datasets.Sequence(datasets.Value("float32"))),
        "rewards": datasets.Sequence(datasets.Value("float32")),
    }
    for number, config in enumerate(configs):
        for split, seeds in (("train", range(5)), ("test", range(5, 7))):
            rows = [jat_columns(config.split("-")[0], 100 * number + seed, 3 + seed % 3) for seed in seeds]
            features = datasets.Features({key: kinds[key] for key in rows[0]})
            path = folder / "jat" / config / f"{split}-00000-of-00001.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            datasets.Dataset.from_list(rows, features=features).to_parquet(path, batch_size=2)
    return folder / "jat"


def _feature(kind: str, shape: Sequence[int] = ()) -> dict[str, Any]:
    """A feature as features.json tells it."""
    if kind in ("text", "image"):
        return {"pythonClassName": kind, kind: {"shape": {"dimensions": ["64", "64", "3"]}} if kind == "image" else {}}
    dimensions = {"dimensions": [str(size) for size in shape]} if shape else {}
    return {"pythonClassName": "Tensor", "tensor": {"shape": dimensions, "dtype": kind, "encoding": "none"}}


def _features_dict(features: dict[str, Any]) -> dict[str, Any]:
    return {"pythonClassName": "FeaturesDict", "featuresDict": {"features": features}}


def rlds_steps(seed: int, steps: int) -> dict[str, Any]:
    """The columns of an episode; the action beside the last observation is none."""
    rng = np.random.default_rng(seed)
    return {
        "observation/image_0": movie(seed, steps),
        "observation/state": rng.normal(size=(steps, 2, 2)).astype(np.float32),
        "action": rng.normal(size=(steps, 3)).astype(np.float32),
        "reward": (np.arange(steps) == steps - 2).astype(np.float32),
        "is_last": np.arange(steps) == steps - 1,
    }


def write_rlds(folder: Path, lengths: Sequence[int] = (5, 4, 6), val: Sequence[int] = (4,)) -> Path:
    """A data set in the layout of RLDS, its training part in two files."""
    root = folder / "rlds" / "1.0.0"
    root.mkdir(parents=True)
    steps = {
        "observation": _features_dict({"image_0": _feature("image"), "state": _feature("float32", (2, 2))}),
        "action": _feature("float32", (3,)),
        "reward": _feature("float32"),
        "language_instruction": _feature("text"),
        **{key: _feature("bool") for key in ("is_first", "is_last", "is_terminal")},
    }
    sequence = {"pythonClassName": "Dataset", "sequence": {"feature": _features_dict(steps), "length": "-1"}}
    metadata = _features_dict({"file_path": _feature("text")})
    (root / "features.json").write_text(json.dumps(_features_dict({"steps": sequence, "episode_metadata": metadata})))
    (root / "dataset_info.json").write_text(json.dumps({"name": "made_up", "version": "1.0.0", "fileFormat": "tfrecord"}))
    parts = [("train", 0, 2, range(0, 2)), ("train", 1, 2, range(2, len(lengths)))]
    parts.append(("val", 0, 1, range(len(lengths), len(lengths) + len(val))))
    for split, number, count, seeds in parts:
        writer = TFRecordWriter(str(root / f"made_up-{split}.tfrecord-{number:05d}-of-{count:05d}"))
        for seed in seeds:
            columns = rlds_steps(seed, [*lengths, *val][seed])
            record: dict[str, Any] = {"episode_metadata/file_path": (b"x", "byte")}
            for key, values in columns.items():
                record[f"steps/{key}"] = (values.reshape(-1).tolist(), "int" if values.dtype == bool else "float")
            record["steps/observation/image_0"] = ([png(image) for image in columns["observation/image_0"]], "byte")
            record["steps/language_instruction"] = ([b"pick up the sponge"] * len(columns["action"]), "byte")
            writer.write(record)
        writer.close()
    return folder / "rlds"


# By the name of a stanza of docs/own_data.md: writes the data that it reads.
WRITERS = {
    "my-episodes": write_npz,
    "my-robot": write_lerobot,
    "my-demos": write_robomimic,
    "my-d4rl": write_d4rl,
    "my-jat": write_jat,
    "my-rlds": write_rlds,
}
