"""Visual questions: grid scenes in the style of BabyAI, and questions about them."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from random import Random
from string import ascii_lowercase
from typing import Annotated, Any

import numpy as np
from gymnasium import spaces

from datamodules.base.pairs import grouped
from datamodules.base.splits import is_held_out
from datamodules.base.task import Job, Split, TaskDataModule
from datamodules.vision.grid_questions import KINDS, Question, ask
from datamodules.vision.grid_scenes import CONCEPTS, Scene, object_set, render, sample_scene
from datamodules.vision.images import PATCH
from gato_lightning.common.settings import PositiveInt, Range, Seed, ShareBetween
from gato_lightning.errors import UserError, unknown
from gato_lightning.sequences.tasks import GenerationTask
from gato_lightning.tokens.episode import Episode
from gato_lightning.tokens.image_files import ImageSettings

_EPISODES_PER_JOB = 1000

Pair = tuple[Scene, Question]


class VqaDataModule(TaskDataModule):
    """A task of visual questions: each timestep shows a scene and a question; the action is the answer, one word.

    The split is by sets of objects: the set of objects in a held-out scene occurs in no training scene. With
    `held_out_concepts`, the held-out questions are harder: each is about an object that occurs in no training scene and no
    training question, though its colour and its type do.

    Args:
        grid: side of the grid in cells, 2 or more; a cell has 16 x 16 pixels.
        objects: maximum number of objects in a scene, 2 to 4; the minimum is 2.
        questions: number of training questions, 1 or more, each about its own scene.
        val_questions: number of held-out questions, 1 or more.
        held_out: share of the object sets that is never trained on, in (0, 1); two objects form only 171 sets, so 0.1 of them
            is few.
        held_out_concepts: objects that are never trained on, such as `"red ball"`.
        pairs_per_episode: number of questions in an episode, one per timestep, 1 or more; 5 in the paper (Gato, section 3.2).
        timesteps: maximum number of timesteps in a training window, 1 or more; None: as many as fit.
        seed: seed of the scenes and questions, not of the split; 0 or more.
    """

    domain = "vqa"

    def __init__(
        self,
        grid: Annotated[int, Range(least=2)] = 4,
        objects: Annotated[int, Range(least=2, most=4)] = 4,
        questions: PositiveInt = 20_000,
        val_questions: PositiveInt = 500,
        held_out: ShareBetween = 0.1,
        held_out_concepts: Sequence[str] = (),
        pairs_per_episode: PositiveInt = 1,
        timesteps: PositiveInt | None = None,
        seed: Seed = 0,
    ) -> None:
        super().__init__(timesteps=timesteps, seed=seed)
        self.grid, self.objects, self.held_out = grid, objects, held_out
        self.questions: dict[Split, int] = {"train": questions, "val": val_questions}
        self.new = tuple(held_out_concepts)
        for concept in self.new:
            if concept not in CONCEPTS:
                raise unknown("held-out concept", concept, CONCEPTS)
        self.known = tuple(concept for concept in CONCEPTS if concept not in self.new)
        if not self.known:
            raise UserError("held_out_concepts names every object; expected some to be left to train on")
        self.pairs_per_episode = pairs_per_episode
        side = grid * PATCH
        self.images = ImageSettings("pad", side, side)
        self.observation_space = spaces.Dict(
            {
                "image": spaces.Box(0, 255, (side, side, 3), np.uint8),
                "question": spaces.Text(max_length=100, charset=ascii_lowercase + " ?"),
            }
        )
        self.action_space = spaces.Text(max_length=20, charset=ascii_lowercase)

    def jobs(self, split: Split) -> list[Job]:
        """Returns the jobs that draw the split's questions and render their scenes."""
        return [partial(self._episodes, split, index, size) for index, size in enumerate(self._job_sizes(split))]

    def generation(self) -> GenerationTask:
        """Returns all held-out questions, grouped by kind."""
        pairs = self._all_pairs("val")
        pictures = render([scene for scene, _ in pairs], self.grid, PATCH)
        answers: dict[str, Counter[str]] = defaultdict(Counter)
        for _, question in self._all_pairs("train"):
            answers[question.kind][question.answer] += 1
        return GenerationTask(
            kind="answer",
            observations=[
                {"image": picture, "question": question.text} for picture, (_, question) in zip(pictures, pairs, strict=True)
            ],
            references=[[question.answer] for _, question in pairs],
            groups=[question.kind for _, question in pairs],
            baseline={kind: counts.most_common(1)[0][0] for kind, counts in answers.items()},
        )

    def _job_sizes(self, split: Split) -> list[int]:
        """Returns the number of questions in each job."""
        chunks = grouped(range(self.questions[split]), self.pairs_per_episode * _EPISODES_PER_JOB)
        return [len(chunk) for chunk in chunks]

    def _all_pairs(self, split: Split) -> list[Pair]:
        sizes = enumerate(self._job_sizes(split))
        return [pair for index, size in sizes for pair in self._pairs(split, index, size)]

    def _pairs(self, split: Split, job: int, size: int) -> list[Pair]:
        """Returns the questions of one job; seed, split and job determine all random choices."""
        rng = Random(f"{self.seed} {split} {job}")
        pairs: list[Pair] = []
        while len(pairs) < size:
            kind = rng.choice(KINDS)
            question = None
            while question is None:  # skips scenes of the other split, and scenes that allow no such question
                scene = sample_scene(rng, self.grid, self.objects, self.known if split == "train" else CONCEPTS)
                question = self._ask(rng, split, scene, kind)
            pairs.append((scene, question))
        return pairs

    def _ask(self, rng: Random, split: Split, scene: Scene, kind: str) -> Question | None:
        if split == "val" and self.new:
            if not any(thing.concept in self.new for thing in scene):
                return None
            # "Is there a ...?" names only new objects; otherwise a name's novelty would reveal the answer.
            return ask(rng, scene, kind, self.grid, asked_for=self.new, about=self.new)
        if is_held_out(object_set(scene), self.held_out) != (split == "val"):
            return None
        return ask(rng, scene, kind, self.grid, asked_for=self.known)

    def _episodes(self, split: Split, job: int, size: int) -> Iterator[Episode]:
        for group in grouped(self._pairs(split, job, size), self.pairs_per_episode):
            observations: dict[str, Any] = {
                "image": render([scene for scene, _ in group], self.grid, PATCH),
                "question": [question.text for _, question in group],
            }
            answers = [question.answer for _, question in group]
            yield Episode(observations, answers, np.zeros(len(group), np.float32), source="grid scenes")
