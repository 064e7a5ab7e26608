"""Drivers: what they choose changes nothing on the road, and they brake, overtake and steer where they should."""

import copy

import numpy as np
import pytest
from highway_env.vehicle.behavior import IDMVehicle

from datamodules.control.experts.highway import MetaActions, Steering
from datamodules.control.highway import HighwayDataModule


@pytest.fixture
def alone():
    """A highway of two lanes, the vehicle at the left end of it, nobody else there."""
    env = HighwayDataModule("highway-fast-v0", {"lanes_count": 2, "vehicles_count": 0, "initial_lane_id": 0}).env
    env.reset(seed=0)
    return env


def put(env, lane: int, ahead: float, speed: float) -> None:
    """Another vehicle so many metres ahead in a lane."""
    road, here = env.unwrapped.road, env.unwrapped.vehicle.position[0]
    road.vehicles.append(IDMVehicle.make_on_lane(road, ("0", "1", lane), here + ahead, speed))


def chosen(env) -> str:
    return env.unwrapped.action_type.actions[MetaActions(env)(None, None)]


def test_on_a_free_road_it_goes_faster(alone):
    assert chosen(alone) == "FASTER"


def test_who_is_slow_ahead_is_overtaken(alone):
    put(alone, 0, 30, 20)
    assert chosen(alone) == "LANE_RIGHT"


def test_where_both_lanes_are_taken_it_brakes(alone):
    put(alone, 0, 20, 20)
    put(alone, 1, 20, 20)
    assert chosen(alone) == "SLOWER"


def test_it_stays_where_someone_drives_beside(alone):
    put(alone, 0, 30, 20)
    put(alone, 1, 0, 25)
    assert chosen(alone) != "LANE_RIGHT"


@pytest.mark.parametrize(("env_id", "expert"), [("roundabout-v1", MetaActions), ("racetrack-v1", Steering)])
def test_choosing_changes_nothing(env_id, expert):
    env = HighwayDataModule(env_id).env
    env.reset(seed=0)
    twin = copy.deepcopy(env.unwrapped)
    action = expert(env)(None, None)
    assert np.array_equal(expert(env)(None, None), action)
    for one, other in zip(env.unwrapped.road.vehicles, twin.road.vehicles, strict=True):
        np.testing.assert_array_equal(one.position, other.position)
        assert (one.speed, one.heading, one.lane_index) == (other.speed, other.heading, other.lane_index)
        assert getattr(one, "route", None) == getattr(other, "route", None)
    assert env.unwrapped.np_random.bit_generator.state == twin.np_random.bit_generator.state


def test_it_steers_back_to_the_middle_of_its_lane():
    env = HighwayDataModule("racetrack-v1", {"other_vehicles": 0}).env
    env.reset(seed=0)
    vehicle = env.unwrapped.vehicle
    vehicle.position = vehicle.lane.position(vehicle.lane.local_coordinates(vehicle.position)[0], 1.0)
    expert = Steering(env)
    observation, done = None, False
    for _ in range(15):
        observation, _, done, _, _ = env.step(expert(observation, None))
    assert not done
    assert abs(vehicle.lane.local_coordinates(vehicle.position)[1]) < 0.3
