"""TextWorld: generated text games, played by commands in words."""

from typing import Any, Literal

import gymnasium

from datamodules.control.expert_task import ControlDataModule, Expert
from gato_lightning.common.settings import PositiveInt
from gato_lightning.errors import ExpertFailure, UserError


class TextWorldDataModule(ControlDataModule):
    """One kind of TextWorld game; each episode is a game of it. Needs the extra `textgames`.

    Args:
        game: `coin` (Coin Collector), `treasure` (Treasure Hunter), `cooking` (the Cooking Game), `simple` (A Simple Game), or
            `quest`, generated from options of one's own.
        options: those of TextWorld's challenge, such as `{level: 5}`; of `quest`, of its `GameOptions`, such as `{nb_rooms: 3,
            nb_objects: 6, quest_length: 3}`.
        games: that demonstrations are of, 1 or more; a demonstration of seed s is of game s modulo `games`.
        held_out_games: further ones that validation, references and rollouts are of, 1 or more.
        max_episode_steps: as of `ControlDataModule`.
        kwargs: of `ControlDataModule`.
    """

    domain = "textgames"
    expert_name = "TextWorld's winning policy"

    def __init__(
        self,
        game: Literal["coin", "treasure", "cooking", "simple", "quest"],
        options: dict[str, Any] | None = None,
        games: PositiveInt = 40,
        held_out_games: PositiveInt = 20,
        max_episode_steps: PositiveInt = 50,
        **kwargs: Any,
    ) -> None:
        super().__init__(max_episode_steps=max_episode_steps, **kwargs)
        self.game, self.options, self.games, self.held_out_games = game, options or {}, games, held_out_games
        self.observation_space, self.action_space = self.env.observation_space, self.env.action_space

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        try:
            from datamodules.control.textworld_env import TextWorldEnv
        except ModuleNotFoundError as error:
            raise UserError("TextWorld needs the extra textgames: pip install -e '.[textgames]'") from error
        return TextWorldEnv(self.game, self.options, self.games, self.held_out_games)

    def make_expert(self, env: gymnasium.Env) -> Expert:
        def act(observation: Any, executed: str | None) -> str:
            if not env.unwrapped.policy_commands:
                raise ExpertFailure("the game can no longer be won")
            return env.unwrapped.policy_commands[0]

        return act
