"""A process with environments in it: plays what it is told to, one answer for each command."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

import gymnasium
import numpy as np

from gato_lightning.errors import UserError, said
from gato_lightning.evaluation.observations import fault
from gato_lightning.evaluation.video import MAX_FRAMES, Gif, encode_gif
from gato_lightning.sequences.tasks import ControlTask

KEPT = 32  # idle environments that a worker keeps: making one can cost more than an episode in it


@dataclass(frozen=True)
class Outcome:
    """What came of a reset or a step.

    Args:
        observation: what the agent sees next.
        reward: of the step, in the environment's units.
        over: whether the episode has ended.
        truncated: whether it did not end by itself: it reached a limit of steps, the environment's or ours.
        cut: whether that was ours, `max_episode_steps`.
        success: whether the environment reported success so far; None if it says nothing of it.
        failure: what went wrong; the episode is at its end.
        lost: the episode went down with another one in the same process, by no fault of its own.
        video: of a recorded episode, at its end.
        video_failure: why there is none.
    """

    observation: Any = None
    reward: float = 0.0
    over: bool = False
    truncated: bool = False
    cut: bool = False
    success: bool | None = None
    failure: str = ""
    lost: bool = False
    video: Gif | None = None
    video_failure: str = ""


class _Episode:
    """An environment at play, and the frames of it if it is recorded."""

    def __init__(self, task: ControlTask, env: gymnasium.Env, frames: list[np.ndarray] | None, video_failure: str) -> None:
        self.task, self.env, self.frames, self.video_failure = task, env, frames, video_failure
        self.success: bool | None = None
        self.steps = 0

    def reset(self, seed: int) -> Outcome:
        observation, _ = self.env.reset(seed=seed)
        self._film()
        return self._outcome(Outcome(observation))

    def step(self, action: Any) -> Outcome:
        observation, reward, terminated, truncated, info = self.env.step(action)
        success = info.get("success", info.get("is_success"))
        if success is not None:
            self.success = bool(success) or bool(self.success)
        if not np.isfinite(float(reward)):
            return Outcome(failure=f"reward {reward}, expected a finite number")
        self._film()
        self.steps += 1
        cut = self.steps >= self.task.max_episode_steps and not (terminated or truncated)
        over = bool(terminated or truncated or cut)
        return self._outcome(Outcome(observation, float(reward), over, truncated=over and not terminated, cut=cut))

    def _outcome(self, outcome: Outcome) -> Outcome:
        if wrong := fault(self.task.tokenizer.observation_space, outcome.observation):
            return Outcome(failure=wrong)
        video = None
        if outcome.over and self.frames:
            try:
                video = encode_gif(self.frames)
            except Exception as error:
                self.video_failure = said(error)
        return replace(outcome, success=self.success, video=video, video_failure=self.video_failure)

    def _film(self) -> None:
        """A picture that cannot be drawn costs the video and not the episode."""
        if self.frames is None or len(self.frames) >= MAX_FRAMES:
            return
        try:
            self.frames.append(np.asarray(self.env.render()))
        except Exception as error:
            self.frames, self.video_failure = None, said(error)


class _Stage:
    """The environments of a worker: one a lane, and idle ones by task."""

    def __init__(self, tasks: Mapping[str, ControlTask]) -> None:
        self._tasks = tasks
        self._playing: dict[int, _Episode] = {}
        self._idle: list[tuple[str, gymnasium.Env]] = []

    def begin(self, lane: int, name: str, seed: int, record: bool) -> Outcome:
        self._put_away(lane)
        task = self._tasks[name]
        frames: list[np.ndarray] | None = None
        why = ""
        if record:
            try:
                env, frames = _made(task, render_mode="rgb_array"), []
            except Exception as error:
                env, why = self._take(task), said(error)
        else:
            env = self._take(task)
        self._playing[lane] = _Episode(task, env, frames, why)
        return self._playing[lane].reset(seed)

    def step(self, lane: int, action: Any) -> Outcome:
        return self._playing[lane].step(action)

    def drop(self, lane: int) -> None:
        """Gives up an environment that has failed; it may be in any state."""
        if lane in self._playing:
            _close(self._playing.pop(lane).env)

    def close(self) -> None:
        for env in [*(episode.env for episode in self._playing.values()), *(env for _, env in self._idle)]:
            _close(env)

    def _take(self, task: ControlTask) -> gymnasium.Env:
        for place, (name, env) in enumerate(self._idle):
            if name == task.name:
                del self._idle[place]
                return env
        return _made(task)

    def _put_away(self, lane: int) -> None:
        episode = self._playing.pop(lane, None)
        if episode is None:
            return
        if episode.frames is not None:
            _close(episode.env)  # one that draws is slower
            return
        self._idle.append((episode.task.name, episode.env))
        if len(self._idle) > KEPT:
            _close(self._idle.pop(0)[1])


def serve(connection: Connection, tasks: Mapping[str, ControlTask]) -> None:
    """Answers commands until there are no more: `(lane, "begin", (task, seed, record))`, `(lane, "step", (action,))`, None.

    Args:
        connection: to the process that commands.
        tasks: by name.
    """
    stage = _Stage(tasks)
    while (message := connection.recv()) is not None:
        lane, command, arguments = message
        try:
            outcome = getattr(stage, command)(lane, *arguments)
        except Exception as error:
            outcome = Outcome(failure=said(error))
        if outcome.failure:
            stage.drop(lane)
        connection.send((lane, outcome))
    stage.close()


def _made(task: ControlTask, **settings: Any) -> gymnasium.Env:
    env = task.make_env(**settings)
    # Observations are checked one by one; an action of another space might do anything.
    if env.action_space != task.tokenizer.action_space:
        raise UserError(f"the environment's action space is {env.action_space}, that of the data {task.tokenizer.action_space}")
    return env


def _close(env: gymnasium.Env) -> None:
    with contextlib.suppress(Exception):  # it is given up either way, and what it did is already counted
        env.close()
