"""Captioning: images and captions from files."""

from functools import partial
from pathlib import Path
from typing import Any

from datamodules.base.task import Split
from datamodules.readers import coco, hugging_face, shards
from datamodules.readers.image_texts import Reader
from datamodules.vision.held_out import held_out_task, training_task
from datamodules.vision.image_pairs import ImagePairsDataModule
from gato_lightning.sequences.tasks import GenerationTask


class CaptionFilesDataModule(ImagePairsDataModule):
    """A captioning task: each timestep shows an image; the action is one of its captions.

    Args:
        train: a COCO captions file; WebDataset shards such as `flickr-{00000..00127}.tar`, local or remote, as written by
            img2dataset; or a Hugging Face data set as `datasets:NAME:SPLIT`.
        val: source of the held-out split, in the same forms; None: the share `held_out` of `train`.
        image_folder: folder of COCO's images; no name in `train` or `val` may lead out of it.
        image_column: column of the images in a Hugging Face data set.
        text_column: column in a Hugging Face data set that holds a caption or a list of captions.
        kwargs: of `ImagePairsDataModule`.
    """

    domain = "captions"

    def __init__(
        self,
        train: str,
        val: str | None = None,
        image_folder: str = ".",
        image_column: str = "image",
        text_column: str = "text",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.columns = image_column, text_column
        self.sources: dict[Split, str] = {"train": train, "val": val or train}
        self.image_folder = image_folder
        self.split_by_hash = val is None

    def generation(self) -> GenerationTask:
        """Returns all held-out images, each with all its captions as references; call after `setup`."""
        return held_out_task(self.stores["val"], "caption", self.observation_space, self.text_tokenizer)

    def training_examples(self) -> GenerationTask:
        """Returns all training images, each with all its captions as references; call after `setup`."""
        return training_task(self.stores["train"], self.observation_space, self.text_tokenizer)

    def fingerprints(self) -> list[Any]:
        """Returns name, size and time of the annotation files or shards; of remote sources, only the name."""
        return [part for source in self.sources.values() for part in self._fingerprint(source)]

    def readers(self, split: Split) -> list[Reader]:
        """Returns one reader per shard, or per block of a few hundred images."""
        source = self.sources[split]
        if source.startswith(hugging_face.PREFIX):
            return hugging_face.caption_readers(source, *self.columns)
        if source.endswith(shards.SUFFIXES):
            return [partial(shards.image_captions, shard) for shard in shards.expand(source)]
        return self.in_parts(*coco.captions(Path(source), coco.image_folder(self.image_folder)))

    def _fingerprint(self, source: str) -> list[Any]:
        if source.startswith(hugging_face.PREFIX):
            return [source]
        files = shards.expand(source) if source.endswith(shards.SUFFIXES) else [source]
        return [shards.shard_fingerprint(file) for file in files]
