"""Documents of text and images: three forms of JSON, the order of the tokens, what is predicted, faults."""

import json
from pathlib import Path

import numpy as np
import pytest

from datamodules.vision.interleaved import InterleavedDataModule, document_parts
from gato_lightning.errors import UserError
from gato_lightning.sequences.segments import Segments
from gato_lightning.sequences.sequence import read_slots
from gato_lightning.tokens.image_files import ImageSettings
from gato_lightning.tokens.patches import from_patches
from gato_lightning.tokens.vocabulary import Kind
from tests.datamodules.vision_files import TOKENIZER, photograph, stored

FIT = ImageSettings(resize="fit", height=32, width=48)
PARTS = [
    ("text", "Before."),
    ("image", "a.png"),
    ("text", "About a."),
    ("text", "More."),
    ("image", "b.png"),
    ("image", "c.png"),
]


def test_three_forms_say_the_same():
    m3w = {"parts": [{kind: value} for kind, value in PARTS]}
    obelics = {
        "texts": [value if kind == "text" else None for kind, value in PARTS],
        "images": [value if kind == "image" else None for kind, value in PARTS],
    }
    assert document_parts(m3w) == document_parts(obelics) == PARTS
    mmc4 = {
        "text_list": ["Before.", "About a."],
        "image_info": [
            {"image_name": "b.png", "matched_text_index": 1},
            {"image_name": "a.png", "matched_text_index": 0},
            {"image_name": "c.png", "matched_text_index": 1},
        ],
    }
    assert [value for _, value in document_parts(mmc4)] == ["a.png", "Before.", "b.png", "c.png", "About a."]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "expected 'parts', 'texts' and 'images', or 'text_list' and 'image_info'"),
        ({"parts": ["text"]}, "expected an object with 'text' or 'image', not 'text'"),
        ({"parts": [{"text": 7}]}, "expected a text under 'text', not 7"),
        ({"parts": [{"image": "a.png"}, {"text": " "}]}, "the document has no text"),
        ({"texts": ["a"], "images": []}, "of the same length"),
        ({"text_list": ["a"], "image_info": [{"image_name": "a.png", "matched_text_index": 1}]}, "the number of a text"),
    ],
)
def test_documents_of_no_form_are_refused(row: dict, message: str):
    with pytest.raises(UserError, match=message):
        document_parts(row)


def write(folder: Path, documents: list[list[tuple[str, str]]]) -> str:
    (folder / "images").mkdir(exist_ok=True)
    for seed, (name, size) in enumerate({"a.png": (96, 40), "b.png": (20, 20), "c.png": (30, 90)}.items()):
        photograph(seed, *size).save(folder / "images" / name)
    rows = [json.dumps({"parts": [{kind: value} for kind, value in parts]}) for parts in documents]
    path = folder / "documents.jsonl"
    path.write_text("\n".join(rows), encoding="utf-8")
    return str(path)


def module(folder: Path, source: str, **settings: object) -> InterleavedDataModule:
    return InterleavedDataModule([source], str(folder / "images"), images=FIT, held_out=0.3, **settings)  # type: ignore[arg-type]


def test_text_is_predicted_in_order_and_images_of_any_size_are_not(tmp_path: Path):
    source = write(tmp_path, [[("text", f"Page {i}."), *PARTS] for i in range(20)])
    data = stored(module(tmp_path, source), tmp_path / "cache")
    store = data.stores["train"]
    assert np.diff(store.first_timestep).tolist() == [4] * store.num_episodes
    none = np.zeros(1, np.int64)
    slots = read_slots(store, Segments(none, none, none, none + 4), task=0, first_segment=1, prompt_loss=True)
    np.testing.assert_array_equal(slots.loss_mask, slots.kinds == Kind.ACTION_TEXT)

    # Fitted into 32 x 48 pixels: a is 48 x 20, b 32 x 32, c 11 x 32; each fills whole patches.
    grids = [store.layouts[store.layout[t]].grids[0] for t in range(4)]
    assert grids == [(0, 0), (2, 3), (2, 2), (2, 1)]
    texts = []
    for t in range(4):
        ids = store.ids[store.first_slot[t] : store.first_slot[t + 1]]
        kinds = np.array(store.layouts[store.layout[t]].kinds)
        texts.append(TOKENIZER.decode(ids[kinds == Kind.ACTION_TEXT][:-1].tolist()))
    assert texts[0].startswith("Page")
    assert texts[0].endswith("Before.")
    assert texts[1:] == ["About a.\n\nMore.", "", ""]

    rows = store.patch_index[store.first_patch[1] : store.first_patch[2]]
    expected = FIT.read(tmp_path / "images" / "a.png", "a")
    assert expected.shape == (20, 48, 3)
    np.testing.assert_array_equal(from_patches(store.patches[rows], 2, 3)[:20], expected)
    assert not from_patches(store.patches[rows], 2, 3)[20:].any()


def test_a_text_too_long_for_a_timestep_goes_on_without_the_image(tmp_path: Path):
    words = " ".join(f"word{i}" for i in range(100))
    source = write(tmp_path, [[("image", "a.png"), ("text", f"{i} {words}")] for i in range(10)])
    data = stored(module(tmp_path, source), tmp_path / "cache")
    store = data.stores["train"]
    end = store.first_timestep[1]
    grids = [store.layouts[store.layout[t]].grids[0] for t in range(end)]
    assert grids == [(2, 3), *[(0, 0)] * (end - 1)]
    ids = np.concatenate([store.ids[store.first_slot[t] : store.first_slot[t + 1]] for t in range(end)])
    kinds = np.concatenate([store.layouts[store.layout[t]].kinds for t in range(end)])
    text = TOKENIZER.decode([id for id in ids[kinds == Kind.ACTION_TEXT].tolist() if id != TOKENIZER.end])
    assert "".join(text.split()).endswith("".join(words.split()))


def test_faults_name_file_and_line(tmp_path: Path):
    documents = [[("text", f"Page {i}."), *PARTS] for i in range(30)]
    documents[3] = [("text", "Page 3."), ("image", "none.png")]
    documents[5] = [("text", "Page 5."), ("image", "../documents.jsonl")]
    source = write(tmp_path, documents)
    with pytest.raises(UserError, match=r"of \d+ (train|val) examples are faulty.*documents\.jsonl:[46]: image"):
        stored(module(tmp_path, source, max_faults=0.0), tmp_path / "cache")
    data = stored(module(tmp_path, source, max_faults=0.5), tmp_path / "cache")
    assert sum(store.num_episodes for store in data.stores.values()) == 28
    listed = "".join(path.read_text() for path in (tmp_path / "cache").glob("*.faults.txt"))
    assert "documents.jsonl:4: image none.png: no such file" in listed
    assert "documents.jsonl:6: image '../documents.jsonl' leads out of the image folder" in listed
