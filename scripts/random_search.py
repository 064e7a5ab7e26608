"""Random search, for linear experts.

ARS V2-t (Mania et al. 2018, algorithm 2): random directions in the space of policies are tried forwards and backwards, and the
policy moves along the best of them. Features are normalised by the mean and deviation of all that were seen.
A recipe with a gait looks for that first, by chance and then by a (5 + 1) evolution strategy.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from rich.progress import Progress

from datamodules.control.experts.expert_features import FEATURES
from datamodules.control.experts.linear_policy import LinearPolicy
from datamodules.control.trajectory import random_return
from gato_lightning.sequences.tasks import REFERENCE_SEED
from scripts.expert_recipes import Recipe, literature
from scripts.search_state import Search

TRAINING_SEED = 500_000_000  # first seeds of episodes, beside those of gato_lightning/sequences/tasks.py
SELECTION_SEED = 600_000_000
SELECTION_EPISODES = 4
SCORE_EPISODES = 10
PARENTS = 5  # gaits that are varied
NEW_GAIN = 0.1  # how strongly a gait is changed where it has no gain yet, such as for the body's pitch


class Trainer:
    """Augmented random search for one expert.

    Args:
        name: key of its recipe.
        recipe: how to train it.
        checkpoint: where the search is kept.
        seed: of directions and episodes.
    """

    def __init__(self, name: str, recipe: Recipe, checkpoint: Path, seed: int) -> None:
        self.name, self.recipe, self.checkpoint, self.seed = name, recipe, checkpoint, seed
        self.env = make_env(name)
        self.space = self.env.action_space
        self.search = Search.load(checkpoint, recipe.form()) if checkpoint.exists() else self._begin()

    def _begin(self) -> Search:
        recipe = self.recipe
        if recipe.start is not None:
            start, scale = recipe.start.astype(float), np.abs(recipe.start)
        else:
            observation, _ = self.env.reset(seed=TRAINING_SEED)
            size = 0 if recipe.gait else len(FEATURES[recipe.features](**recipe.settings)(observation, 0))
            start, scale = np.zeros((*self.space.shape, size + 1)), np.ones((*self.space.shape, size + 1))
        features = np.zeros(start.shape[1] - 1)
        return Search(start, features, features, start, scale, np.zeros((0, 0)), np.zeros(0), np.random.default_rng(self.seed))

    def try_gait(self) -> None:
        """Tries one gait; the last try makes the best one the policy."""
        search, gait, numbers, rng = self.search, self.recipe.gait, self.search.numbers, self.search.rng
        by_chance = numbers["tries"] < gait.tries / 3
        if by_chance:
            parameters = gait.draw(rng)
        else:
            # Several parents, because the best one may owe its return to luck that its children do not have.
            parameters = gait.vary(search.gaits[rng.integers(len(search.gaits))], numbers["gait_width"], rng)
        policy = self._linear(gait.gains(parameters), gait.settings(parameters))
        value, seen = self._episode(policy, TRAINING_SEED + int(numbers["tries"]), gait.horizon)
        numbers["tries"] += 1
        numbers["timesteps"] += len(seen)
        kept = len(search.gaits) < PARENTS or value > search.gait_returns[-1]
        if kept:
            place = int(np.searchsorted(-search.gait_returns, -value))
            search.gaits = np.insert(search.gaits.reshape(-1, len(parameters)), place, parameters, axis=0)[:PARENTS]
            search.gait_returns = np.insert(search.gait_returns, place, value)[:PARENTS]
        if not by_chance:
            # Wider after a success, narrower after a failure, so that about one try in six succeeds.
            numbers["gait_width"] = float(np.clip(numbers["gait_width"] * (1.5 if kept else 0.93), 0.03, 1.0))
        if numbers["tries"] == gait.tries:
            search.policy = search.best = gait.gains(search.gaits[0])
            search.scale = np.maximum(np.abs(search.policy), NEW_GAIN)
            search.mean = search.square = np.zeros(search.policy.shape[1] - 1)

    def iterate(self) -> None:
        """Tries directions and moves along the best of them."""
        search, recipe = self.search, self.recipe
        directions = search.rng.standard_normal((recipe.directions, *search.policy.shape)) * search.scale
        seeds = TRAINING_SEED + search.rng.integers(10_000_000, size=recipe.directions)
        returns = np.array(
            [
                [self._training_return(search.policy + sign * recipe.noise * delta, seed) for sign in (1, -1)]
                for delta, seed in zip(directions, seeds.tolist(), strict=True)
            ]
        )  # (directions, 2)
        top = np.argsort(-returns.max(axis=1))[: recipe.top]
        deviation = returns[top].std() + 1e-8
        differences = returns[top, 0] - returns[top, 1]
        search.policy = search.policy + recipe.step_size / (recipe.top * deviation) * np.tensordot(
            differences, directions[top], 1
        )
        search.numbers["iterations"] += 1

    def select(self) -> float:
        """Measures the present policy and keeps it if it is the best so far; returns its mean return."""
        policy = self._plain(self.search.policy)
        value = float(np.mean(self._returns(self._linear(policy), SELECTION_SEED, SELECTION_EPISODES)))
        if value > self.search.numbers["best_return"]:
            self.search.best = policy
            self.search.numbers["best_return"] = value
        return value

    def run(self, progress: Progress) -> None:
        """Searches until the recipe's timesteps are used up."""
        numbers = self.search.numbers
        bar = progress.add_task(self.name, total=self.recipe.timesteps, completed=numbers["timesteps"])
        while self.recipe.gait and numbers["tries"] < self.recipe.gait.tries:
            self.try_gait()
            if numbers["tries"] % 20 == 0:
                progress.console.print(f"{self.name}: {numbers['tries']} gaits tried, return {self.search.gait_returns[0]:.1f}")
                self.search.save(self.checkpoint, self.recipe.form())
            progress.update(bar, completed=numbers["timesteps"])
        if numbers["iterations"] == 0:
            self.select()  # what there is to start from may be good enough, and is not to be lost
        while not self.done():
            self.iterate()
            if numbers["iterations"] % self.recipe.select_every == 0 or self.done():
                value = self.select()
                used, best = int(numbers["timesteps"]), numbers["best_return"]
                progress.console.print(f"{self.name}: {used} timesteps, return {value:.1f}, best {best:.1f}")
            self.search.save(self.checkpoint, self.recipe.form())
            progress.update(bar, completed=numbers["timesteps"])
        self.search.save(self.checkpoint, self.recipe.form())

    def done(self) -> bool:
        """Whether the timesteps are used up, or the policy is as good as the recipe hopes for."""
        numbers = self.search.numbers
        return numbers["timesteps"] >= self.recipe.timesteps or numbers["best_return"] >= self.recipe.enough

    def expert(self) -> LinearPolicy:
        """The best policy, measured on episodes that no choice was made by."""
        policy = self._linear(self.search.best)
        returns = self._returns(policy, REFERENCE_SEED, SCORE_EPISODES)
        about = {
            "environment": self.name,
            "seed": self.seed,
            "recipe": self.recipe.summary(),
            "timesteps": int(self.search.numbers["timesteps"]),
            "return_mean": round(float(np.mean(returns)), 2),
            "return_std": round(float(np.std(returns)), 2),
            "random_return_mean": round(float(np.mean(self._random_returns())), 2),
            "episodes": SCORE_EPISODES,
            "literature": literature(self.name),
            "made_with": {"gymnasium": gymnasium.__version__, "numpy": np.__version__},
        }
        return replace(policy, about=about)

    def _linear(self, policy: np.ndarray, settings: dict[str, Any] | None = None) -> LinearPolicy:
        """A policy (A, F + 1) on features as they are, which are those of the gait found if no others are given."""
        recipe, weight, bias = self.recipe, policy[:, :-1].copy(), policy[:, -1].copy()
        if settings is None:
            settings = recipe.gait.settings(self.search.gaits[0]) if recipe.gait else recipe.settings
        return LinearPolicy(weight, bias, "gait" if recipe.gait else recipe.features, settings)

    def _plain(self, policy: np.ndarray) -> np.ndarray:
        """The policy (A, F + 1) for features as they are, of one for normalised features."""
        recipe, search = self.recipe, self.search
        if recipe.start is not None or recipe.gait or search.numbers["seen"] < 2:
            return policy
        deviation = np.sqrt(search.square / (search.numbers["seen"] - 1))
        weight = policy[:, :-1] / np.where(deviation < 1e-6, np.inf, deviation)  # a feature that never changes says nothing
        return np.column_stack([weight, policy[:, -1] - weight @ search.mean])

    def _training_return(self, policy: np.ndarray, seed: int) -> float:
        total, seen = self._episode(self._linear(self._plain(policy)), seed, self.recipe.horizon)
        self.search.numbers["timesteps"] += len(seen)
        self._normalise(np.array(seen))
        return total - self.recipe.alive_bonus * len(seen)

    def _normalise(self, seen: np.ndarray) -> None:
        """Adds features (T, F) to their mean and deviation (Chan et al. 1983)."""
        search, before = self.search, self.search.numbers["seen"]
        after = before + len(seen)
        distance = seen.mean(axis=0) - search.mean
        search.square = search.square + seen.var(axis=0) * len(seen) + distance**2 * before * len(seen) / after
        search.mean = search.mean + distance * len(seen) / after
        search.numbers["seen"] = after

    def _returns(self, policy: LinearPolicy, first_seed: int, episodes: int) -> list[float]:
        return [self._episode(policy, seed)[0] for seed in range(first_seed, first_seed + episodes)]

    def _episode(self, policy: LinearPolicy, seed: int, horizon: int | None = None) -> tuple[float, list[np.ndarray]]:
        """The return and the features seen."""
        observation, _ = self.env.reset(seed=seed)
        actor, total, seen, done = policy.actor(self.space), 0.0, [], False
        while not done:
            features = actor.see(observation)
            seen.append(features)
            observation, reward, terminated, truncated, _ = self.env.step(actor.act(features))
            total += float(reward)
            done = terminated or truncated or len(seen) == horizon
        return total, seen

    def _random_returns(self) -> list[float]:
        seeds = range(REFERENCE_SEED, REFERENCE_SEED + SCORE_EPISODES)
        return [random_return(self.env, self.space, seed) for seed in seeds]


def make_env(name: str) -> gymnasium.Env:
    """The environment by Gymnasium's name; shimmy brings those of dm_control."""
    return gymnasium.make(f"shimmy:{name}" if name.startswith("dm_control/") else name, disable_env_checker=True)
