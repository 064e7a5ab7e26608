"""Atari 2600 games as images of 64x80 pixels (20 patches); the experts are scripts that read the console's memory."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from PIL import Image

from datamodules.control.expert_task import ControlDataModule, Expert
from datamodules.control.experts.atari import SCRIPTS, actions_by_name
from gato_lightning.common.settings import PositiveInt
from gato_lightning.errors import UserError, unknown

HEIGHT, WIDTH = 64, 80  # of an image; Gato, appendix C.3, figure 15
FRAMES = 4  # frames of the console (60 a second) per action
STICKY = 0.25  # probability that a frame repeats the previous action (Machado et al. 2018); with 0 all episodes are the same
FIVE_MINUTES = 4500  # actions


class GameImage(gymnasium.ObservationWrapper):
    """Shrinks the screen (210, 160, 3) to (64, 80, 3) uint8 by averaging; blends two frames, because objects flicker."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        self.observation_space = spaces.Box(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        env.unwrapped.ale.setBool("color_averaging", True)  # type: ignore[attr-defined]

    def observation(self, observation: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(observation).resize((WIDTH, HEIGHT), Image.Resampling.BOX))


class AtariDataModule(ControlDataModule):
    """One game with its minimal action set and sticky actions of four frames each; requires the extra `atari`.

    Args:
        game: the game's name in `ALE/NAME-v5`, such as `Pong`.
        max_episode_steps: maximum number of actions in an episode, 1 or more; 4500 are five minutes.
        kwargs: of `ControlDataModule`.
    """

    domain = "atari"

    def __init__(self, game: str, max_episode_steps: PositiveInt = FIVE_MINUTES, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if game not in SCRIPTS:
            raise unknown("Atari game with an expert", game, SCRIPTS)
        self.game, self.max_episode_steps = game, max_episode_steps
        self.observation_space, self.action_space = self.env.observation_space, self.env.action_space

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        try:
            import ale_py
        except ModuleNotFoundError as error:
            raise UserError("Atari games need the extra atari: pip install -e '.[atari]'") from error
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # else each environment prints a banner
        gymnasium.register_envs(ale_py)
        game = gymnasium.make(
            f"ALE/{self.game}-v5",
            render_mode=render_mode,
            frameskip=FRAMES,
            repeat_action_probability=STICKY,
            max_episode_steps=self.max_episode_steps,
            disable_env_checker=True,
        )
        return GameImage(game)

    def make_expert(self, env: gymnasium.Env) -> Expert:
        script, actions = SCRIPTS[self.game](), actions_by_name(env)
        memory = env.unwrapped.ale.getRAM  # type: ignore[attr-defined]
        return lambda observation, executed: actions[script.act(memory().tolist())]
