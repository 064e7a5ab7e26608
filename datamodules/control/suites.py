"""The list of all control tasks: a stable name for each, and the DataModule that makes it.

Nothing is imported here but names, so that listing the tasks costs nothing. `conf/task/SUITE.yaml` holds the same tasks as
stanzas for training.
"""

import pkgutil
import re
from dataclasses import dataclass, field
from typing import Any

from gato_lightning.errors import unknown


@dataclass(frozen=True)
class Task:
    """One control task.

    Args:
        name: stable, as in configs, datasets and logs.
        suite: which list it belongs to, and which overlay in `conf/task`.
        domain: by which weights and scores are grouped; that of the DataModule.
        class_path: of the DataModule.
        init_args: what makes it this task; all else (episodes, noise, seed) is the user's choice.
    """

    name: str
    suite: str
    domain: str
    class_path: str
    init_args: dict[str, Any] = field(default_factory=dict)

    def make(self, **settings: Any) -> Any:
        """The DataModule, with further constructor arguments such as `episodes`; not yet connected to a mixture."""
        return pkgutil.resolve_name(self.class_path)(**self.init_args, **settings)


def find(name: str) -> Task:
    """The task of that name.

    Raises:
        UserError: there is none; with near matches.
    """
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]


def suite(name: str) -> tuple[Task, ...]:
    """The tasks of a suite, in their order.

    Raises:
        UserError: there is no such suite; with near matches.
    """
    if name not in SUITES:
        raise unknown("suite", name, SUITES)
    return SUITES[name]


def _hyphened(name: str) -> str:
    """`GoToObjMazeS4R2` -> `goto-obj-maze-s4r2`."""
    joined = name.replace("GoTo", "Goto").replace("RedBall", "Redball")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", joined).lower()


# Every level that MiniGrid registers, but those that its bot fails on: `datamodules.control.babyai.WITHOUT_EXPERT`.
_BABYAI = """
    GoToRedBallGrey GoToRedBall GoToRedBallNoDists GoToObj GoToObjS4 GoToObjS6-v1 GoToLocal GoToLocalS5N2 GoToLocalS6N2
    GoToLocalS6N3 GoToLocalS6N4 GoToLocalS7N4 GoToLocalS7N5 GoToLocalS8N2 GoToLocalS8N3 GoToLocalS8N4 GoToLocalS8N5
    GoToLocalS8N6 GoToLocalS8N7 GoTo GoToOpen GoToObjMaze GoToObjMazeOpen GoToObjMazeS4R2 GoToObjMazeS4 GoToObjMazeS5
    GoToObjMazeS6 GoToObjMazeS7 GoToImpUnlock GoToSeq GoToSeqS5R2 GoToRedBlueBall GoToDoor GoToObjDoor
    Open OpenRedDoor OpenDoor OpenDoorDebug OpenDoorColor OpenDoorLoc OpenTwoDoors OpenRedBlueDoors OpenRedBlueDoorsDebug
    OpenDoorsOrderN2 OpenDoorsOrderN4
    Pickup UnblockPickup PickupLoc PickupDist PickupDistDebug PickupAbove
    PutNextLocal PutNextLocalS5N3 PutNextLocalS6N4 PutNextS4N1 PutNextS5N2 PutNextS5N1 PutNextS6N3 PutNextS7N4
    Unlock UnlockLocal UnlockLocalDist UnlockPickup UnlockPickupDist BlockedUnlockPickup UnlockToUnlock
    ActionObjDoor FindObjS5 FindObjS6 FindObjS7
    KeyCorridor KeyCorridorS3R1 KeyCorridorS3R2 KeyCorridorS3R3 KeyCorridorS4R3 KeyCorridorS5R3 KeyCorridorS6R3
    OneRoomS8 OneRoomS12 OneRoomS16 OneRoomS20 MoveTwoAcrossS5N2 MoveTwoAcrossS8N9
    Synth SynthS5R2 SynthLoc SynthSeq MiniBossLevel BossLevel BossLevelNoUnlock
""".split()  # noqa: SIM905  (a list would take a line for each)

_METAWORLD = """
    assembly basketball bin-picking box-close button-press-topdown button-press-topdown-wall button-press button-press-wall
    coffee-button coffee-pull coffee-push dial-turn disassemble door-close door-lock door-open door-unlock drawer-close
    drawer-open faucet-close faucet-open hammer hand-insert handle-press-side handle-press handle-pull-side handle-pull
    lever-pull peg-insert-side peg-unplug-side pick-out-of-hole pick-place pick-place-wall plate-slide-back-side
    plate-slide-back plate-slide-side plate-slide push-back push push-wall reach reach-wall shelf-place soccer stick-pull
    stick-push sweep-into sweep window-close window-open
""".split()  # noqa: SIM905  (a list would take a line for each)
_LONG_METAWORLD = {"push-back": 500}  # steps; the others are done in 250

