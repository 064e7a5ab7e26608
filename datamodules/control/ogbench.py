"""OGBench: a robot arm with cubes, buttons, drawer and window, and a ball in mazes; the goal is part of the observation."""

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.mujoco.mujoco_rendering import MujocoRenderer
from gymnasium.envs.registration import load_env_creator
from gymnasium.wrappers import RepeatAction, TimeLimit

from datamodules.control.expert_task import ControlDataModule, Expert
from datamodules.control.experts.ogbench_manipulation import Manipulation, buttons, cubes, scene
from datamodules.control.experts.point_maze import OGBenchWaypoints
from datamodules.control.mujoco import draw_without_display
from gato_lightning.common.settings import PositiveInt, Range
from gato_lightning.errors import UserError, unknown

# The first way to draw that dm_control, which OGBench imports, tries needs a display, and says so where there is none.
warnings.filterwarnings("ignore", module="glfw")

# Each makes the controller of the episode that has just been reset.
ARM: dict[str, Callable[[gymnasium.Env], Any]] = {
    "cube-single-v0": partial(Manipulation, plan=cubes),
    "cube-double-v0": partial(Manipulation, plan=cubes),
    "scene-v0": partial(Manipulation, plan=scene),
    "puzzle-3x3-v0": partial(Manipulation, plan=buttons),
    "puzzle-4x4-v0": partial(Manipulation, plan=buttons),
}
MAZES = {f"pointmaze-{maze}-v0": OGBenchWaypoints for maze in ("medium", "large", "giant", "teleport")}
EXPERTS = {**ARM, **MAZES}
ARM_ACTIONS = spaces.Box(-1.0, 1.0, (5,), np.float32)
TASKS = 5  # pairs of start and goal that each environment has
REPEATS = 5  # steps of a maze that an action lasts; four actions then cross a cell
VIDEO_SIZE = 200  # pixels a side


class GoalObserved(gymnasium.Wrapper):
    """An observation is what OGBench observes and, under `goal`, its "oracle representation" of the goal; a seed fixes both.

    The suite draws from NumPy's global random numbers. Here it draws from some of its own, and leaves the global ones alone.

    Args:
        env: of OGBench, made with `use_oracle_rep`.
        tasks: the numbers of its tasks, 1 to 5, of which a reset draws one.
        render_mode: as in Gymnasium.
    """

    def __init__(self, env: gymnasium.Env, tasks: list[int], render_mode: str | None = None) -> None:
        super().__init__(env)
        self.tasks, self.drawing = tasks, render_mode
        self.numbers = np.random.RandomState(0)  # of the kind that the suite draws from
        self.renderer: MujocoRenderer | None = None
        observation = self.reset(seed=0)[0]
        boxes = {key: spaces.Box(-np.inf, np.inf, value.shape, np.float64) for key, value in observation.items()}
        self.observation_space = spaces.Dict(boxes)

    @property
    def render_mode(self) -> str | None:
        return self.drawing

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        if seed is not None:
            self.numbers.seed(seed)
            self.env.action_space.seed(seed)  # resets take random actions
        with self._own_numbers():
            task = int(np.random.choice(self.tasks))  # noqa: NPY002
            observation, info = self.env.reset(seed=seed, options={"task_id": task})
        self.goal = np.asarray(info["goal"], np.float64)
        return self._observed(observation), {}

    def step(self, action: np.ndarray) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        with self._own_numbers():
            observation, reward, terminated, truncated, info = self.env.step(action)
        return self._observed(observation), float(reward), bool(terminated), truncated, {"success": bool(info["success"])}

    def render(self) -> Any:
        if self.renderer is None:  # the suite's own needs a display unless MuJoCo was told otherwise when it was imported
            simulation: Any = self.unwrapped
            view = _from_above(simulation.maze_map.shape) if hasattr(simulation, "maze_map") else {"camera_name": "front"}
            self.renderer = MujocoRenderer(simulation.model, simulation.data, width=VIDEO_SIZE, height=VIDEO_SIZE, **view)
        return self.renderer.render(self.drawing)

    def close(self) -> None:
        if self.renderer is not None:
            self.renderer.close()
        super().close()

    def _observed(self, observation: np.ndarray) -> dict[str, np.ndarray]:
        return {"observation": np.asarray(observation, np.float64), "goal": self.goal.copy()}

    @contextlib.contextmanager
    def _own_numbers(self) -> Iterator[None]:
        others = np.random.get_state()  # noqa: NPY002
        np.random.set_state(self.numbers.get_state())  # noqa: NPY002
        try:
            yield
        finally:
            self.numbers.set_state(np.random.get_state())  # noqa: NPY002
            np.random.set_state(others)  # noqa: NPY002


class OGBenchDataModule(ControlDataModule):
    """An environment of OGBench, with its state as the observation; needs the extra `ogbench`.

    The reward is 1 at the goal, where the episode ends; the return is the success.

    Args:
        env_id: such as `cube-single-v0` or `pointmaze-large-v0`.
        task_id: which of its five pairs of start and goal, 1 to 5; None: each episode draws one.
        max_episode_steps: an episode ends there without success; 1 or more. OGBench's own limits are 200 to 1000 steps, of
            which an action in a maze takes five.
        kwargs: of `ControlDataModule`.
    """

    domain = "ogbench"

    def __init__(
        self,
        env_id: str,
        task_id: Annotated[int, Range(least=1, most=TASKS)] | None = None,
        max_episode_steps: PositiveInt = 200,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if env_id not in EXPERTS:
            raise unknown("OGBench environment with an expert", env_id, EXPERTS)
        self.env_id, self.task_id, self.max_episode_steps = env_id, task_id, max_episode_steps
        self.observation_space, self.action_space = self.env.observation_space, self.env.action_space

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        try:
            import ogbench  # noqa: F401  (registers its environments)
        except ModuleNotFoundError as error:
            raise UserError("the tasks of OGBench need the extra ogbench: pip install -e '.[ogbench]'") from error
        if render_mode:
            draw_without_display()
        spec = copy.deepcopy(gymnasium.spec(self.env_id))
        spec.max_episode_steps = None
        if self.env_id in ARM:  # whose action space is a new one at each look, with a seed by chance
            arm = load_env_creator(str(spec.entry_point))
            spec.entry_point = type("Arm", (arm,), {"action_space": copy.deepcopy(ARM_ACTIONS)})
        env = gymnasium.make(spec, use_oracle_rep=True, disable_env_checker=True)
        env = GoalObserved(env, [self.task_id] if self.task_id else list(range(1, TASKS + 1)), render_mode)
        return TimeLimit(RepeatAction(env, REPEATS) if self.env_id in MAZES else env, self.max_episode_steps)

    def make_expert(self, env: gymnasium.Env) -> Expert:
        controller = EXPERTS[self.env_id](env)

        def act(observation: dict[str, np.ndarray], executed: Any) -> np.ndarray:
            return controller(observation)

        return act

    @property
    def expert_name(self) -> str:
        return "OGBench's oracles" if self.env_id in ARM else "this project's controller for OGBench's mazes"


def _from_above(shape: tuple[int, int]) -> dict[str, Any]:
    """The suite's view of a maze of so many rows and columns of cells."""
    rows, columns = shape
    view = {"lookat": np.array([2.0 * (columns - 3), 2.0 * (rows - 3), 0.0]), "distance": 5.0 * (columns - 2), "elevation": -90}
    return {"default_cam_config": view}
