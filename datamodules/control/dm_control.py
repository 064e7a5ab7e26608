"""dm_control: DeepMind's control suite through Gymnasium's interface, with experts as for MuJoCo."""

import warnings
from collections.abc import Collection

import gymnasium

from datamodules.control.experts.network_policy import EXPERTS
from datamodules.control.mujoco import MujocoDataModule
from gato_lightning.errors import UserError

# The first way to draw that dm_control tries needs a display, and says so where there is none; the others do not.
warnings.filterwarnings("ignore", module="glfw")

TIMESTEPS = 1000  # of an episode of the suite
PICTURE = {"width": 320, "height": 240}


class DmControlDataModule(MujocoDataModule):
    """A task of `dm_control.suite`, such as `dm_control/cartpole-swingup-v0`; needs the extra `dm-control`.

    Each episode has 1000 timesteps, the suite's own limit, with rewards in [0, 1].
    """

    domain = "dm-control"

    def env_ids(self) -> Collection[str]:
        return [f"dm_control/{path.stem}" for path in EXPERTS.glob("dm_control/*.safetensors")]

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        picture = {"render_mode": render_mode, "render_kwargs": PICTURE} if render_mode else {}
        try:
            # The suite ends its episodes itself; here Gymnasium is told when.
            return gymnasium.make(f"shimmy:{self.env_id}", max_episode_steps=TIMESTEPS, disable_env_checker=True, **picture)
        except (ModuleNotFoundError, gymnasium.error.Error) as error:
            raise UserError(f"{self.env_id} needs the extra dm-control: pip install -e '.[dm-control]' ({error})") from error
