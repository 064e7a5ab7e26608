"""Acting: one control step of 39 observation tokens, a separator and 4 action tokens, greedy, with the context all but full.

Ours is `Agent.act`, from the raw observation to the action; the peer begins and ends with token ids. Each step shows the
model the last action token of the step before and the new observation in one pass, and then draws 4 action tokens, 3 of which
it is shown one by one.
"""

import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from benchmarks import work
from benchmarks.harness import Row, rows
from benchmarks.peers import Gpt2
from benchmarks.training import DTYPES
from benchmarks.work import TOKENS, Size
from gato_lightning.acting.agent import ActingSettings, Agent
from gato_lightning.model.gato import Gato
from gato_lightning.sequences.sequence import Slots
from gato_lightning.sequences.store import EpisodeStore
from gato_lightning.sequences.tasks import ControlTask, Reference
from gato_lightning.tokens.vocabulary import Kind, Vocabulary

CONTEXT = 1020
SIZES = (
    Size("width 256", depth=6, width=256, heads=8, context_length=1024, batch_size=1),
    Size("width 768", depth=8, width=768, heads=24, context_length=1024, batch_size=1),
)
# The model of `conf/gato_small.yaml`
GATO_SMALL = Size("width 128, 4 layers", depth=4, width=128, heads=4, context_length=256, batch_size=1)
GREEDY = ActingSettings(prompt="none", temperature=0.0)


def make_policy(size: Size, lanes: int, folder: str, timesteps: int | None, settings: ActingSettings) -> Agent:
    """Acts on made-up observations; there is no environment behind it."""
    torch.manual_seed(0)
    path = Path(folder) / "store"
    store = EpisodeStore(path) if path.exists() else work.make_store(work.control_space(), work.control_values, path)
    nobody = Reference(0.0, 1)
    tokenizer = work.tokenizer(work.control_space())
    task = ControlTask("made up", "made up", _no_env, tokenizer, store, timesteps, nobody, nobody)
    policy = Agent(Gato(size.config(patch_stride=4)).eval(), lanes, settings, seed=0)
    for lane in range(lanes):
        policy.reset(lane, task, lane)
    return policy


def full_context(policy: Agent, observations: dict[int, np.ndarray]) -> Callable[[], Any]:
    """A step of the policy with `CONTEXT - TOKENS` slots before it, every time."""
    last = Slots.of_tokens([Vocabulary().first_bin], int(Kind.ACTION_CONTINUOUS))

    def step() -> dict[int, Any]:
        for lane in observations:
            policy._episodes[lane].history = []
            policy._episodes[lane].pending = [last]
        policy._streams.length[:] = CONTEXT - TOKENS
        return policy.act(observations)

    return step


def peer_step(peer: Gpt2) -> Callable[[], Any]:
    """The same step of GPT-2 with its cache: one pass over 41 tokens, then 3 passes over one."""
    cache = DynamicCache(config=peer.gpt2.config)
    before = CONTEXT - TOKENS
    embedded = peer.gpt2.transformer.wte(torch.randint(33024, (1, before)))
    peer.gpt2(inputs_embeds=embedded, past_key_values=cache, use_cache=True, logits_to_keep=1)
    observation = torch.randint(32000, 33024, (1, 41))

    def step() -> list[int]:
        if (seen := cache.get_seq_length()) > before:
            cache.crop(before - seen)  # a negative number takes tokens away
        ids, drawn = observation, []
        for _ in range(4):
            embedded = peer.gpt2.transformer.wte(ids)
            logits = peer.gpt2(inputs_embeds=embedded, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
            ids = logits[:, -1].argmax(dim=-1, keepdim=True)
            drawn.append(int(ids))
        return drawn

    return step


def against_peer(size: Size, seconds: float) -> list[Row]:
    """One lane, one thread, fp32."""
    torch.set_num_threads(1)
    observation = {0: work.control_values(np.random.default_rng(0), 1)[0]}
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        policy = make_policy(size, 1, folder, None, GREEDY)
        peer = Gpt2(size, loss_only_head=True).eval()
        sides = {
            "ours": full_context(policy, observation),
            "GPT-2, its cache, one pass over the observation": peer_step(peer),
        }
        title = f"{size.name}, context {CONTEXT}, fp32, 1 thread"
        result = rows("Acting, control steps", title, sides, 1.0, seconds, time.process_time)
    result[0].extra["ours / theirs"] = f"{result[0].median / result[1].median:.2f}"
    return result


def side_by_side(size: Size, dtype: str, threads: int, seconds: float) -> list[Row]:
    """32 episodes at once against one at a time, with a prompt and one timestep, and with a long context full."""
    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    observations = dict(enumerate(work.control_values(rng, 32)))
    prompted = ActingSettings(prompt="start", prompt_length=16, temperature=0.0)
    arithmetic = torch.autocast("cpu", DTYPES[dtype], enabled=dtype != "fp32")
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode(), arithmetic:
        short = {lanes: make_policy(size, lanes, folder, 1, prompted) for lanes in (32, 1)}
        works = {"a prompt and one timestep": {n: partial(p.act, _first(observations, n)) for n, p in short.items()}}
        if size.context_length > CONTEXT:
            full = {lanes: make_policy(size, lanes, folder, None, GREEDY) for lanes in (32, 1)}
            works[f"context {CONTEXT}"] = {n: full_context(p, _first(observations, n)) for n, p in full.items()}
        about = f"{dtype}, {threads} thread{'s' * (threads > 1)}"
        clock = time.process_time if threads == 1 else time.perf_counter
        return [row for title, sides in works.items() for row in _gain(f"{size.name}, {title}, {about}", sides, seconds, clock)]


def _gain(title: str, sides: dict[int, Callable[[], Any]], seconds: float, clock: Callable[[], float]) -> list[Row]:
    """Rows of a step of 32 lanes and of one, in steps a second."""
    named = {f"{lanes} at once": run for lanes, run in sides.items()}
    pair = rows("Acting, episodes side by side", title, named, 1.0, seconds, clock)
    for row, lanes in zip(pair, sides, strict=True):
        row.amount = lanes
    together, alone = pair
    together.extra["times the steps/s of one"] = f"{32 * alone.median / together.median:.1f}"
    alone.against = None
    return pair


def run(full: bool) -> list[Row]:
    """Both sizes against the peer, and 32 lanes; with `full` on all threads, too."""
    seconds = 2.0 if full else 0.3
    result = [row for size in SIZES for row in against_peer(size, seconds)]
    for threads in sorted({1, os.cpu_count() or 1}) if full else (1,):
        for size in (SIZES[0], GATO_SMALL):
            for dtype in DTYPES:
                result += side_by_side(size, dtype, threads, seconds)
    return result


def _first(observations: dict[int, np.ndarray], count: int) -> dict[int, np.ndarray]:
    return {lane: observations[lane] for lane in range(count)}


def _no_env(render_mode: str | None = None) -> Any:
    raise NotImplementedError("nothing is played here")
