"""MuJoCo: Gymnasium's robots, each with a linear expert that scripts/train_experts.py made."""

import hashlib
import os
import sys
from collections.abc import Collection
from functools import cached_property
from typing import Any

import gymnasium

from datamodules.control.expert_task import Expert
from datamodules.control.experts.linear_policy import EXPERTS, LinearPolicy
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
    def policy(self) -> LinearPolicy:
        """The expert."""
        return LinearPolicy.load(EXPERTS / f"{self.env_id}.safetensors")

    @property
    def expert_name(self) -> str:
        return f"this project's linear policy for {self.env_id}"

    def settings(self) -> dict[str, Any]:
        """The arguments, and the expert itself: a better one shows its demonstrations anew."""
        numbers = self.policy.weight.tobytes() + self.policy.bias.tobytes()
        return {**super().settings(), "expert": hashlib.sha256(numbers).hexdigest()}

    def make_expert(self, env: gymnasium.Env) -> Expert:
        return self.policy.actor(self.action_space)


def draw_without_display() -> None:
    """Has MuJoCo draw off screen where there is no screen; its default needs one."""
    if sys.platform == "linux" and "DISPLAY" not in os.environ:
        os.environ.setdefault("MUJOCO_GL", "egl")
