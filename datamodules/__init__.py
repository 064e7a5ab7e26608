"""Tasks and their mixture.

Each class of a task has a short public name, as in `datamodules.BabyAIDataModule`. Configs, stores and data sets name that
alone, so that files can move. A module is imported when its class is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "atari": ["AtariDataModule"],
        "babyai": ["BabyAIDataModule"],
        "base.task": ["TaskDataModule"],
        "box2d": ["Box2DDataModule"],
        "classic_control": ["ClassicControlDataModule"],
        "control": ["ControlDataModule", "make_env"],
        "dm_control": ["DmControlDataModule"],
        "environment_task": ["EnvironmentTask"],
        "gym_suite": ["GymDataModule"],
        "metaworld": ["MetaWorldDataModule"],
        "minari_dataset": ["MinariDataModule"],
        "mixture": ["MixtureDataModule"],
        "mujoco": ["MujocoDataModule"],
        "policy": ["PolicyDataModule"],
        "text.dialogue": ["DialogueDataModule"],
        "text.plain_text": ["TextDataModule"],
        "toy_text": ["ToyTextDataModule"],
        "vision.caption_files": ["CaptionFilesDataModule"],
        "vision.captions": ["CaptionsDataModule"],
        "vision.image_pairs": ["ImagePairsDataModule"],
        "vision.interleaved": ["InterleavedDataModule"],
        "vision.vqa": ["VqaDataModule"],
        "vision.vqa_files": ["VqaFilesDataModule"],
    },
)
