"""The peers: transformers' GPT-2 fed with embeddings, which is how the open reproductions of Gato use it.

B sequences, L slots, P patch slots, D width
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.work import Size
from gato_lightning.sequences.batch import TokenBatch
from gato_lightning.tokens.vocabulary import Vocabulary


class Gpt2(nn.Module):
    """GPT-2 of a size, with as cheap an embedding as there can be: a lookup, and for a patch one linear layer on its pixels.

    Args:
        size: the size.
        loss_only_head: compute logits only where there is a loss, which GPT2LMHeadModel itself does not.
    """

    def __init__(self, size: Size, loss_only_head: bool) -> None:
        super().__init__()
        config = GPT2Config(
            vocab_size=Vocabulary().size,
            n_positions=max(size.context_length, 1024),
            n_embd=size.width,
            n_layer=size.depth,
            n_head=size.heads,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=None,
            eos_token_id=None,
        )
        self.gpt2 = GPT2LMHeadModel(config)
        self.patch = nn.Linear(16 * 16 * 3, size.width)
        self.loss_only_head = loss_only_head

    def embed(self, batch: TokenBatch) -> Tensor:
        """(B, L, D)."""
        tokens = self.gpt2.transformer.wte(batch.ids)
        if len(batch.patch_slots) == 0:
            return tokens
        pixels = batch.patches[batch.patch_index].flatten(1).float() / 127.5 - 1.0  # (P, 768)
        flat = tokens.flatten(0, 1)
        return flat.index_copy(0, batch.patch_slots, self.patch(pixels).to(flat.dtype)).view_as(tokens)

    def loss(self, batch: TokenBatch) -> Tensor:
        """Mean - log p of the targets."""
        embedded = self.embed(batch)
        if not self.loss_only_head:
            labels = torch.full_like(batch.ids, -100).flatten()
            labels[batch.targets] = batch.ids.flatten()[batch.targets]
            return self.gpt2(inputs_embeds=embedded, labels=labels.view_as(batch.ids), use_cache=False).loss
        states = self.gpt2.transformer(inputs_embeds=embedded, use_cache=False).last_hidden_state.flatten(0, 1)
        logits = self.gpt2.lm_head(states.index_select(0, batch.targets - 1))
        return F.cross_entropy(logits.float(), batch.ids.flatten()[batch.targets])
