"""Combinatorial problems with OR-Tools as the expert: travelling salesman, vehicle routing, knapsack, bin packing."""

from typing import Annotated, Any, Literal

import gymnasium
import numpy as np

from datamodules.control.combinatorial_packing import BinPacking, Knapsack
from datamodules.control.combinatorial_problem import Planned, Planner, Problem
from datamodules.control.combinatorial_routes import CAPACITY, TravellingSalesman, VehicleRouting
from datamodules.control.expert_task import ControlDataModule, Expert
from gato_lightning.common.settings import Range
from gato_lightning.errors import UserError

PROBLEMS: dict[str, type[Problem]] = {
    "tsp": TravellingSalesman,
    "cvrp": VehicleRouting,
    "knapsack": Knapsack,
    "binpacking": BinPacking,
}
SLIPS = 4  # noise executes one of so many choices at the head of the list: a pupil's mistakes are near ones too


class CombinatorialDataModule(ControlDataModule):
    """Instances of a problem, drawn from the seed; needs the extra `combinatorial`.

    Success is a return within 3% of what OR-Tools' plan for the whole instance has.

    Args:
        problem: `tsp`, `cvrp`, `knapsack` or `binpacking`.
        size: cities, customers or items; 3 or more. Of `cvrp` 10, 20 or 50.
        kwargs: of `ControlDataModule`.
    """

    domain = "combinatorial"
    expert_name = "OR-Tools"

    def __init__(
        self, problem: Literal["tsp", "cvrp", "knapsack", "binpacking"], size: Annotated[int, Range(least=3)], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if problem == "cvrp" and size not in CAPACITY:
            raise UserError(f"cvrp of size {size}, expected 10, 20 or 50")
        self.problem, self.size = problem, size
        self.observation_space, self.action_space = self.env.observation_space, self.env.action_space

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        try:
            import ortools  # noqa: F401
        except ModuleNotFoundError as error:
            raise UserError("combinatorial problems need the extra combinatorial: pip install -e '.[combinatorial]'") from error
        return Planned(PROBLEMS[self.problem](self.size))

    @property
    def blind_env(self) -> gymnasium.Env:
        assert isinstance(self.env, Planned)
        return self.env.env  # plans nothing

    def make_expert(self, env: gymnasium.Env) -> Expert:
        assert isinstance(env, Planned)
        return Planner(env)

    def perturb(self, action: Any, rng: np.random.Generator) -> Any:
        return int(rng.integers(min(SLIPS, self.action_space.n))) if rng.random() < self.noise else action
