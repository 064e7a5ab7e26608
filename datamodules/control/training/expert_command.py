"""`python run.py expert`: an expert for any environment, trained by reinforcement learning."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from rich.console import Console
from rich.table import Table

from datamodules.control.experts.network_policy import EXPERTS, NetworkPolicy
from datamodules.control.policy import registered
from datamodules.control.training.zoo import tuned_settings
from datamodules.control.trajectory import random_return
from gato_lightning.common.settings import PositiveFloat, PositiveInt, Seed, check_settings
from gato_lightning.common.tables import narrow_table
from gato_lightning.errors import UserError
from gato_lightning.sequences.tasks import REFERENCE_SEED

_PACKAGES = ("stable-baselines3", "sb3-contrib", "gymnasium", "mujoco", "torch")

_COLUMNS = {
    "algorithm": "algorithm",
    "timesteps": "timesteps",
    "return": "return_mean",
    "deviation": "return_std",
    "random": "random_return_mean",
    "episodes": "episodes",
}


def expert(
    env: str | None = None,
    algo: str = "ppo",
    timesteps: PositiveFloat | None = None,
    env_kwargs: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    seed: Seed = 0,
    episodes: PositiveInt = 100,
    logs: str = "logs/experts",
    out: str | None = None,
    list: bool = False,
) -> None:
    """Trains an expert by Stable-Baselines3, measures it, and writes it as a small file that plays without torch.

    A training that was stopped goes on with the same command. TensorBoard shows it: `tensorboard --logdir logs/experts`.

    Args:
        env: Gymnasium's name of the environment, `dm_control/TASK-v0`, or `package:Name-v0`, which imports the package.
        algo: a2c, ars, crossq, dqn, ppo, sac, td3, tqc or trpo.
        timesteps: timesteps of the environment to train for, 1 or more, such as 1e6; by default what the settings say.
        env_kwargs: arguments of the environment's constructor.
        settings: settings in rl-baselines3-zoo's format that replace the tuned ones, such as {n_envs: 8}.
        seed: seed of the training, 0 or more.
        episodes: episodes that the expert and the random policy are measured on, 1 or more.
        logs: folder of the trainings.
        out: folder that the expert is written to, as ENV.safetensors; by default the folder of the training.
        list: prints the experts that are shipped, with what they reach, and trains none.
    """
    check_settings(locals(), expert)
    if list:
        Console().print(shipped())
        return
    if env is None:
        raise UserError("no environment to train on: expected --env, such as Hopper-v5")
    env_id = registered(env)
    tuned, source = tuned_settings(algo, env_id)
    chosen = {**tuned, **(settings or {})}
    made = gymnasium.make(env_id, disable_env_checker=True, **(env_kwargs or {}))
    if isinstance(made.observation_space, gymnasium.spaces.Dict | gymnasium.spaces.Tuple):
        chosen = {"env_wrapper": "gymnasium.wrappers.FlattenObservation", **chosen}
    steps = int(timesteps or float(chosen["n_timesteps"]))
    from datamodules.control.training.trainer import ExpertTraining  # Stable-Baselines3 is an extra, checked for by now

    folder = Path(logs) / f"{env_id}-{algo}-{seed}"
    policy = ExpertTraining(env_id, algo, chosen, steps, seed, env_kwargs or {}, folder).run()
    about = {
        "environment": env_id,
        "env_kwargs": env_kwargs or {},
        "algorithm": algo,
        "timesteps": steps,
        "seed": seed,
        "settings": source,
        "replaced": settings or {},
        **measured(policy, made, episodes),
        "made_with": {package: version(package) for package in _PACKAGES},
    }
    path = (Path(out) if out else folder) / f"{env_id}.safetensors"
    check_better(about, env_id)
    replace(policy, about=about).save(path)
    Console().print(card_table({env_id: about}))
    print(path)


def shipped() -> Table:
    """The experts in the package, with what they reach."""
    policies = {
        str(path.relative_to(EXPERTS).with_suffix("")): NetworkPolicy.load(path) for path in EXPERTS.rglob("*.safetensors")
    }
    return card_table({name: policies[name].about for name in sorted(policies)})


def card_table(cards: dict[str, dict[str, Any]]) -> Table:
    """A row an expert, of what made it and what it reaches."""
    table = narrow_table("experts", ("expert", *_COLUMNS), {"expert", "algorithm"})
    for name, about in cards.items():
        table.add_row(name, *(str(about[key]) for key in _COLUMNS.values()))
    return table


def measured(policy: NetworkPolicy, env: gymnasium.Env, episodes: int) -> dict[str, Any]:
    """Returns of a policy and of the random policy: mean, standard deviation and number of episodes."""
    seeds = range(REFERENCE_SEED, REFERENCE_SEED + episodes)
    expert_returns = np.array([played(policy, env, seed) for seed in seeds])
    random_returns = np.array([random_return(env, env.action_space, seed) for seed in seeds])
    return {
        "return_mean": round(float(expert_returns.mean()), 2),
        "return_std": round(float(expert_returns.std()), 2),
        "random_return_mean": round(float(random_returns.mean()), 2),
        "random_return_std": round(float(random_returns.std()), 2),
        "episodes": episodes,
    }


def played(policy: NetworkPolicy, env: gymnasium.Env, seed: int) -> float:
    """The return of one episode."""
    observation, _ = env.reset(seed=seed)
    act, total, done = policy.actor(env), 0.0, False
    while not done:
        observation, reward, terminated, truncated, _ = env.step(act(observation))
        total += float(reward)
        done = terminated or truncated
    return total


def check_better(about: dict[str, Any], env_id: str) -> None:
    """Raises an error where an expert is not clearly better than the random policy.

    Raises:
        UserError: the means differ by less than three standard errors of their difference.
    """
    variance = (about["return_std"] ** 2 + about["random_return_std"] ** 2) / about["episodes"]
    if about["return_mean"] - about["random_return_mean"] <= 3 * variance**0.5:
        means = f"{about['return_mean']} on average, the random policy {about['random_return_mean']}"
        raise UserError(f"the expert for {env_id} reaches {means}: not clearly better, so it is not written; train longer")
