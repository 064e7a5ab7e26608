"""Acting: a demonstration as prompt, observation in, action out, token by token (Gato, section 2.4).

A lane's context is | prompt | the last timesteps | present observation '|' | and then the action's tokens. When the window is
full, its older half is dropped and the rest is computed anew at its new place: every state is exactly that of a sequence which
training could have shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from gato_lightning.decoding import Lanes, choose
from gato_lightning.episode import stack
from gato_lightning.model import Gato
from gato_lightning.segments import Segments
from gato_lightning.sequence import Slots, gather, slots_of
from gato_lightning.tasks import ControlTask
from gato_lightning.vocabulary import Kind


@dataclass(frozen=True)
class ActingSettings:
    """How the agent acts.

    Args:
        prompt: the beginning (`start`) or the `end` of a demonstration, or `none` (Gato, section 2.4: its first tokens).
        prompt_length: most slots of it, in whole timesteps, though at least one timestep; None: half the context.
        temperature: of sampling; 0 takes the likeliest action token. Unstated in the paper.
    """

    prompt: Literal["start", "end", "none"] = "start"
    prompt_length: int | None = None
    temperature: float = 1.0


class Policy:
    """Acts in several episodes of one task at once.

    Args:
        model: in evaluation mode.
        task: what to act in.
        lanes: episodes at once.
        settings: how to act.
        seed: of prompts and sampling.
    """

    def __init__(self, model: Gato, task: ControlTask, lanes: int, settings: ActingSettings, seed: int) -> None:
        self._model, self._task, self._settings = model, task, settings
        self._lanes = Lanes(model, lanes)
        self._seed = seed
        self._generator = torch.Generator().manual_seed(seed)
        self._prompt_length = np.zeros(lanes, np.int64)
        # Of each lane: its last timesteps (observation and action), and what it has yet to be shown.
        self._history: list[list[list[Slots]]] = [[] for _ in range(lanes)]
        self._pending: list[list[Slots]] = [[] for _ in range(lanes)]
        self._kinds = task.tokenizer.action_kinds

    def reset(self, lane: int, seed: int) -> None:
        """Begins an episode in a lane, with a demonstration drawn by the seed."""
        prompt = self._draw_prompt(np.random.default_rng((self._seed, seed)))
        self._history[lane] = []
        self._pending[lane] = prompt
        self._prompt_length[lane] = _num_slots(prompt)
        self._lanes.length[lane] = 0

    @torch.no_grad()
    def act(self, observations: Sequence[Any]) -> list[Any]:
        """The action of every lane.

        Args:
            observations: one value of the observation space a lane.

        Returns:
            One value of the action space a lane.
        """
        tokenizer = self._task.tokenizer
        steps = slots_of(tokenizer.encode_observations(stack(tokenizer.observation_space, observations), len(observations)))
        for lane, step in enumerate(steps):
            self._make_room(lane, len(step.ids) + len(self._kinds))
        states = self._lanes.extend([[*pending, step] for pending, step in zip(self._pending, steps, strict=True)])
        drawn: list[torch.Tensor] = []
        for slot, (first, count) in enumerate(tokenizer.action_ids.tolist()):
            if slot:
                states = self._lanes.append(drawn[-1], Kind(self._kinds[slot - 1]))
            drawn.append(choose(self._model, states, first, count, self._settings.temperature, self._generator))
        ids = torch.stack(drawn, dim=1).numpy()  # (B, A)
        for lane, step in enumerate(steps):
            self._history[lane].append([step, Slots.of_tokens(ids[lane], self._kinds)])
            # The last action token has been drawn but not yet seen.
            self._pending[lane] = [Slots.of_tokens(ids[lane, -1:], self._kinds[-1])]
        return tokenizer.decode_actions(ids)

    def _make_room(self, lane: int, needed: int) -> None:
        """Drops timesteps of a full window, and has the rest computed anew behind the prompt."""
        history, most = self._history[lane], self._task.timesteps
        room = self._model.config.context_length - needed
        full = self._lanes.length[lane] + _num_slots(self._pending[lane]) > room
        if not history or not (full or (most is not None and len(history) >= most)):
            return
        keep = len(history) // 2
        while keep and sum(map(_num_slots, history[-keep:])) > room - self._prompt_length[lane]:
            keep -= 1
        self._history[lane] = history[len(history) - keep :]
        self._pending[lane] = [part for step in self._history[lane] for part in step]
        self._lanes.length[lane] = self._prompt_length[lane]

    def _draw_prompt(self, rng: np.random.Generator) -> list[Slots]:
        if self._settings.prompt == "none":
            return []
        store, context = self._task.demonstrations, self._model.config.context_length
        episode = int(rng.integers(store.num_episodes))
        first, end = (int(i) for i in store.first_timestep[episode : episode + 2])
        slot = np.asarray(store.first_slot[first : end + 1])
        length = self._settings.prompt_length or context // 2
        if self._settings.prompt == "start":
            count = max(1, int(np.searchsorted(slot, slot[0] + length, side="right")) - 1)
            start, stop = first, first + count
        else:
            count = max(1, end - first - int(np.searchsorted(slot, slot[-1] - length, side="left")))
            start, stop = end - count, end
        if slot[stop - first] - slot[start - first] + store.widest > context:
            return []  # as in training: where prompt and a timestep do not fit together, there is no prompt
        none = np.array([0])
        return [gather(store, Segments(none, none, np.array([start]), np.array([stop])), 0, 1, False)]


def _num_slots(parts: Sequence[Slots]) -> int:
    return sum(len(part.ids) for part in parts)
