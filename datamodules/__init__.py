"""Tasks and their mixture.

Each task class has a short public name such as `datamodules.BabyAIDataModule`. Configs, stores and data sets use only that
name, so that files can move. A module is imported when its class is first accessed.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base.task": ["TaskDataModule"],
        "control.atari": ["AtariDataModule"],
        "control.babyai": ["BabyAIDataModule"],
        "control.board_games": ["BoardGameDataModule"],
        "control.box2d": ["Box2DDataModule"],
        "control.classic_control": ["ClassicControlDataModule"],
        "control.combinatorial": ["CombinatorialDataModule"],
        "control.dm_control": ["DmControlDataModule"],
        "control.environment_task": ["EnvironmentTask"],
        "control.expert_task": ["ControlDataModule", "make_env"],
        "control.grid_world": ["GridWorldDataModule"],
        "control.gym_suite": ["GymDataModule"],
        "control.highway": ["HighwayDataModule"],
        "control.metaworld": ["MetaWorldDataModule"],
        "control.minari_dataset": ["MinariDataModule"],
        "control.minigrid": ["MiniGridDataModule"],
        "control.mujoco": ["MujocoDataModule"],
        "control.ogbench": ["OGBenchDataModule"],
        "control.policy": ["PolicyDataModule"],
        "control.recorded.columns_task": ["ColumnsTask"],
        "control.recorded.d4rl": ["D4rlDataModule"],
        "control.recorded.episodes": ["EpisodesDataModule"],
        "control.recorded.jat": ["JatDataModule"],
        "control.recorded.lerobot": ["LeRobotDataModule"],
        "control.recorded.rlds": ["RldsDataModule"],
        "control.recorded.robomimic": ["RobomimicDataModule"],
        "control.recorded_task": ["RecordedTask"],
        "control.robotics": ["RoboticsDataModule"],
        "control.textworld": ["TextWorldDataModule"],
        "control.toy_text": ["ToyTextDataModule"],
        "mixture": ["MixtureDataModule"],
        "text.dialogue": ["DialogueDataModule"],
        "text.plain_text": ["TextDataModule"],
        "vision.caption_files": ["CaptionFilesDataModule"],
        "vision.captions": ["CaptionsDataModule"],
        "vision.image_pairs": ["ImagePairsDataModule"],
        "vision.interleaved": ["InterleavedDataModule"],
        "vision.vqa": ["VqaDataModule"],
        "vision.vqa_files": ["VqaFilesDataModule"],
    },
)
