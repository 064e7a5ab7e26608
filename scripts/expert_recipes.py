"""How each expert is trained."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from scripts.gaits import Gait


@dataclass(frozen=True)
class Recipe:
    """A search for a linear policy.

    Args:
        timesteps: how long to search.
        step_size: of a move.
        noise: standard deviation of the directions tried.
        directions: tried in an iteration, each forwards and backwards.
        top: how many of them the move is made of.
        features: key of `expert_features.FEATURES`.
        settings: what that takes.
        start: (A, F + 1) gains and bias to start from; only its entries other than 0 are searched.
        gait: to start from, in place of `start` and `features`.
        alive_bonus: reward for a timestep survived, which the search does not count (ARS, section 4).
        horizon: timesteps of a training episode; None: the environment's.
        enough: the return at which the search ends early.
        select_every: iterations from one measurement of the policy to the next.
    """

    timesteps: int
    step_size: float
    noise: float
    directions: int
    top: int
    features: str = "state"
    settings: dict[str, Any] = field(default_factory=dict)
    start: np.ndarray | None = None
    gait: Gait | None = None
    alive_bonus: float = 0.0
    horizon: int | None = None
    enough: float = np.inf
    select_every: int = 10

    def lasting(self, timesteps: int) -> "Recipe":
        """The same for another number of timesteps."""
        return replace(self, timesteps=timesteps)

    def form(self) -> dict[str, Any]:
        """What a search keeps while it lasts: all but how long that is."""
        return {key: value for key, value in self.summary().items() if key not in ("timesteps", "enough")}

    def summary(self) -> dict[str, Any]:
        """The settings that are not the default, as JSON values."""
        values = {**asdict(self), "start": None if self.start is None else self.start.tolist()}
        return {key: value for key, value in values.items() if value not in (None, {}, np.inf)}


def gains(*rows: tuple[float, ...]) -> np.ndarray:
    """Gains (A, F) of a controller to start from, without a bias."""
    return np.column_stack([np.array(rows), np.zeros(len(rows))])


def walking(gait: Gait, timesteps: int, alive_bonus: float = 0.0) -> Recipe:
    """A gait that is looked for and then tuned."""
    return Recipe(timesteps, 0.05, 0.05, 8, 4, gait=gait, alive_bonus=alive_bonus, horizon=2 * gait.horizon, select_every=5)


def diagonal(joints: int, *values: float) -> np.ndarray:
    """The same gains for each of the joints, whose features come in blocks of one per joint."""
    return np.column_stack([np.hstack([value * np.eye(joints) for value in values]), np.zeros(joints)])


def tuned(features: str, start: np.ndarray, timesteps: int, enough: float = np.inf, **settings: Any) -> Recipe:
    """A controller that was written by hand and is then tuned."""
    return Recipe(timesteps, 0.1, 0.1, 4, 2, features=features, settings=settings, start=start, enough=enough, select_every=5)


# Linear-quadratic regulators of the models linearised upright; costs: place 1, angles 10, speeds 0.1, force 1.
SINGLE_POLE = gains((0.72, 6.87, 0.92, 1.04))
DOUBLE_POLE = gains((-0.21, -1.82, -5.59, 0.0, 0.0, -0.31, -0.9, -0.82, 0.0))
# Where angles and angular velocities of the joints lie in the observations.
CHEETAH = ((2, 3, 4, 5, 6, 7), (11, 12, 13, 14, 15, 16))
ANT = ((11, 12, 5, 6, 7, 8, 9, 10), (25, 26, 19, 20, 21, 22, 23, 24))  # in the order of the actions: hip and ankle of each leg
WALKER = (
    (4, 6, 8, 10, 12, 14),
    (18, 19, 20, 21, 22, 23),
)  # the links' angles to the vertical
CART = gains((3.5, 0.9, 0.1, 0.25, 1.0, -0.3, -0.1))
LINKS = gains((2.0, 0.0, -0.35, 0.0), (0.0, 0.6, 0.0, -0.1))
POLE = {"stiffness": 14.7, "catch": 0.5}

MUJOCO = {
    "Ant-v5": walking(Gait(27, *ANT, (8, 30), rest=(0, 1, 0, 1, 0, -1, 0, -1), tries=60, horizon=150), 100_000),
    "HalfCheetah-v5": walking(Gait(17, *CHEETAH, (4, 16), tries=600), 400_000),
    "Hopper-v5": walking(Gait(11, (2, 3, 4), (8, 9, 10), (20, 200), tries=240, horizon=150), 100_000),
    "InvertedDoublePendulum-v5": tuned("state", DOUBLE_POLE, 500_000, enough=9350),
    "InvertedPendulum-v5": tuned("state", SINGLE_POLE, 100_000, enough=1000),
    "Pusher-v5": tuned("pusher", diagonal(7, 5.0, 0.3, 3.0, -0.5), 400_000),
    "Reacher-v5": tuned("reacher", gains((0.1, 0.0, -0.03, 0.0), (0.0, 0.1, 0.0, -0.03)), 100_000),
    "Swimmer-v5": walking(Gait(8, (1, 2), (6, 7), (10, 60), tries=200, horizon=300), 200_000),
    "Walker2d-v5": walking(Gait(17, *CHEETAH, (40, 200), tries=240, horizon=150), 100_000),
}

DM_CONTROL = {
    "ball_in_cup-catch": Recipe(400_000, 0.05, 0.05, 8, 4, enough=975, select_every=5),
    "cartpole-balance": tuned("swing_up", CART, 50_000, enough=995, **POLE),
    "cartpole-balance_sparse": tuned("swing_up", CART, 50_000, enough=1000, **POLE),
    "cartpole-swingup": tuned("swing_up", CART, 300_000, **POLE),
    "cartpole-swingup_sparse": tuned("swing_up", CART, 300_000, **POLE),
    "cheetah-run": walking(Gait(17, *CHEETAH, (15, 60), horizon=300), 300_000),
    "finger-spin": walking(Gait(9, (0, 1), (6, 7), (10, 60), tries=100), 100_000),
    "fish-upright": Recipe(300_000, 0.05, 0.05, 8, 4, select_every=5),
    "pendulum-swingup": tuned("swing_up", gains((-10, -2, 20)), 50_000, stiffness=19.6, catch=0.3),
    "point_mass-easy": tuned("state", gains((-50, 0, -8, 0), (0, -50, 0, -8)), 50_000),
    "reacher-easy": tuned("dm_reacher", LINKS, 100_000),
    "reacher-hard": tuned("dm_reacher", LINKS, 100_000),
    "walker-stand": walking(Gait(24, *WALKER, (20, 80), tries=300), 150_000),
    "walker-walk": walking(Gait(24, *WALKER, (20, 80), horizon=250), 300_000),
}

RECIPES: dict[str, Recipe] = {**MUJOCO, **{f"dm_control/{name}-v0": recipe for name, recipe in DM_CONTROL.items()}}

# What the agent of JAT (Gallouedec et al. 2024) reaches on version 4 of these, and that as a part of its expert's score; both
# from its model card.
JAT = {
    "Ant-v5": (4993.13, 0.86),
    "HalfCheetah-v5": (6601.12, 0.89),
    "Hopper-v5": (1435.45, 0.77),
    "InvertedDoublePendulum-v5": (8744.92, 0.94),
    "InvertedPendulum-v5": (117.64, 0.24),
    "Pusher-v5": (-24.93, 1.00),
    "Reacher-v5": (-5.77, 1.00),
    "Swimmer-v5": (94.08, 1.02),
    "Walker2d-v5": (4381.69, 0.95),
}


def literature(name: str) -> str:
    """What others reach in that environment."""
    if name in JAT:
        return "JAT's agent: {:.2f}, {:.2f} of its expert's score (version 4 of the environment)".format(*JAT[name])
    return "at most 1000: rewards are in [0, 1], episodes have 1000 timesteps (Tassa et al. 2018)"
