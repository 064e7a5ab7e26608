"""Settings of RL algorithms for an environment: this project's own, or those that rl-baselines3-zoo has tuned."""

import re
from importlib.resources import files
from typing import Any

import yaml

from gato_lightning.errors import UserError, unknown

ALGORITHMS = ("a2c", "ars", "crossq", "dqn", "ppo", "sac", "td3", "tqc", "trpo")


def tuned_settings(algo: str, env_id: str) -> tuple[dict[str, Any], str]:
    """Returns the settings for an environment, and where they come from.

    They are looked for in `recipes.yml`, then in the zoo under the environment's name, under that of another version of the
    environment, and as the zoo's default.

    Raises:
        UserError: an unknown algorithm, or the zoo is not installed.
    """
    if algo not in ALGORITHMS:
        raise unknown("algorithm", algo, ALGORITHMS)
    own = _read(files(__package__) / "recipes.yml").get(algo, {})
    for key in (env_id, env_id.partition("/")[0]):
        if key in own:
            return own[key], f"recipes.yml ({key})"
    zoo = _zoo(algo)
    name = re.sub(r"-v\d+$", "", env_id)
    versions = sorted((key for key in zoo if re.fullmatch(rf"{re.escape(name)}-v\d+", key)), reverse=True)
    for key in (env_id, *versions, "default"):
        if key in zoo:
            return zoo[key], f"rl_zoo3 ({key})"
    raise UserError(f"rl_zoo3 has no settings of {algo} for {env_id}, nor default ones: give --settings")


def _zoo(algo: str) -> dict[str, Any]:
    try:
        return _read(files("rl_zoo3") / "hyperparams" / f"{algo}.yml")
    except ModuleNotFoundError as error:
        raise UserError("training experts needs the extra experts: pip install -e '.[experts]'") from error


def _read(file: Any) -> dict[str, Any]:
    return yaml.safe_load(file.read_text(encoding="utf-8"))
