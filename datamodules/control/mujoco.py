"""MuJoCo: Gymnasium's robots, each with an expert that `python run.py expert` made."""

import hashlib
import os
import sys
from collections.abc import Collection
from functools import cached_property
from typing import Any

import gymnasium

from datamodules.control.expert_task import Expert
from datamodules.control.experts.network_policy import EXPERTS, NetworkPolicy
from datamodules.control.gym_suite import GymDataModule


class MujocoDataModule(GymDataModule):
    """A robot of `gymnasium.envs.mujoco`.

    `policy.about` says how its expert was made and what it and others reach.
    """

    domain = "mujoco"

    def env_ids(self) -> Collection[str]:
        return [path.stem for path in EXPERTS.glob("*.safetensors")]

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        if render_mode:
            draw_without_display()
        return super().make_env(render_mode)

    @cached_property
    def policy(self) -> NetworkPolicy:
        """The expert."""
        return NetworkPolicy.load(EXPERTS / f"{self.env_id}.safetensors")

    @property
    def expert_name(self) -> str:
        return f"this project's policy for {self.env_id}"

    def settings(self) -> dict[str, Any]:
        """The arguments, and the expert itself: a better one shows its demonstrations anew."""
        numbers = hashlib.sha256(b"".join(tensor.tobytes() for tensor in self.policy.tensors().values()))
        return {**super().settings(), "expert": numbers.hexdigest()}

    def make_expert(self, env: gymnasium.Env) -> Expert:
        act = self.policy.actor(env)
        return lambda observation, executed: act(observation)


def draw_without_display() -> None:
    """Has MuJoCo draw off screen where there is no screen; its default needs one."""
    if sys.platform == "linux" and "DISPLAY" not in os.environ:
        os.environ.setdefault("MUJOCO_GL", "egl")
