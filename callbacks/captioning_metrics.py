"""Captions and answers for held-out pictures: written, scored and shown while training."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from lightning import LightningModule, Trainer

from callbacks.scoring.answer_scores import answer_scores
from callbacks.scoring.caption_baselines import constant_caption, nearest
from callbacks.scoring.caption_scores import caption_scores, plain_words
from callbacks.scoring.held_out_text import HeldOutTextCallback, evenly
from callbacks.scoring.picture_grid import Line, draw_grid, find_picture, find_texts
from gato_lightning.acting.sampling import DecodingSettings
from gato_lightning.common.ranks import together
from gato_lightning.common.settings import NonNegativeFloat, NonNegativeInt, PositiveInt, Range, Seed, check_settings
from gato_lightning.evaluation.report import Findings
from gato_lightning.sequences.tasks import GenerationTask


class CaptioningMetrics(HeldOutTextCallback):
    """Logs `metrics/<task>/<metric>` and a grid of pictures with what was written and what would be right.

    Args:
        every_n_steps: optimiser steps between two evaluations, 0 or more; 0: only at the end.
        max_examples: held-out examples of each task while training, 2 or more.
        final_examples: the same at the end of the fit; None for all.
        temperature: of captions, 0 or more; 0 takes the likeliest token (Gato, section 4: 0.9).
        answer_temperature: of answers, 0 or more.
        max_new_tokens: most tokens of a caption or answer, 1 or more.
        pictures: pictures in the grid, 0 or more.
        against_training: at the end, also write captions for the training pictures, as `<task>/train`, and score two baselines
            beside both: `cider_d_constant`, the training caption that scores most when every picture gets it, and
            `cider_d_nearest`, a caption of the training picture (another one) whose colour histogram is nearest.
        seed: of the sampled tokens; 0 or more.

    Attributes:
        results: the latest metrics of every task, on rank 0.
    """

    kinds: ClassVar[tuple[str, ...]] = ("caption", "answer")

    def __init__(
        self,
        every_n_steps: NonNegativeInt = 1000,
        max_examples: Annotated[int, Range(least=2)] = 64,
        final_examples: Annotated[int, Range(least=2)] | None = None,
        temperature: NonNegativeFloat = 0.9,
        answer_temperature: NonNegativeFloat = 0.0,
        max_new_tokens: PositiveInt = 16,
        pictures: NonNegativeInt = 12,
        against_training: bool = False,
        seed: Seed = 0,
    ) -> None:
        check_settings(locals(), CaptioningMetrics)
        super().__init__(every_n_steps, seed)
        self.max_examples, self.final_examples = max_examples, final_examples
        self.settings = {
            "caption": DecodingSettings(max_new_tokens, temperature),
            "answer": DecodingSettings(max_new_tokens, answer_temperature),
        }
        self.pictures, self.against_training = pictures, against_training
        self.results: dict[str, dict[str, float]] = {}

    def findings(self) -> Findings:
        """The latest metrics of every task."""
        return Findings(text=self.results)

    def evaluate(self, trainer: Trainer, module: LightningModule, name: str, task: GenerationTask, at_end: bool) -> None:
        """Writes and scores the texts of one task."""
        data: Any = trainer.datamodule.tasks[name].datamodule  # type: ignore[attr-defined]
        with together():
            training = data.training_examples() if at_end and self.against_training and task.kind == "caption" else None
        self._evaluate(trainer, module, name, name, task, at_end, training)
        if training is not None:
            self._evaluate(trainer, module, name, f"{name}/train", training, at_end, training)

    def _evaluate(
        self,
        trainer: Trainer,
        module: LightningModule,
        name: str,
        label: str,
        task: GenerationTask,
        at_end: bool,
        training: GenerationTask | None,
    ) -> None:
        """Writes and scores the texts of some examples of task `name`, and logs them under `label`."""
        with together():
            count = len(task.observations)
            chosen = evenly(count, self.max_examples if not at_end else self.final_examples or count)
            observations = [task.observations[i] for i in chosen]
            references = [task.references[i] for i in chosen]
        texts = self.write(trainer, module, name, observations, self.settings[task.kind])
        with together():
            if not trainer.is_global_zero:
                return
            if task.kind == "caption":
                scores = caption_scores(texts, references, self.seed)
            else:
                scores = answer_scores(texts, references, [task.groups[i] for i in chosen], task.baseline)
            if training is not None:
                mine = chosen if training is task else []
                scores |= _baseline_scores(observations, references, training, mine, self.seed)
            self.results[label] = scores
            metrics = {f"metrics/{label}/{metric}": value for metric, value in scores.items()}
            for logger in trainer.loggers:
                logger.log_metrics(metrics, trainer.global_step)
            shown = evenly(len(chosen), self.pictures)
            self._show(trainer, label, [(observations[i], references[i], texts[i]) for i in shown])

    def _show(self, trainer: Trainer, name: str, examples: Sequence[tuple[Any, Sequence[str], str]]) -> None:
        """Logs a grid of examples: observation, references and what was written."""
        pictures, captions = [], []
        for observation, right, text in examples:
            picture = find_picture(observation)
            if picture is not None:
                is_right = plain_words(text) in map(plain_words, right)
                pictures.append(picture)
                captions.append(
                    [Line(question, "dimgrey") for question in find_texts(observation)]
                    + [Line(right[0]), Line(text, "green" if is_right else "firebrick")]
                )
        if pictures:
            grid = draw_grid(pictures, captions)
            for logger in trainer.loggers:
                # Of Lightning's loggers, TensorBoard's alone has this.
                add_image = getattr(getattr(logger, "experiment", None), "add_image", None)
                if add_image is not None:
                    add_image(f"metrics/{name}", grid, trainer.global_step, dataformats="HWC")


def _baseline_scores(
    observations: Sequence[Any],
    references: Sequence[Sequence[str]],
    training: GenerationTask,
    mine: Sequence[int],
    seed: int,
) -> dict[str, float]:
    """CIDEr-D of captions that no model wrote; `mine`: which training examples the observations are, if they are such."""
    constant = constant_caption([caption for each in training.references for caption in each], references, seed)
    theirs = [find_picture(observation) for observation in training.observations]
    neighbours = nearest([find_picture(observation) for observation in observations], theirs, mine)
    given = {"constant": [constant] * len(references), "nearest": [training.references[i][0] for i in neighbours]}
    return {f"cider_d_{name}": caption_scores(texts, references, seed)["cider_d"] for name, texts in given.items()}
