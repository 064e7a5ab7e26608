"""Visual questions: images, questions and answers from files in the format of VQAv2 and OK-VQA."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules.base.faults import Fault
from datamodules.base.task import Split
from datamodules.readers import coco
from datamodules.readers.files import fingerprint
from datamodules.readers.image_texts import ImageText, Reader
from datamodules.vision.held_out import held_out_task
from datamodules.vision.image_pairs import ImagePairsDataModule
from gato_lightning.sequences.tasks import GenerationTask


@dataclass(frozen=True)
class VqaFiles:
    """The files of one split.

    Args:
        questions: the file of questions.
        annotations: the file of answers.
        image_folder: folder of the images; no name may lead out of it.
        image_name: name of an image file; `{subtype}` is the `data_subtype` of the questions, `{image_id}` the image's number.
    """

    questions: str
    annotations: str
    image_folder: str
    image_name: str = "COCO_{subtype}_{image_id:012d}.jpg"

    def read(self) -> tuple[list[ImageText], list[Fault]]:
        """Returns the images with all questions about them, and the faults in the files' entries."""
        paths = Path(self.questions), Path(self.annotations)
        return coco.questions(*paths, coco.image_folder(self.image_folder), self.image_name)


class VqaFilesDataModule(ImagePairsDataModule):
    """A task of visual questions: each timestep shows an image and a question; the action is the most common human answer.

    Args:
        train: the files of the training split.
        val: the files of the held-out split; None: the questions about the share `held_out` of the images in `train`.
        kwargs: of `ImagePairsDataModule`.
    """

    domain = "vqa"
    asks = True

    def __init__(self, train: VqaFiles, val: VqaFiles | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sources: dict[Split, VqaFiles] = {"train": train, "val": val or train}
        self.split_by_hash = val is None

    def generation(self) -> GenerationTask:
        """Returns all held-out questions with all human answers as references, grouped by type; call after `setup`."""
        answers: dict[str, Counter[str]] = defaultdict(Counter)
        for image in self.sources["train"].read()[0]:
            for pair in image.pairs:
                if pair.example:
                    answers[pair.example.group][pair.text] += 1
        commonest = {group: counts.most_common(1)[0][0] for group, counts in answers.items()}
        return held_out_task(self.stores["val"], "answer", self.observation_space, self.text_tokenizer, commonest)

    def fingerprints(self) -> list[Any]:
        """Returns name, size and time of the files of questions and answers."""
        files = [(source.questions, source.annotations) for source in self.sources.values()]
        return [fingerprint(Path(path)) for pair in files for path in pair]

    def readers(self, split: Split) -> list[Reader]:
        """Returns readers of the images and questions in the split's files."""
        return self.in_parts(*self.sources[split].read())
