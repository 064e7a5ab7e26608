import math
from pathlib import Path

import pytest
import torch

from callbacks.text_loss import TextLoss, _sequences
from datamodules.base.splits import is_held_out
from gato_lightning.sequences.segments import Segments
from gato_lightning.sequences.sequence import collate, read_slots
from gato_lightning.training.loss import token_losses
from tests.callbacks.fits import logged, mixture, module, trainer


def test_the_loss_is_the_mean_over_every_held_out_token_once(tmp_path: Path):
    loss, tasks, model = TextLoss(baselines=True), mixture(), module()
    trainer(tmp_path, 2, loss).fit(model, tasks)
    store = tasks.tasks["prose"].datamodule.stores["val"]
    one_by_one = []
    for text in range(store.num_timesteps):
        begin, none = torch.tensor([text]).numpy(), torch.tensor([0]).numpy()
        slots = read_slots(store, Segments(none, none, begin, begin + 1), 0, 1, False)
        with torch.no_grad():
            batch = collate([[slots]], 64, model.config.vocabulary)
            one_by_one.append(token_losses(model.model.eval(), batch))
    expected = torch.cat(one_by_one)
    result = loss.results["prose"]
    assert result["tokens"] == len(expected) == (store.ids < 32000).sum()
    assert result["nats"] == pytest.approx(expected.mean().item(), rel=1e-5)
    assert result["below_unigram"] == pytest.approx(tasks.tasks["prose"].datamodule.unigram_nats() - result["nats"])
    assert result["perplexity"] == pytest.approx(math.exp(result["nats"]))
    # The 20 files of the mixture are held out whole or not at all, and no white space is lost in any.
    folder = Path(tasks.tasks["prose"].datamodule.sources[0])
    files = [path.read_text() for path in folder.glob("*.txt") if is_held_out(path.name, 0.3)]
    assert result["bytes"] == pytest.approx(sum(len(text.encode()) for text in files), rel=0.02)
    assert result["bits_per_byte"] == pytest.approx(result["nats"] * len(expected) / math.log(2) / result["bytes"])
    assert 0 < result["ngram_bits_per_byte"] < result["zlib_bits_per_byte"] < 8
    assert logged(tmp_path).Scalars("metrics/prose/nats")[0].value == pytest.approx(result["nats"])


def test_ranks_share_the_texts_out():
    tasks = mixture()
    tasks.prepare_data()
    tasks.setup("fit")
    store = tasks.tasks["prose"].datamodule.stores["val"]
    shares = [[text for part in _sequences(store, 64, rank, 3) for text in part.start] for rank in range(3)]
    assert sorted(text for share in shares for text in share) == list(range(store.num_timesteps))
