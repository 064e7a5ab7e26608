"""Dialogues from JSON Lines: turns, whose loss counts, and lines that are at fault."""

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow
import pytest

from datamodules.base.stream import task_sampler
from datamodules.text.dialogue import DialogueDataModule
from gato_lightning.errors import UserError
from gato_lightning.sequences.segments import PromptSettings, Segments
from gato_lightning.sequences.sequence import read_slots
from gato_lightning.tokens.vocabulary import Kind, Vocabulary
from tests.datamodules.vision_files import TOKENIZER, stored


def dialogue(i: int) -> dict:
    turns = [("system", "Be kind."), ("user", f"What is {i} and one?"), ("assistant", f"It is {i + 1}.")]
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def write_lines(path: Path, lines: list[bytes]) -> str:
    content = b"\n".join(lines) + b"\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(content))
    elif path.suffix == ".zst":
        with pyarrow.output_stream(str(path), compression="zstd") as file:
            file.write(content)
    else:
        path.write_bytes(content)
    return str(path)


def lines(count: int) -> list[bytes]:
    return [json.dumps(dialogue(i)).encode() for i in range(count)]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_every_turn_is_a_timestep_of_its_role(tmp_path: Path, suffix: str):
    data = stored(DialogueDataModule([write_lines(tmp_path / f"d{suffix}", lines(40))], held_out=0.3), tmp_path / "cache")
    train, val = data.stores["train"], data.stores["val"]
    assert train.num_episodes + val.num_episodes == 40
    assert np.diff(train.first_timestep).tolist() == [3] * train.num_episodes
    ids = train.ids[train.first_slot[2] : train.first_slot[3]].tolist()
    role = TOKENIZER.encode("assistant")
    assert ids[: len(role) + 1] == [*role, Vocabulary().separator]
    assert TOKENIZER.decode(ids[len(role) + 1 : -1]).startswith("It is ")
    assert ids[-1] == TOKENIZER.end


@pytest.mark.parametrize("roles", [("assistant",), ("user", "assistant")])
def test_only_the_turns_of_the_roles_that_count_are_predicted(tmp_path: Path, roles: tuple[str, ...]):
    data = stored(DialogueDataModule([write_lines(tmp_path / "d.jsonl", lines(30))], loss_roles=roles), tmp_path / "cache")
    store = data.stores["train"]
    none = np.zeros(1, np.int64)
    slots = read_slots(store, Segments(none, none, none, none + 3), task=0, first_segment=1, prompt_loss=True)
    text = (slots.kinds == Kind.TEXT) | (slots.kinds == Kind.ACTION_TEXT)
    turn = np.repeat([0, 1, 2], np.diff(store.first_slot[:4]))
    counts = np.isin(np.array(["system", "user", "assistant"])[turn], roles)
    np.testing.assert_array_equal(slots.loss_mask, text & counts)
    assert slots.loss_mask.any()
    assert not slots.loss_mask.all()


def test_dialogues_that_say_the_same_stand_on_one_side(tmp_path: Path):
    paths = [write_lines(tmp_path / f"{n}.jsonl", lines(30)) for n in range(2)]
    data = stored(DialogueDataModule(paths, held_out=0.3), tmp_path / "cache")
    sides = {}
    for split, store in data.stores.items():
        starts = store.first_slot[store.first_timestep[:-1] + 1], store.first_slot[store.first_timestep[:-1] + 2]
        sides[split] = {tuple(store.ids[a:b].tolist()) for a, b in zip(*starts, strict=True)}
    assert not sides["train"] & sides["val"]
    assert sum(store.num_episodes for store in data.stores.values()) == 60


def test_windows_are_drawn_from_dialogues(tmp_path: Path):
    data = stored(DialogueDataModule([write_lines(tmp_path / "d.jsonl", lines(30))]), tmp_path / "cache")
    drawn = task_sampler(data, "train", PromptSettings(length=16)).draw(np.random.default_rng(0), 20)
    assert (drawn.stop > drawn.start).all()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"messages": [', r"d\.jsonl:3: not JSON \(Expecting value at column 15\)"),
        (b'{"messages": "caf\xe9"}', r"d\.jsonl:3: not UTF-8 at byte 17 of the line"),
        (b"[]", r"d\.jsonl:3: expected a JSON object"),
        (b"{}", r"d\.jsonl:3: expected a list of objects under 'messages'"),
        (b'{"messages": [7]}', r"d\.jsonl:3: expected a list of objects under 'messages'"),
        (b'{"messages": [{"role": "user"}]}', r"d\.jsonl:3: messages\[0\]: expected a text under 'content'"),
        (b'{"messages": [{"role": "user", "content": " "}]}', r"d\.jsonl:3: messages\[0\]: the text under 'content' is empty"),
        (b'{"messages": [{"role": "user", "content": "Hi"}]}', r"d\.jsonl:3: no turn of assistant"),
        (
            json.dumps({"messages": [{"role": "assistant", "content": "long " * 99}]}).encode(),
            r"d\.jsonl:3: messages\[0\]: a timestep of \d+ tokens is longer than the context of 64",
        ),
    ],
)
def test_a_line_at_fault_is_named_and_left_out(tmp_path: Path, line: bytes, message: str):
    good = lines(60)
    path = write_lines(tmp_path / "d.jsonl", [*good[:2], line, b"", *good[2:]])
    with pytest.raises(UserError, match=r"1 of \d+ (train|val) examples are faulty.*" + message):
        stored(DialogueDataModule([path], max_faults=0.0), tmp_path / "cache")
    data = stored(DialogueDataModule([path], max_faults=0.5), tmp_path / "cache")
    assert sum(store.num_episodes for store in data.stores.values()) == 60


def test_a_packed_file_that_is_cut_short_is_read_as_far_as_it_goes(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 1 << 40, 4000)
    many = [json.dumps({"messages": [{"role": "assistant", "content": str(n)}]}).encode() for n in noise]
    path = tmp_path / "d.jsonl.gz"
    write_lines(path, many)
    path.write_bytes(path.read_bytes()[:-4000])
    data = stored(DialogueDataModule([str(path)], max_faults=0.01), tmp_path / "cache")
    assert 2000 < sum(store.num_episodes for store in data.stores.values()) < 4000
    assert "the file breaks off" in next((tmp_path / "cache").glob("*train*.faults.txt")).read_text()


def test_wrong_settings_are_named(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="loss_roles is empty"):
        DialogueDataModule(["d.jsonl"], loss_roles=())
    with pytest.raises(UserError, match=r"nowhere\.jsonl: no such file or folder"):
        stored(DialogueDataModule(["nowhere.jsonl"]), tmp_path / "cache")
    with pytest.raises(UserError, match=r"empty: no file in it ends in \.jsonl"):
        stored(DialogueDataModule([str(tmp_path / "empty")]), tmp_path / "cache")
