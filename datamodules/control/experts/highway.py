"""Drivers of highway-env: its own IDM and MOBIL models in the place of the vehicle that acts, held to what is safe.

IDM (Treiber et al. 2000) chooses an acceleration by the vehicle ahead; MOBIL (Kesting et al. 2007) chooses the lane that allows
the higher one.
"""

import copy
from typing import Any

import gymnasium
import numpy as np
from highway_env.road.road import Road
from highway_env.vehicle.behavior import IDMVehicle
from highway_env.vehicle.controller import ControlledVehicle, MDPVehicle

SECONDS, STEP = 3.0, 0.2  # that are looked ahead, and between two looks
ALONG, ACROSS = 2.0, 0.5  # metres that must stay between two vehicles
OTHERWISE = ("IDLE", "SLOWER", "FASTER", "LANE_LEFT", "LANE_RIGHT")  # where the wish is not safe, in this order
NEAR = 100.0  # metres; vehicles farther away are ignored
NOTICED = 0.5  # metres a second squared; less acceleration than that is none


class _Driver(IDMVehicle):
    """Follows closer than the other drivers do, as what it does is checked before."""

    TIME_WANTED, DISTANCE_WANTED = 0.5, 8.0


def _twin(kind: type[ControlledVehicle], vehicle: Any, **settings: Any) -> Any:
    """A vehicle of some kind in the place of another; what it does changes neither that one nor the road."""
    road: Road = copy.copy(vehicle.road)
    twin = kind(road, vehicle.position.copy(), vehicle.heading, vehicle.speed, **settings)
    twin.route = list(vehicle.route) if getattr(vehicle, "route", None) else None
    road.vehicles = [twin if other is vehicle else other for other in road.vehicles]
    road.np_random = np.random.default_rng(0)
    return twin


class MetaActions:
    """Chooses among lane changes and target speeds.

    The wish is what IDM and MOBIL would do at the highest target speed. Of all actions, the wish first, it takes one that keeps
    its distance to the others for three seconds, if they follow their lanes at their speeds; or else the one that does so
    longest.

    Args:
        env: just reset.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        self._env = env.unwrapped
        self._times = np.arange(STEP, SECONDS + STEP / 2, STEP)

    def __call__(self, observation: np.ndarray, executed: Any) -> int:
        indexes = self._env.action_type.actions_indexes
        wish, others = self._wish(), self._others()
        best, longest = wish, 0.0
        for action in (wish, *(each for each in OTHERWISE if each != wish)):
            free = self._free(action, others)
            if free > longest:
                best, longest = action, free
            if free == SECONDS:
                break
        return indexes[best]

    def _wish(self) -> str:
        vehicle: MDPVehicle = self._env.vehicle
        settings = {"target_lane_index": vehicle.target_lane_index, "target_speed": vehicle.target_speeds[-1]}
        driver = _twin(_Driver, vehicle, timer=2 * _Driver.LANE_CHANGE_DELAY, **settings)
        driver.act()
        if driver.target_lane_index[:2] == vehicle.target_lane_index[:2]:
            move = driver.target_lane_index[2] - vehicle.target_lane_index[2]
            if move:
                return "LANE_LEFT" if move < 0 else "LANE_RIGHT"
        acceleration = driver.action["acceleration"]
        return "FASTER" if acceleration > NOTICED else "SLOWER" if acceleration < -NOTICED else "IDLE"

    def _others(self) -> np.ndarray:
        """Predicts (vehicles, times, 5) x, y, heading, length and width of the others, along their lanes at their speeds."""
        vehicle, rows = self._env.vehicle, []
        for other in (*vehicle.road.vehicles, *vehicle.road.objects):
            if other is vehicle or not other.collidable or np.linalg.norm(other.position - vehicle.position) > NEAR:
                continue
            along, across = other.lane.local_coordinates(other.position)
            speed = other.speed * np.cos(other.heading - other.lane.heading_at(along))
            ways = along + speed * self._times
            size = (other.LENGTH, other.WIDTH)
            rows.append([(*other.lane.position(way, across), other.lane.heading_at(way), *size) for way in ways])
        return np.array(rows).reshape(-1, len(self._times), 5)

    def _free(self, action: str, others: np.ndarray) -> float:
        """Seconds, up to `SECONDS`, until the vehicle would come too near to another after this action."""
        vehicle: MDPVehicle = self._env.vehicle
        settings = {"target_lane_index": vehicle.target_lane_index, "target_speeds": vehicle.target_speeds}
        twin = _twin(MDPVehicle, vehicle, target_speed=vehicle.target_speed, **settings)
        twin.act(action)
        for k, time in enumerate(self._times):
            if k:
                twin.act()
            twin.step(STEP)
            if _too_near(twin, others[:, k]):
                return float(time - STEP)
        return SECONDS


def _too_near(vehicle: MDPVehicle, others: np.ndarray) -> bool:
    """Whether one of the others, (vehicles, 5), leaves less than the wanted metres along or across the vehicle's direction."""
    ways, turns = others[:, :2] - vehicle.position, others[:, 2] - vehicle.heading
    cosine, sine = np.abs(np.cos(turns)), np.abs(np.sin(turns))
    length, width = others[:, 3] * cosine + others[:, 4] * sine, others[:, 3] * sine + others[:, 4] * cosine
    x, y = vehicle.direction
    along = np.abs(ways @ [x, y]) - (vehicle.LENGTH + length) / 2
    across = np.abs(ways @ [-y, x]) - (vehicle.WIDTH + width) / 2
    return bool(((along < ALONG) & (across < ACROSS)).any())


class Steering:
    """Steers along a lane, which MOBIL chooses; the speed is not its to choose.

    Args:
        env: just reset.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        self._env = env.unwrapped
        self._lane = self._env.vehicle.lane_index
        self._step = 1 / self._env.config["policy_frequency"]
        self._since = self._step  # seconds since a lane was chosen

    def __call__(self, observation: np.ndarray, executed: Any) -> np.ndarray:
        vehicle = self._env.vehicle
        driver = _twin(IDMVehicle, vehicle, target_lane_index=self._lane, target_speed=vehicle.speed, timer=self._since)
        driver.act()
        self._lane = driver.target_lane_index
        self._since = driver.timer + self._step
        _, most = self._env.action_type.steering_range
        return np.clip([driver.action["steering"] / most], -1, 1).astype(np.float32)
