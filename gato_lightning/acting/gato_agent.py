"""A pretrained model as an agent in five lines.

agent = GatoAgent.from_pretrained("gato-small")
agent.reset(task="cartpole", seed=0)
action = agent.select_action(observation)
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import gymnasium
import torch
from gymnasium import Space
from huggingface_hub import ModelHubMixin, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from minari.serialization import deserialize_space, serialize_space

from gato_lightning.acting.agent import ActingSettings, Agent
from gato_lightning.errors import UserError, unknown
from gato_lightning.model import pretrained
from gato_lightning.model.checkpoint import MARK, check_tokenizer, load_checkpoint, load_model
from gato_lightning.model.gato import Gato
from gato_lightning.model.precision import arithmetic
from gato_lightning.sequences.store import EpisodeStore, TokenEpisode, write_store
from gato_lightning.sequences.tasks import ControlTask, Reference
from gato_lightning.tokens.episode import Episode, plain_space
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.timestep import TimestepTokenizer

PROMPTS_OF_A_TASK = 4  # demonstrations that an exported task brings


class GatoAgent(ModelHubMixin):
    """Acts in one episode after another, of tasks that the model knows or of new ones.

    Args:
        model: the model, in evaluation mode.
        text: the text tokenizer that it was trained with.
        tasks: control tasks that it knows, by name.
        folder: the pretrained folder that it was read from, if any.
    """

    def __init__(self, model: Gato, text: TextTokenizer, tasks: Mapping[str, ControlTask], folder: Path | None = None) -> None:
        self.model, self.text, self.tasks, self.folder = model, text, dict(tasks), folder
        self._agent: Agent | None = None
        self._own = tempfile.TemporaryDirectory(prefix="gato-agent-")  # demonstrations of new tasks

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **download: Any) -> Self:
        """Reads a model; nothing in it can run code.

        Args:
            pretrained_model_name_or_path: a shipped name, a folder, a checkpoint (`.ckpt`, which brings no tasks), or a
                repository on the Hugging Face hub.
            download: arguments of `huggingface_hub.snapshot_download`, such as `revision`.

        Raises:
            UserError: there is no such model, or it is damaged.
        """
        name = pretrained_model_name_or_path
        if str(name).endswith(".ckpt"):
            return cls._read(load_checkpoint(name), None)
        try:
            folder = pretrained.find(name)
        except UserError as error:
            if Path(name).exists() or str(name).count("/") != 1:
                raise
            folder = _downloaded(str(name), error, **download)
        return cls._read(load_checkpoint(folder / pretrained.WEIGHTS), folder)

    @classmethod
    def _read(cls, checkpoint: Mapping[str, Any], folder: Path | None) -> Self:
        stored = checkpoint[MARK]
        text = TextTokenizer(stored.get("tokenizer_path"))
        check_tokenizer(stored, text)
        model = load_model(checkpoint)
        tasks = {name: _read_task(name, one, model, text, folder) for name, one in stored.get("tasks", {}).items() if folder}
        return cls(model, text, tasks, folder)

    def reset(self, task: str, seed: int = 0, acting: ActingSettings = ActingSettings()) -> None:
        """Begins an episode, with a demonstration of the task as the prompt.

        Args:
            task: name of a task that the model knows, or of one that was added.
            seed: seed of the prompt and of the actions, 0 or more.
            acting: how to act.

        Raises:
            UserError: an unknown task.
        """
        if task not in self.tasks:
            raise unknown("task", task, self.tasks)
        self._agent = Agent(self.model, 1, acting, 0)
        self._agent.reset(0, self.tasks[task], seed)

    def select_action(self, observation: Any) -> Any:
        """Returns the action for the next observation of the episode, a value of the task's action space.

        Raises:
            UserError: no episode has begun, or the observation has no tokens.
        """
        if self._agent is None:
            raise UserError("select_action: no episode has begun; call reset first")
        device = self.model.embedding.table.weight.device.type
        with torch.inference_mode(), arithmetic(device):
            action = self._agent.act({0: observation})[0]
        if isinstance(action, Exception):
            raise UserError(f"select_action: {action}") from action
        return action

    def add_task(
        self,
        name: str,
        observation_space: Space,
        action_space: Space,
        demonstrations: Sequence[Episode],
        timesteps: int | None = None,
    ) -> None:
        """Adds a task that the model has never seen; its demonstrations serve as prompts.

        Args:
            name: name of the task.
            observation_space: space of its observations.
            action_space: space of its actions.
            demonstrations: one or more.
            timesteps: most timesteps that the agent sees; None: as many as fit.

        Raises:
            UserError: no demonstration, or values without tokens.
        """
        if not demonstrations:
            raise UserError(f"task {name}: expected at least one demonstration")
        vocabulary = self.model.config.vocabulary
        tokenizer = TimestepTokenizer(observation_space, action_space, vocabulary, self.text)
        tokenizer.check_context(self.model.config.context_length)
        episodes = [TokenEpisode(tokenizer.encode_episode(one), float(one.rewards.sum()), one.source) for one in demonstrations]
        folder = Path(self._own.name) / name
        shutil.rmtree(folder, ignore_errors=True)
        write_store(folder, episodes, {})
        best = Reference(max(episode.total_reward for episode in episodes), len(episodes))
        self.tasks[name] = _task(name, "own", tokenizer, EpisodeStore(folder), timesteps, best, Reference(0.0, 0))

    def remove_task(self, name: str) -> None:
        """Forgets a task that was added, with its demonstrations; one that is not there is none to forget."""
        self.tasks.pop(name, None)
        shutil.rmtree(Path(self._own.name) / name, ignore_errors=True)

    def _save_pretrained(self, save_directory: Path) -> None:
        """Writes the folder that `from_pretrained` reads; called by `save_pretrained` and `push_to_hub`."""
        if self.folder is None:
            raise UserError("save_pretrained: read from a checkpoint, which brings no tasks; use `run.py export`")
        shutil.copytree(self.folder, save_directory, dirs_exist_ok=True)


def task_settings(task: ControlTask) -> dict[str, Any]:
    """What `config.json` says of a control task, as JSON values."""
    spaces = {"observation_space": task.tokenizer.observation_space, "action_space": task.tokenizer.action_space}
    return {
        "domain": task.domain,
        **{name: serialize_space(plain_space(space)) for name, space in spaces.items()},
        "timesteps": task.timesteps,
        "prompt_length": task.prompt_length,
        "expert": vars(task.expert),
        "random": vars(task.random),
    }


def write_prompts(folder: Path, task: ControlTask) -> None:
    """Writes some successful demonstrations of a task, the shortest of those that are best first."""
    store = task.demonstrations
    chosen = sorted(task.successful.tolist(), key=lambda number: -float(store.returns[number]))[:PROMPTS_OF_A_TASK]
    write_store(folder / pretrained.PROMPTS / task.name, [store.episode(number) for number in chosen], {"task": task.name})


def _read_task(name: str, stored: Mapping[str, Any], model: Gato, text: TextTokenizer, folder: Path | None) -> ControlTask:
    assert folder is not None
    observed, acted = (deserialize_space(stored[key]) for key in ("observation_space", "action_space"))
    tokenizer = TimestepTokenizer(observed, acted, model.config.vocabulary, text)
    store = EpisodeStore(folder / pretrained.PROMPTS / name)
    expert, random = (Reference(**stored[key]) for key in ("expert", "random"))
    return _task(name, stored["domain"], tokenizer, store, stored["timesteps"], expert, random, stored["prompt_length"])


def _task(
    name: str,
    domain: str,
    tokenizer: TimestepTokenizer,
    store: EpisodeStore,
    timesteps: int | None,
    expert: Reference,
    random: Reference,
    prompt_length: int | None = None,
) -> ControlTask:
    def no_env(render_mode: str | None = None) -> gymnasium.Env:
        raise UserError(f"task {name}: a pretrained agent has no environment of its own")

    return ControlTask(name, domain, no_env, tokenizer, store, timesteps, expert, random, prompt_length)


def _downloaded(name: str, missing: UserError, **download: Any) -> Path:
    try:
        return Path(snapshot_download(name, **download))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise UserError(
            f"{missing}; nor a repository on the hub that can be read ({' '.join(str(error).split())[:200]})"
        ) from error
