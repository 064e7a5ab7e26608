import json
import logging
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import callbacks.scoring.held_out_text as held_out_text
from callbacks.captioning_metrics import CaptioningMetrics
from datamodules.mixture import MixtureDataModule, TaskSpec
from datamodules.vision.caption_files import CaptionFilesDataModule
from gato_lightning.acting.generation import generate_text
from gato_lightning.acting.sampling import DecodingSettings
from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings
from tests.callbacks.fits import logged, mixture, module, trainer


def test_a_fit_logs_scores_and_pictures_of_captions_and_answers_at_cadence_and_at_the_end(tmp_path: Path):
    metrics = CaptioningMetrics(every_n_steps=2, max_examples=8, final_examples=10, max_new_tokens=3, pictures=3)
    model = module()
    trainer(tmp_path, 3, metrics).fit(model, mixture())
    assert set(metrics.results) == {"emoji", "scenes"}
    assert {"bleu_1", "bleu_4", "cider_d", "cider_d_shuffled"} <= set(metrics.results["emoji"])
    assert {"accuracy", "commonest", "accuracy/colour"} <= set(metrics.results["scenes"])
    assert all(scores["examples"] == 10 for scores in metrics.results.values())
    events = logged(tmp_path)
    assert [event.step for event in events.Scalars("metrics/emoji/cider_d")] == [2, 3]
    assert [event.value for event in events.Scalars("metrics/scenes/examples")] == [8, 10]
    assert [event.step for event in events.Images("metrics/scenes")] == [2, 3]


def test_evaluating_leaves_the_random_state_and_the_mode_of_training_alone(tmp_path: Path):
    losses = []
    for every_n_steps in (0, 1):
        model = module()
        fit = trainer(tmp_path / str(every_n_steps), 3, CaptioningMetrics(every_n_steps, 2, 2, max_new_tokens=2))
        fit.fit(model, mixture())
        losses.append(fit.callback_metrics["train/loss"].item())
        assert model.training
    assert losses[0] == losses[1]


def test_a_failure_is_logged_with_the_tasks_name_and_ends_nothing(tmp_path: Path, monkeypatch, caplog):
    metrics = CaptioningMetrics(every_n_steps=1, max_examples=2, final_examples=2, max_new_tokens=2)
    tasks, model = mixture(), module()

    def write(gato, tokenizer, *args):
        if tokenizer is tasks.tasks["emoji"].datamodule.tokenizer:
            raise RuntimeError("out of memory")
        return generate_text(gato, tokenizer, *args)

    monkeypatch.setattr(held_out_text, "generate_text", write)
    with caplog.at_level(logging.WARNING):
        fit = trainer(tmp_path, 2, metrics)
        fit.fit(model, tasks)
    assert fit.global_step == 2
    assert set(metrics.results) == {"scenes"}
    assert "CaptioningMetrics of task emoji failed at step 1" in caplog.text
    assert "out of memory" in caplog.text


def _write_on_one_of_two_ranks(rank: int, folder: str, fails: bool, answers) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    task = SimpleNamespace(datamodule=SimpleNamespace(tokenizer=None))
    two_ranks = SimpleNamespace(global_rank=rank, world_size=2, datamodule=SimpleNamespace(tasks={"task": task}))

    def write(gato, tokenizer, observations, *args):
        if fails and rank == 1:
            raise RuntimeError("rank 1 fails")
        return [f"rank {rank} saw {observation}" for observation in observations]

    held_out_text.generate_text = write  # in this process alone
    try:
        answers.put(CaptioningMetrics().write(two_ranks, SimpleNamespace(model=None), "task", range(5), DecodingSettings()))
    except RuntimeError as error:
        answers.put(str(error))
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("fails", [False, True])
def test_ranks_share_the_examples_and_fail_together(tmp_path: Path, fails: bool):
    context = get_context("fork")
    answers = context.Queue()
    ranks = [context.Process(target=_write_on_one_of_two_ranks, args=(rank, str(tmp_path), fails, answers)) for rank in (0, 1)]
    for process in ranks:
        process.start()
    both = [answers.get(timeout=60) for _ in ranks]
    for process in ranks:
        process.join(timeout=60)
    expected = "rank 1: RuntimeError: rank 1 fails" if fails else [f"rank {i % 2} saw {i}" for i in range(5)]
    assert both == [expected, expected]


def test_a_negative_cadence_is_refused():
    with pytest.raises(UserError, match="every_n_steps: -1, expected"):
        CaptioningMetrics(every_n_steps=-1)


def test_at_the_end_training_pictures_and_captions_that_no_model_wrote_are_scored_too(tmp_path: Path):
    folder = tmp_path / "coco"
    folder.mkdir()
    rng = np.random.default_rng(0)
    images, captions = [], []
    for i in range(24):
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(folder / f"{i}.png")
        images.append({"id": i, "file_name": f"{i}.png"})
        captions += [{"image_id": i, "caption": f"picture {i} said {way}"} for way in ("so", "otherwise")]
    file = tmp_path / "captions.json"
    file.write_text(json.dumps({"images": images, "annotations": captions}))
    data = CaptionFilesDataModule(str(file), image_folder=str(folder), images=ImageSettings(height=16, width=16), held_out=0.3)
    tasks = MixtureDataModule({"photos": TaskSpec(data)}, 2, 64, cache_dir=str(tmp_path / "cache"), workers=1, val_sequences=2)
    metrics = CaptioningMetrics(0, max_new_tokens=2, against_training=True)
    trainer(tmp_path, 1, metrics).fit(module(), tasks)
    assert set(metrics.results) == {"photos", "photos/train"}
    for scores in metrics.results.values():
        assert {"cider_d", "cider_d_constant", "cider_d_nearest"} <= set(scores)
    assert sum(scores["examples"] for scores in metrics.results.values()) == 24  # every picture once
    training = data.training_examples()
    assert all(len(references) == 2 for references in training.references)
    assert len({references[0].split()[1] for references in training.references}) == len(training.observations)
    assert [event.step for event in logged(tmp_path).Scalars("metrics/photos/train/cider_d")] == [1]