_DM_CONTROL = """
    cartpole-balance cartpole-balance_sparse cartpole-swingup cartpole-swingup_sparse pendulum-swingup point_mass-easy
    reacher-easy reacher-hard cheetah-run finger-spin
""".split()  # noqa: SIM905  (a list would take a line for each)


_ATARI = ("Assault", "Boxing", "Breakout", "Enduro", "Freeway", "Gopher", "Pong", "RoadRunner", "SpaceInvaders")


def _babyai(level: str) -> Task:
    env_id = f"BabyAI-{level}" if "-v" in level else f"BabyAI-{level}-v0"
    name = f"babyai-{_hyphened(level.partition('-v')[0])}"
    return Task(name, "babyai", "babyai", "datamodules.BabyAIDataModule", {"env_id": env_id})


def _metaworld(task: str) -> Task:
    steps = {"max_episode_steps": _LONG_METAWORLD[task]} if task in _LONG_METAWORLD else {}
    where = "datamodules.MetaWorldDataModule"
    return Task(f"metaworld-{task}-v3", "metaworld", "metaworld", where, {"env_id": f"{task}-v3", **steps})


def _classic(name: str, env_id: str) -> Task:
    where = "datamodules.ClassicControlDataModule"
    return Task(name, "classic", "classic-control", where, {"env_id": env_id})


def _toy(name: str, env_id: str) -> Task:
    return Task(name, "classic", "toy-text", "datamodules.ToyTextDataModule", {"env_id": env_id})


def _mujoco(name: str, env_id: str) -> Task:
    return Task(f"mujoco-{name}", "mujoco", "mujoco", "datamodules.MujocoDataModule", {"env_id": env_id})


def _dm_control(name: str) -> Task:
    where = "datamodules.DmControlDataModule"
    return Task(f"dm-control-{name.replace('_', '-')}", "dm_control", "dm-control", where, {"env_id": f"dm_control/{name}-v0"})


def _lander(name: str, **env_kwargs: Any) -> Task:
    arguments = {"env_id": "LunarLander-v3", **({"env_kwargs": env_kwargs} if env_kwargs else {})}
    return Task(name, "classic", "box2d", "datamodules.Box2DDataModule", arguments)


def _atari(game: str) -> Task:
    return Task(f"atari-{_hyphened(game)}", "atari", "atari", "datamodules.AtariDataModule", {"game": game})


SUITES: dict[str, tuple[Task, ...]] = {
    "babyai": tuple(map(_babyai, _BABYAI)),
    "metaworld": tuple(map(_metaworld, _METAWORLD)),
    "classic": (
        _classic("cartpole", "CartPole-v1"),
        _classic("acrobot", "Acrobot-v1"),
        _classic("mountaincar", "MountainCar-v0"),
        _classic("mountaincar-continuous", "MountainCarContinuous-v0"),
        _classic("pendulum", "Pendulum-v1"),
        _lander("lunarlander"),
        _lander("lunarlander-continuous", continuous=True),
        _toy("taxi", "Taxi-v4"),
        _toy("frozenlake", "FrozenLake-v1"),
        _toy("frozenlake-8x8", "FrozenLake8x8-v1"),
        _toy("cliffwalking", "CliffWalking-v1"),
        _toy("blackjack", "Blackjack-v1"),
    ),
    "atari": tuple(map(_atari, _ATARI)),
    "mujoco": (
        _mujoco("inverted-pendulum", "InvertedPendulum-v5"),
        _mujoco("inverted-double-pendulum", "InvertedDoublePendulum-v5"),
        _mujoco("reacher", "Reacher-v5"),
        _mujoco("pusher", "Pusher-v5"),
        _mujoco("swimmer", "Swimmer-v5"),
        _mujoco("halfcheetah", "HalfCheetah-v5"),
        _mujoco("hopper", "Hopper-v5"),
        _mujoco("walker2d", "Walker2d-v5"),
        _mujoco("ant", "Ant-v5"),
    ),
    "dm_control": tuple(map(_dm_control, _DM_CONTROL)),
}
TASKS: dict[str, Task] = {task.name: task for tasks in SUITES.values() for task in tasks}
