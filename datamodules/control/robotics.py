"""gymnasium-robotics: the Fetch arm at a table, and a ball in mazes; each observation has the goal, which a seed draws."""

import contextlib
import io
from collections.abc import Callable, Collection
from typing import Any

import gymnasium
import numpy as np
from gymnasium.wrappers import RepeatAction

from datamodules.control.expert_task import Expert
from datamodules.control.experts import fetch
from datamodules.control.experts.point_maze import Waypoints
from datamodules.control.gym_suite import GymDataModule
from datamodules.control.mujoco import draw_without_display
from gato_lightning.errors import UserError

# Each makes the controller of the episode that has just been reset.
FETCH: dict[str, Callable[[gymnasium.Env], fetch.Law]] = {
    "FetchReach-v4": lambda env: fetch.reach,
    "FetchPush-v4": lambda env: fetch.push,
    "FetchPickAndPlace-v4": lambda env: fetch.pick_and_place,
    "FetchSlide-v4": fetch.Slide,
}
MAZES = {f"PointMaze_{maze}-v3": Waypoints for maze in ("Open", "UMaze", "Medium", "Large")}
EXPERTS = {**FETCH, **MAZES}
REPEATS = 4  # steps of a maze's simulation that an action lasts: 0.04 s, as the arm's


class RoboticsDataModule(GymDataModule):
    """A task of gymnasium-robotics with sparse rewards; needs the extra `robotics`.

    The observation is the environment's own: `observation`, `achieved_goal` and `desired_goal`.

    Fetch: 50 timesteps, each with reward -1 away from the goal and 0 at it; whether it is there in the last one is the success.

    PointMaze: reward 1 at the goal, where the episode ends (`continuing_task: false`). Steps are the simulation's, of which an
    action lasts four; so `max_episode_steps` counts quarters of timesteps.

    Args:
        env_id: such as `FetchPush-v4` or `PointMaze_UMaze-v3`.
        env_kwargs: what the environment's constructor takes.
        kwargs: of `GymDataModule`.
    """

    domain = "robotics"

    def __init__(self, env_id: str, env_kwargs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        ends_at_goal = {"continuing_task": False} if env_id in MAZES else {}
        super().__init__(env_id=env_id, env_kwargs={**ends_at_goal, **(env_kwargs or {})}, **kwargs)

    def env_ids(self) -> Collection[str]:
        return EXPERTS

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        register_environments()
        if render_mode:
            draw_without_display()
        env = super().make_env(render_mode)
        return RepeatAction(env, REPEATS) if self.env_id in MAZES else env

    @property
    def expert_name(self) -> str:
        return f"this project's controller for {self.env_id}"

    def make_expert(self, env: gymnasium.Env) -> Expert:
        law = EXPERTS[self.env_id](env)

        def act(observation: dict[str, np.ndarray], executed: Any) -> np.ndarray:
            return law(observation)

        return act


def register_environments() -> None:
    """Makes the environments known to Gymnasium.

    Raises:
        UserError: the extra is missing.
    """
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # each import prints a notice about environments not used here
            import gymnasium_robotics  # noqa: F401  (registers them)
    except ModuleNotFoundError as error:
        raise UserError("the tasks of gymnasium-robotics need the extra robotics: pip install -e '.[robotics]'") from error
