"""Acting: a demonstration as prompt, observation in, action out, token by token (Gato, section 2.4).

A lane's context is | prompt | the last timesteps | present observation '|' | and then the action's tokens. When the window is
full, its older half is dropped and the rest is computed anew at its new place: every state is exactly that of a sequence which
training could have shown. So is a text that was written in other tokens than its own, or that its space does not hold: what the
context keeps is the action that was done.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch

from gato_lightning.acting.draft import ActionDraft
from gato_lightning.acting.sampling import choose
from gato_lightning.acting.token_streams import TokenStreams
from gato_lightning.common.randomness import Purpose, generator
from gato_lightning.common.settings import NonNegativeFloat, PositiveInt, check_settings
from gato_lightning.model.gato import Gato
from gato_lightning.sequences.segments import Segments
from gato_lightning.sequences.sequence import Slots, read_slots, slots_of
from gato_lightning.sequences.tasks import ControlTask
from gato_lightning.tokens.episode import stack
from gato_lightning.tokens.lengths import check_length
from gato_lightning.tokens.vocabulary import Kind


@dataclass(frozen=True)
class ActingSettings:
    """How the agent acts.

    Args:
        prompt: the beginning (`start`) of a successful demonstration (Gato, section 2.4), its `end` (the goal), or `none`.
        prompt_length: most slots of it, in whole timesteps, though at least one timestep; 1 or more; None: as in training.
        temperature: of sampling, 0 or more; 0 takes the likeliest action token. Unstated in the paper.
        max_text_tokens: most tokens of a text in an action, its end included, 1 or more; fewer where the context has no room.
    """

    prompt: Literal["start", "end", "none"] = "start"
    prompt_length: PositiveInt | None = None
    temperature: NonNegativeFloat = 1.0
    max_text_tokens: PositiveInt = 32

    def __post_init__(self) -> None:
        check_settings(vars(self), type(self))


@dataclass
class _Episode:
    """What a lane's episode has come to.

    Args:
        task: what is played.
        rng: of the prompt and of the actions.
        pending: what the model has yet to be shown; at first the prompt.
        prompt_length: slots of the prompt.
        history: the last timesteps, each an observation and an action.
    """

    task: ControlTask
    rng: np.random.Generator
    pending: list[Slots]
    prompt_length: int
    history: list[list[Slots]] = field(default_factory=list)


class Agent:
    """Acts in several episodes at once, each of any task.

    Args:
        model: in evaluation mode.
        lanes: most episodes at once, B.
        settings: how to act.
        seed: of prompts and sampling, with the seed of each episode.
    """

    def __init__(self, model: Gato, lanes: int, settings: ActingSettings, seed: int) -> None:
        self._model, self._settings, self._seed = model, settings, seed
        self._streams = TokenStreams(model, lanes)
        self._episodes: dict[int, _Episode] = {}  # by lane

    def reset(self, lane: int, task: ControlTask, seed: int) -> None:
        """Begins an episode of a task in a lane, with a demonstration drawn by the seed."""
        rng = generator(Purpose.ACTING, self._seed, seed)
        prompt = self._draw_prompt(task, rng)
        self._episodes[lane] = _Episode(task, rng, prompt, _num_slots(prompt))
        self._streams.length[lane] = 0

    @torch.no_grad()
    def act(self, observations: Mapping[int, Any]) -> dict[int, Any]:
        """Acts in some lanes, all in one pass; the others stay as they are.

        Args:
            observations: by lane, a value of the observation space of the lane's task.

        Returns:
            By lane, a value of the action space of the lane's task; or why there is none: what it observes has no tokens or too
            many of them. The other lanes act all the same. Of a text that the space does not hold, the nearest one.
        """
        shown: dict[int, Slots | Exception] = {}
        for task, lanes in self._by_task(observations):
            shown |= self._encode(task, {lane: observations[lane] for lane in lanes})
        steps = {lane: step for lane, step in shown.items() if isinstance(step, Slots)}
        actions: dict[int, Any] = {lane: error for lane, error in shown.items() if lane not in steps}
        if not steps:
            return actions
        chunks: list[list[Slots]] = [[] for _ in self._streams.length]
        drafts: dict[int, ActionDraft] = {}
        for lane, step in steps.items():
            drafts[lane] = self._begin_action(lane, step)
            chunks[lane] = [*self._episodes[lane].pending, step]
        states = self._streams.extend(chunks)
        observed = self._streams.length.copy()
        self._draw_actions(drafts, states)
        for task, lanes in self._by_task(steps):
            done = task.tokenizer.decode_actions([drafts[lane].ids for lane in lanes])
            actions |= zip(lanes, done, strict=True)
            for lane, (ids, kinds) in zip(lanes, self._done(task, [drafts[lane] for lane in lanes], done), strict=True):
                episode = self._episodes[lane]
                episode.history.append([steps[lane], Slots.of_tokens(ids, kinds)])
                # The last action token has been drawn but not yet seen.
                seen = len(ids) - 1
                if list(ids) != drafts[lane].ids:
                    self._streams.length[lane], seen = observed[lane], 0
                episode.pending = [Slots.of_tokens(ids[seen:], kinds[seen:])]
        return actions

    def _begin_action(self, lane: int, step: Slots) -> ActionDraft:
        """Makes room for a timestep, and for its action as long as it may become."""
        tokenizer = self._episodes[lane].task.tokenizer
        texts = tokenizer.action_kinds.count(Kind.ACTION_TEXT)
        fixed = len(step.ids) + len(tokenizer.action_kinds) - texts
        limit = self._settings.max_text_tokens
        if texts:
            limit = min(limit, (self._model.config.context_length - fixed) // texts)
        self._make_room(lane, fixed + texts * limit)
        return ActionDraft(tokenizer, limit)

    def _done(self, task: ControlTask, drafts: Sequence[ActionDraft], actions: Sequence[Any]) -> list[tuple[Any, Any]]:
        """Ids and kinds of actions as training shows them: those drawn, unless a text came in other tokens than its own."""
        if Kind.ACTION_TEXT in task.tokenizer.action_kinds:
            return task.tokenizer.encode_actions(actions)
        return [(draft.ids, draft.kinds) for draft in drafts]

    def _encode(self, task: ControlTask, observations: Mapping[int, Any]) -> dict[int, Slots | Exception]:
        """What some lanes of a task observe, as tokens; or why one cannot act on it."""
        tokenizer = task.tokenizer
        try:
            columns = stack(tokenizer.observation_space, list(observations.values()))
            steps = slots_of(tokenizer.encode_observations(columns, len(observations)))
            for step in steps:
                action = len(tokenizer.action_kinds)  # at least, as a text may be empty
                check_length(len(step.ids) - 1, len(step.ids) + action, self._model.config.context_length)
        except Exception as error:
            if len(observations) == 1:
                return dict.fromkeys(observations, error)
            alone = [self._encode(task, {lane: observation}) for lane, observation in observations.items()]
            return {lane: step for one in alone for lane, step in one.items()}
        return dict(zip(observations, steps, strict=True))

    def _by_task(self, lanes: Iterable[int]) -> list[tuple[ControlTask, list[int]]]:
        """The lanes of each task."""
        groups: dict[str, list[int]] = {}
        for lane in lanes:
            groups.setdefault(self._episodes[lane].task.name, []).append(lane)
        return [(self._episodes[group[0]].task, group) for group in groups.values()]

    def _draw_actions(self, drafts: Mapping[int, ActionDraft], states: torch.Tensor) -> None:
        """Draws action tokens one after another, in all lanes at once whose actions are not over.

        Args:
            drafts: by lane, the actions.
            states: (B, D) of their observations' separators.
        """
        writing = dict(drafts)
        ids, kinds = torch.zeros(2, len(states), dtype=torch.int64)
        while True:
            alike: dict[tuple[int, int], list[int]] = {}
            for lane, draft in writing.items():
                alike.setdefault(draft.ids_allowed, []).append(lane)
            for (first, count), lanes in sorted(alike.items()):
                place = torch.tensor([self._episodes[lane].rng.random() for lane in lanes], dtype=torch.float64)
                ids[lanes] = choose(self._model, states[lanes], first, count, self._settings.temperature, place)
            for lane, draft in writing.items():
                draft.add(int(ids[lane]))
                kinds[lane] = draft.kinds[-1]
            writing = {lane: draft for lane, draft in writing.items() if not draft.over}
            if not writing:
                return
            growing = torch.zeros(len(states), dtype=torch.bool)
            growing[list(writing)] = True
            states = self._streams.append(ids, kinds, growing)

    def _make_room(self, lane: int, needed: int) -> None:
        """Drops timesteps of a full window, and has the rest computed anew behind the prompt; it goes where they do not fit."""
        episode = self._episodes[lane]
        history, most = episode.history, episode.task.timesteps
        room = self._model.config.context_length - needed
        full = self._streams.length[lane] + _num_slots(episode.pending) > room
        if not (full or (history and most is not None and len(history) >= most)):
            return
        if episode.prompt_length > room:
            episode.prompt_length = 0
        keep = len(history) // 2
        while keep and sum(map(_num_slots, history[-keep:])) > room - episode.prompt_length:
            keep -= 1
        episode.history = history[len(history) - keep :]
        episode.pending = [part for step in episode.history for part in step]
        self._streams.length[lane] = episode.prompt_length

    def _draw_prompt(self, task: ControlTask, rng: np.random.Generator) -> list[Slots]:
        if self._settings.prompt == "none":
            return []
        store, context = task.demonstrations, self._model.config.context_length
        episode = int(rng.choice(task.successful))
        first, end = (int(i) for i in store.first_timestep[episode : episode + 2])
        slot = np.asarray(store.first_slot[first : end + 1])
        length = self._settings.prompt_length or task.prompt_length or context // 2
        if self._settings.prompt == "start":
            count = max(1, int(np.searchsorted(slot, slot[0] + length, side="right")) - 1)
            start, stop = first, first + count
        else:
            count = max(1, end - first - int(np.searchsorted(slot, slot[-1] - length, side="left")))
            start, stop = end - count, end
        if slot[stop - first] - slot[start - first] + store.widest > context:
            return []  # as in training: where prompt and a timestep do not fit together, there is no prompt
        none = np.array([0])
        return [read_slots(store, Segments(none, none, np.array([start]), np.array([stop])), 0, 1, False)]


def _num_slots(parts: Sequence[Slots]) -> int:
    return sum(len(part.ids) for part in parts)
