"""Visual questions from VQAv2 and OK-VQA files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonargparse import ArgumentError, ArgumentParser

from datamodules.base.task import TaskDataModule
from datamodules.vision.vqa_files import VqaFiles, VqaFilesDataModule
from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings
from gato_lightning.tokens.vocabulary import Kind
from tests.datamodules.vision_files import TOKENIZER, photograph, stored, write_json

IMAGES = ImageSettings(height=32, width=32)


def write_vqa(folder: Path, images: int, subtype: str, first: int = 1) -> VqaFiles:
    """Two questions an image, in VQAv2's form; seven people of ten answer `yes`, or the image's number, the others `no`."""
    (folder / subtype).mkdir(parents=True)
    questions: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for i in range(first, first + images):
        photograph(i).save(folder / subtype / f"COCO_{subtype}_{i:012d}.jpg")
        for n, (kind, text) in enumerate({"is this": f"Is this {i}?", "which": f"Which is {i}?"}.items()):
            answers = ["no"] * 3 + (["yes"] * 7 if n == 0 else [str(i)] * 7)
            questions.append({"question_id": 10 * i + n, "image_id": i, "question": text})
            annotations.append(
                {
                    "question_id": 10 * i + n,
                    "image_id": i,
                    "question_type": kind,
                    "answers": [
                        {"answer": answer, "answer_confidence": "yes", "answer_id": k} for k, answer in enumerate(answers, 1)
                    ],
                }
            )
    return VqaFiles(
        str(write_json(folder / f"{subtype}_questions.json", {"data_subtype": subtype, "questions": questions})),
        str(write_json(folder / f"{subtype}_annotations.json", {"data_subtype": subtype, "annotations": annotations})),
        str(folder / subtype),
    )


def test_questions_images_and_the_commonest_answer_are_stored_and_all_ten_are_references(tmp_path: Path):
    train, val = write_vqa(tmp_path, 4, "train2014"), write_vqa(tmp_path, 3, "val2014", first=7)
    data = stored(VqaFilesDataModule(train, val, images=IMAGES), tmp_path / "cache")
    store = data.stores["train"]
    assert store.num_timesteps == 8
    for t in range(8):
        ids = store.ids[store.first_slot[t] : store.first_slot[t + 1]]
        kinds = np.array(store.layouts[store.layout[t]].kinds)
        question = TOKENIZER.decode(ids[kinds == Kind.TEXT].tolist())
        answer = TOKENIZER.decode(ids[kinds == Kind.ACTION_TEXT][:-1].tolist())
        number = question.split()[-1].rstrip("?")
        assert answer == ("yes" if question.startswith("Is") else number)

    task = data.generation()
    assert task.kind == "answer"
    assert len(task.observations) == 6
    assert task.baseline["is this"] == "yes"
    for observation, references, group in zip(task.observations, task.references, task.groups, strict=True):
        number = observation["question"].split()[-1].rstrip("?")
        assert sorted(references) == sorted(["no"] * 3 + ["yes" if group == "is this" else number] * 7)
        path = tmp_path / "val2014" / f"COCO_val2014_{int(number):012d}.jpg"
        np.testing.assert_array_equal(observation["image"], IMAGES.read(path, "expected"))


def test_without_files_for_the_held_out_part_the_images_are_split_by_hash(tmp_path: Path):
    data = stored(VqaFilesDataModule(write_vqa(tmp_path, 30, "train2014"), images=IMAGES, held_out=0.3), tmp_path / "cache")
    assert data.stores["train"].num_timesteps + data.stores["val"].num_timesteps == 60
    assert 0 < len(data.generation().observations) == data.stores["val"].num_timesteps < 40


def spoil(files: VqaFiles, fault: str) -> None:
    questions, annotations = (json.loads(Path(path).read_text()) for path in (files.questions, files.annotations))
    match fault:
        case "no answers":
            annotations["annotations"][3]["answers"] = []
        case "an empty answer":
            annotations["annotations"][3]["answers"][0]["answer"] = " "
        case "an unknown question":
            annotations["annotations"][3]["question_id"] = 999
        case "no text":
            del questions["questions"][3]["question"]
        case "a missing image":
            questions["questions"][3]["image_id"] = 999
    write_json(Path(files.questions), questions)
    write_json(Path(files.annotations), annotations)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no answers", r"annotations\[3\]: expected a list of answers that are not empty"),
        ("an empty answer", r"annotations\[3\]: expected a list of answers that are not empty"),
        ("an unknown question", r"questions\[3\]: question 21 has no usable answers in .*train2014_annotations\.json"),
        ("no text", r"questions\[3\]: expected 'question' of type str"),
        ("a missing image", r"COCO_train2014_000000000999\.jpg: no such file"),
    ],
)
def test_faults_are_named_and_counted(tmp_path: Path, fault: str, message: str):
    train, val = write_vqa(tmp_path, 10, "train2014"), write_vqa(tmp_path, 1, "val2014")
    spoil(train, fault)
    with pytest.raises(UserError, match=r"of 2\d train examples are faulty.*" + message):
        stored(VqaFilesDataModule(train, val, images=IMAGES), tmp_path / "cache")
    data = stored(VqaFilesDataModule(train, val, images=IMAGES, max_faults=0.1), tmp_path / "cache")
    assert data.stores["train"].num_timesteps == 19


def test_a_name_pattern_cannot_lead_out_of_the_folder(tmp_path: Path):
    files = write_vqa(tmp_path, 2, "train2014")
    outside = VqaFiles(files.questions, files.annotations, files.image_folder, image_name="../{image_id}.jpg")
    with pytest.raises(UserError, match="leads out of the image folder"):
        stored(VqaFilesDataModule(outside, files, images=IMAGES), tmp_path / "cache")


def test_a_stanza_of_nested_settings_builds_the_tasks(tmp_path: Path):
    """As the command line does; the base's arguments are known to it too."""
    files = write_vqa(tmp_path, 1, "train2014")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--task", type=TaskDataModule)
    stanza = {
        "class_path": "datamodules.VqaFilesDataModule",
        "init_args": {"train": vars(files), "images": {"resize": "fit", "height": 96}, "pairs_per_episode": 5},
    }
    task = parser.instantiate_classes(parser.parse_object({"task": stanza})).task
    assert task.sources["train"] == files
    assert task.images == ImageSettings(resize="fit", height=96)
    assert task.pairs_per_episode == 5
    stanza["init_args"]["images"] = {"resize": "stretch"}
    with pytest.raises(ArgumentError, match="stretch"):
        parser.parse_object({"task": stanza})
