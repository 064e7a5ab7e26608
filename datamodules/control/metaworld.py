"""Meta-World: 50 tasks of a robot arm at a table, each with the suite's scripted policy as the expert."""

import os
import sys
import warnings
from typing import Annotated, Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import TimeLimit
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.policies import ENV_POLICY_MAP
from metaworld.sawyer_xyz_env import SawyerXYZEnv

from datamodules.control.expert_task import ControlDataModule, Expert
from datamodules.control.metaworld_simulation import quickly_made
from gato_lightning.common.settings import Range
from gato_lightning.errors import unknown
from gato_lightning.tokens.patches import PATCH

LONGEST = SawyerXYZEnv.max_path_length  # 500; the simulation refuses further steps
# Every task has these spaces, apart from the bounds of its goal, so no environment has to be made to get them.
OBSERVATIONS = spaces.Box(-np.inf, np.inf, (39,), np.float64)
ACTIONS = spaces.Box(-1.0, 1.0, (4,), np.float32)
CAMERA = "corner2"
VIDEO_SIZE = 200  # side in pixels

# The scripted policies return actions beyond their bounds; they are clipped here.
warnings.filterwarnings("ignore", message=r"Constant\(s\) may be too high", module=r"metaworld\.")


class UntilSuccess(gymnasium.Wrapper):
    """A Meta-World environment that gives reward 1 at the first success and ends there, so the return is the success.

    The observation (39,) contains the hand, the gripper and the objects, now and one step ago, and the goal.

    Args:
        task: name of the task, such as `reach-v3`.
        render_mode: as in Gymnasium.
        size: side in pixels of the image that `render` returns.
    """

    def __init__(self, task: str, render_mode: str | None = None, size: int = VIDEO_SIZE) -> None:
        camera = {"camera_name": CAMERA, "width": size, "height": size} if render_mode else {}
        env = quickly_made(ALL_V3_ENVIRONMENTS[task])(render_mode=render_mode, **camera)
        # As in the suite's "goal observable" classes, except that each reset draws a new goal, from the seed.
        env._partially_observable = False
        del env.sawyer_observation_space  # cached for a hidden goal
        env._set_task_called, env._freeze_rand_vec, env.seeded_rand_vec = True, False, True
        super().__init__(env)
        self.observation_space, self.action_space = OBSERVATIONS, ACTIONS

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        if seed is not None:
            self.unwrapped.seed(seed)  # the environment's own reset ignores its seed
        return self.env.reset()

    def step(self, action: np.ndarray) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        observation, _, _, truncated, info = self.env.step(np.clip(action, -1, 1))
        success = bool(info["success"])
        return observation, float(success), success, truncated, info

    def render(self) -> Any:
        return self.env.render()[::-1, ::-1]  # the suite's camera is upside down


def action_levels(finest: float) -> np.ndarray:
    """Returns 0 and the powers of two from `finest` to 1, with both signs, in order: fine near the target, coarse far away."""
    powers = 0.5 ** np.arange(1 + int(np.log2(1.0 / finest)))
    return np.concatenate([-powers, [0.0], powers[::-1]])


class CameraImage(gymnasium.ObservationWrapper):
    """Replaces the state by an image of the scene, the position of the hand in metres, and the opening of the gripper.

    The image shows the goal as the suite draws it: as a coloured dot, or as the thing to reach or move.

    Args:
        env: an environment that renders images.
        size: side of the images in pixels.

    Attributes:
        state: the latest observation of `env`, (39,), which the scripted policies use.
    """

    state: np.ndarray

    def __init__(self, env: gymnasium.Env, size: int) -> None:
        super().__init__(env)
        hand, image = spaces.Box(-np.inf, np.inf, (4,), np.float64), spaces.Box(0, 255, (size, size, 3), np.uint8)
        self.observation_space = spaces.Dict({"hand": hand, "image": image})

    def observation(self, observation: np.ndarray) -> dict[str, np.ndarray]:
        self.state = observation
        return {"hand": observation[:4].copy(), "image": np.ascontiguousarray(self.render())}


class MetaWorldDataModule(ControlDataModule):
    """One Meta-World task; each episode draws a new goal, which is observed.

    Args:
        env_id: name of the task, such as `reach-v3`.
        max_episode_steps: number of steps after which an episode ends without success, 1 to 500. Experts need 250 or fewer on
            all tasks but push-back (342), and 135 or fewer on the easier ones.
        finest_action: the expert's actions are rounded to 0 or powers of two, 1, 1/2, 1/4 .. down to this value in (0, 1];
            None: they are not rounded. A model that predicts tokens reaches a lower loss on fewer different actions.
        image_size: side in pixels of an image that replaces the state, 16 or more; None: the observation is the state, (39,).
        kwargs: of `ControlDataModule`.
    """

    domain = "metaworld"
    observation_space, action_space = OBSERVATIONS, ACTIONS

    def __init__(
        self,
        env_id: str,
        max_episode_steps: Annotated[int, Range(least=1, most=LONGEST)] = 250,
        finest_action: Annotated[float, Range(above=0, most=1)] | None = None,
        image_size: Annotated[int, Range(least=PATCH)] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if env_id not in ENV_POLICY_MAP:
            raise unknown("Meta-World task", env_id, ENV_POLICY_MAP)
        self.env_id, self.max_episode_steps = env_id, max_episode_steps
        self.finest_action, self.image_size = finest_action, image_size
        if image_size:
            self.observation_space = self.env.observation_space

    @property
    def expert_name(self) -> str:
        return f"Meta-World's {ENV_POLICY_MAP[self.env_id].__name__}"

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        if self.image_size:
            render_mode = "rgb_array"
        if render_mode and sys.platform == "linux" and "DISPLAY" not in os.environ:
            os.environ.setdefault("MUJOCO_GL", "egl")  # MuJoCo's default needs a display
        env = TimeLimit(UntilSuccess(self.env_id, render_mode, self.image_size or VIDEO_SIZE), self.max_episode_steps)
        return CameraImage(env, self.image_size) if self.image_size else env

    def make_expert(self, env: gymnasium.Env) -> Expert:
        policy = ENV_POLICY_MAP[self.env_id]()
        levels = action_levels(self.finest_action) if self.finest_action else None

        def act(observation: Any, executed: np.ndarray | None) -> np.ndarray:
            state = env.state if isinstance(env, CameraImage) else observation
            # A copy, because some policies write into the observation.
            action = np.clip(policy.get_action(state.copy()), -1, 1)
            if levels is not None:
                action = levels[np.abs(action[:, None] - levels).argmin(axis=1)]
            return action.astype(np.float32)

        return act
