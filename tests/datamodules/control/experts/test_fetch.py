import numpy as np
import pytest

from datamodules.control.experts.fetch import STAY, Stroke, pick_and_place, push, towards

CUBE = np.array([1.3, 0.7, 0.42])


def cube_plus(x, y, z):
    return CUBE + np.array([x, y, z])


def observed(gripper, goal, fingers=0.1):
    """What pushing and grasping go by; the rest of the observation is 0."""
    state = np.zeros(25)
    state[:3], state[3:6], state[9:11] = gripper, CUBE, fingers / 2
    return {"observation": state, "achieved_goal": CUBE, "desired_goal": np.array(goal)}


def test_an_action_is_rounded_to_tenths_and_bounded():
    action = towards(np.array([1.0, 0.033, -0.002]), np.zeros(3), fingers=-1.0)
    np.testing.assert_allclose(action, [1.0, 0.3, 0.0, -1.0], atol=1e-6)


@pytest.mark.parametrize(
    ("gripper", "expected"),
    [
        (cube_plus(-0.05, 0, 0), [1, 0, 0]),  # behind the cube: on towards the goal
        (cube_plus(0.05, 0, 0), [0, 0, 1]),  # between cube and goal: up, so as not to touch it
        (cube_plus(0.05, 0, 0.08), [-1, 0, 0]),  # above: over to the other side
    ],
)
def test_the_cube_is_pushed_from_behind(gripper, expected):
    np.testing.assert_array_equal(push(observed(gripper, cube_plus(0.2, 0, 0)))[:3], expected)


def test_a_cube_at_the_goal_is_left_alone():
    np.testing.assert_array_equal(push(observed(CUBE, cube_plus(0.01, 0, 0))), STAY)


def test_the_cube_is_carried_once_the_fingers_hold_it():
    goal = cube_plus(0, 0, 0.3)
    np.testing.assert_array_equal(pick_and_place(observed(CUBE, goal)), [0, 0, 0, -1])
    np.testing.assert_array_equal(pick_and_place(observed(CUBE, goal, fingers=0.05)), [0, 0, 1, -1])


def test_a_stroke_follows_the_line_through_the_puck():
    stroke = Stroke(CUBE[:2], np.array([1.0, 0.0]), speed=0.5, miss=0.0)
    state = observed(cube_plus(-0.1, 0.02, 0.0), CUBE)["observation"]
    np.testing.assert_allclose(stroke.action(state), [0.5, -0.2, 0.0, 0.0], atol=1e-6)
    assert not stroke.struck(state)
