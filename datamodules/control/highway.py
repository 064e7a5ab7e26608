"""highway-env: driving among others, by meta-actions on roads and by steering on racetracks."""

from collections.abc import Collection, Mapping
from typing import Any

import gymnasium
from gymnasium import spaces

from datamodules.control.expert_task import Expert
from datamodules.control.gym_suite import GymDataModule
from datamodules.control.trajectory import Trajectory
from gato_lightning.errors import UserError

# What is observed: the vehicle itself and its nearest neighbours, a row each. Positions in metres, speeds in metres a second,
# scaled from their ranges to [-1, 1]; those of neighbours on straight roads relative to the vehicle.
_ON_ROADS = {"type": "Kinematics", "features": ["presence", "x", "y", "vx", "vy"], "vehicles_count": 6, "see_behind": True}


def _in_turns(reach: float, speed: float, vehicles: int, *more: str) -> dict[str, Any]:
    """In turns, headings too, and absolute positions, from which the place on the road follows."""
    ranges = {"x": [-reach, reach], "y": [-reach, reach], "vx": [-speed, speed], "vy": [-speed, speed]}
    features = ["presence", "x", "y", "vx", "vy", "cos_h", "sin_h", *more]
    return {**_ON_ROADS, "features": features, "features_range": ranges, "vehicles_count": vehicles, "absolute": True}


_RACETRACK = {"observation": _in_turns(150, 20, 2, "lat_off", "ang_off"), "duration": 40}
CONFIGS: dict[str, Mapping[str, Any]] = {
    "highway-fast-v0": {"observation": _ON_ROADS},
    "merge-v1": {"observation": _ON_ROADS},
    "roundabout-v1": {"observation": _in_turns(100, 15, 6)},
    "u-turn-v1": {"observation": _in_turns(150, 30, 6)},
    "racetrack-v1": _RACETRACK,
    "racetrack-oval-v1": _RACETRACK,
    "racetrack-large-v1": _RACETRACK,
}


class HighwayDataModule(GymDataModule):
    """A task of highway-env; needs the extra `driving`.

    An episode succeeds if it has no collision and ends on the road.

    Args:
        env_id: such as `merge-v1`.
        config: of the environment, over this project's (`CONFIGS`), such as `{lanes_count: 2}`.
        kwargs: of `GymDataModule`.
    """

    domain = "driving"
    expert_name = "highway-env's IDM and MOBIL, held to what is safe"

    def __init__(self, env_id: str, config: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(env_id=env_id, env_kwargs={"config": {**CONFIGS.get(env_id, {}), **(config or {})}}, **kwargs)

    def env_ids(self) -> Collection[str]:
        return CONFIGS

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        register_environments()
        return super().make_env(render_mode)

    def make_expert(self, env: gymnasium.Env) -> Expert:
        from datamodules.control.experts.highway import MetaActions, Steering

        if isinstance(self.action_space, spaces.Box):
            return Steering(env)
        return MetaActions(env)

    def success(self, played: Trajectory) -> bool:
        info = played.info
        on_road = info["rewards"].get("on_road_reward", True)
        return bool(not info["crashed"] and on_road)


def register_environments() -> None:
    """Makes the environments known to Gymnasium.

    Raises:
        UserError: the extra is missing.
    """
    try:
        import highway_env  # noqa: F401  (registers them)
    except ModuleNotFoundError as error:
        raise UserError("the tasks of highway-env need the extra driving: pip install -e '.[driving]'") from error
