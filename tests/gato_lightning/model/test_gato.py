"""The model: causal, blind across segments, ordered by its positions, and the paper's parameter counts."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from gato_lightning.model.config import GatoConfig
from gato_lightning.model.gato import Gato
from gato_lightning.sequences.segments import PromptSettings, SegmentSampler
from gato_lightning.sequences.sequence import SequencePacker, collate
from gato_lightning.tokens.vocabulary import Kind, Vocabulary
from gato_lightning.training.loss import token_losses

CONF = Path(__file__).parents[3] / "conf" / "model"


@pytest.fixture
def batch(store):
    packer = SequencePacker([SegmentSampler(store, 128, PromptSettings(length=20), 3)], np.ones(1), 128, 0)
    return collate([packer(i) for i in range(3)], 128, Vocabulary())


def changed(batch, slots):
    """The batch with other ids in some slots."""
    ids = batch.ids.clone()
    ids[slots] = (ids[slots] + 1) % 30000
    return dataclasses.replace(batch, ids=ids)


def test_later_slots_do_not_reach_earlier_ones(batch, tiny_model):
    before, after = tiny_model(batch), tiny_model(changed(batch, (slice(None), slice(60, None))))
    torch.testing.assert_close(before[:, :60], after[:, :60])
    assert not torch.allclose(before[:, 60:], after[:, 60:])


def test_segments_do_not_reach_each_other(batch, tiny_model):
    first = batch.segment == 1
    before, after = tiny_model(batch), tiny_model(changed(batch, first & (batch.kinds != Kind.PATCH)))
    torch.testing.assert_close(before[~first], after[~first])


@pytest.mark.parametrize(("positions", "ordered"), [("rotary", True), ("learned", True), ("none", False)])
def test_positions_tell_the_order_of_timesteps(batch, tiny_config, positions, ordered):
    torch.manual_seed(0)
    # One block: a second one would see through the causal mask who came first.
    model = Gato(dataclasses.replace(tiny_config, positions=positions, depth=1)).eval()
    # Two actions of one kind, swapped: without positions the last slot cannot tell.
    ids = torch.tensor([[5, 6, 7]])
    batch = dataclasses.replace(
        batch,
        ids=ids,
        kinds=torch.full_like(ids, int(Kind.ACTION_DISCRETE)),
        local=torch.zeros_like(ids),
        position=torch.arange(3)[None],
        segment=torch.ones_like(ids),
        patch_slots=torch.empty(0, dtype=torch.long),
    )
    swapped = dataclasses.replace(batch, ids=ids[:, [1, 0, 2]])
    same = torch.allclose(model(batch)[0, -1], model(swapped)[0, -1], atol=1e-6)
    assert same != ordered


@pytest.mark.parametrize(("name", "published"), [("79m", 79e6), ("364m", 364e6), ("1.18b", 1.18e9)])
def test_parameter_counts_of_the_paper(name, published):
    settings = yaml.safe_load((CONF / f"{name}.yaml").read_text())["model"]["config"]
    with torch.device("meta"):
        model = Gato(GatoConfig(**{**settings, "vocabulary": Vocabulary(), "smooth_tables": False}))
    count = sum(parameter.numel() for parameter in model.parameters())
    assert abs(count - published) / published < 0.10


def gradients(model, batch) -> list[torch.Tensor]:
    """The losses of a batch, and the gradients of the decoder, the table, and the projection of patches.

    Those deeper in the patch encoder are left out: its norms divide rounding errors by the spread of a patch of one colour.
    """
    torch.manual_seed(1)  # positions of patches, stochastic depth
    losses = token_losses(model, batch)
    losses.mean().backward()
    tables = (model.embedding.table.weight, model.embedding.patch_encoder.project.weight)
    return [losses, *(parameter.grad for parameter in (*model.transformer.parameters(), *tables))]


# Compiled code draws its own random numbers, so it is compared without stochastic depth.
@pytest.mark.parametrize(("setting", "drop_path", "tolerance"), [("recompute", 0.2, 0.0), ("compile", 0.0, 1e-4)])
def test_settings_of_speed_change_nothing(store, tiny_config, setting, drop_path, tolerance):
    packer = SequencePacker([SegmentSampler(store, 128, PromptSettings(length=20), 3)], np.ones(1), 128, 0)
    config = dataclasses.replace(tiny_config, drop_path=drop_path)
    for indices in (range(3), range(3, 6)):  # two batches with unlike numbers of patches
        batch, results = collate([packer(i) for i in indices], 128, Vocabulary()), []
        for on in (False, True):
            torch.manual_seed(0)
            results.append(gradients(Gato(dataclasses.replace(config, **{setting: on})).train(), batch))
        for off, on in zip(*results, strict=True):
            assert (on - off).norm() <= tolerance * off.norm()
