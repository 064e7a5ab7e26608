"""The list of all control tasks: a stable name for each, the DataModule that makes it, and how it is trained on.

Nothing is imported here but names, so that listing the tasks costs nothing. `data.suites` in a config puts a whole suite into a
mixture, as `conf/task/SUITE.yaml` does.
"""

import pkgutil
import re
from dataclasses import dataclass, field
from typing import Any

from gato_lightning.cli.config_files import merge
from gato_lightning.errors import UserError, unknown


@dataclass(frozen=True)
class Task:
    """One control task.

    Args:
        name: stable, as in configs, datasets and logs.
        suite: which list it belongs to.
        domain: by which weights and scores are grouped; that of the DataModule.
        class_path: of the DataModule.
        init_args: what makes it this task.
        training: further arguments for training on it, such as `episodes` and `noise`; the user may choose others.
    """

    name: str
    suite: str
    domain: str
    class_path: str
    init_args: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

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


_SUITE_KEYS = ("weight", "init_args", "leave_out")


def expand(data: dict[str, Any]) -> dict[str, Any]:
    """The `data` of a config with its `suites` written out as `tasks`.

    `suites: {NAME: {weight: W, init_args: {...}, leave_out: [TASK, ...]}}` gives each task of the suite the weight W (1 by
    default), and the arguments in place of its own for training; the tasks in `leave_out` are not taken. What the config says
    of a task under `tasks` is laid over that.

    Raises:
        UserError: an unknown suite, a suite's settings that are none, or a task to leave out that the suite does not have.
    """
    chosen = data.get("suites") or {}
    if not isinstance(chosen, dict):
        raise UserError(f"data.suites: {chosen}, expected settings by suite, as {{babyai: {{weight: 1}}}}")
    tasks: dict[str, Any] = {}
    for name, settings in chosen.items():
        settings = settings or {}
        for key in settings:
            if key not in _SUITE_KEYS:
                raise UserError(f"data.suites.{name}: {unknown('key', key, _SUITE_KEYS)}")
        left_out = settings.get("leave_out", [])
        for one in left_out:
            if one not in {task.name for task in suite(name)}:
                raise UserError(f"data.suites.{name}.leave_out: {unknown('task', one, [task.name for task in suite(name)])}")
        for task in suite(name):
            if task.name in left_out:
                continue
            arguments = {**task.init_args, **task.training, **settings.get("init_args", {})}
            datamodule = {"class_path": task.class_path, "init_args": arguments}
            tasks[task.name] = {"weight": settings.get("weight", 1), "datamodule": datamodule}
    own = data.get("tasks") or {}
    return {**{key: value for key, value in data.items() if key != "suites"}, "tasks": merge(tasks, own)}


# Experts' episodes are kept whatever they score, as noise makes some fail that show how to go on.
_NOISY = {"noise": 0.2, "min_score": None}
_LINEAR = {"episodes": 40, "reference_episodes": 50, "noise": 0.1, "min_score": 0.5}  # robots, whose experts are linear


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

# Every level that MiniGrid registers, in its latest version, but the playground, which has no mission, and the mazes by wave
# function collapse, which need further packages.
_MINIGRID = """
    Empty-5x5 Empty-Random-5x5 Empty-6x6 Empty-Random-6x6 Empty-8x8 Empty-16x16 DoorKey-5x5 DoorKey-6x6 DoorKey-8x8
    DoorKey-16x16 MultiRoom-N2-S4 MultiRoom-N4-S5-v1 MultiRoom-N6 FourRooms LockedRoom KeyCorridorS3R1 KeyCorridorS3R2
    KeyCorridorS3R3 KeyCorridorS4R3 KeyCorridorS5R3 KeyCorridorS6R3 LavaCrossingS9N1 LavaCrossingS9N2 LavaCrossingS9N3
    LavaCrossingS11N5 SimpleCrossingS9N1 SimpleCrossingS9N2 SimpleCrossingS9N3 SimpleCrossingS11N5 LavaGapS5 LavaGapS6
    LavaGapS7 DistShift1 DistShift2 Unlock UnlockPickup BlockedUnlockPickup RedBlueDoors-6x6 RedBlueDoors-8x8 Fetch-5x5-N2
    Fetch-6x6-N2 Fetch-8x8-N3 GoToDoor-5x5 GoToDoor-6x6 GoToDoor-8x8 GoToObject-6x6-N2 GoToObject-8x8-N2 PutNear-6x6-N2
    PutNear-8x8-N3 MemoryS7 MemoryS9 MemoryS11 MemoryS13 MemoryS13Random MemoryS17Random Dynamic-Obstacles-5x5
    Dynamic-Obstacles-Random-5x5 Dynamic-Obstacles-6x6 Dynamic-Obstacles-Random-6x6 Dynamic-Obstacles-8x8
    Dynamic-Obstacles-16x16 ObstructedMaze-1Dl ObstructedMaze-1Dlh ObstructedMaze-1Dlhb ObstructedMaze-2Dl
    ObstructedMaze-2Dlh ObstructedMaze-2Dlhb-v1 ObstructedMaze-1Q-v1 ObstructedMaze-2Q-v1 ObstructedMaze-Full-v1
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
    reacher-easy reacher-hard cheetah-run finger-spin ball_in_cup-catch walker-stand walker-walk
""".split()  # noqa: SIM905  (a list would take a line for each)


_ATARI = ("Assault", "Boxing", "Breakout", "Enduro", "Freeway", "Gopher", "Pong", "RoadRunner", "SpaceInvaders")


_BOARD = ("tictactoe", "connect-four", "four-in-a-row-5x5", "breakthrough-5x5", "hex-5x5", "clobber-4x4", "nim", "nim-misere")


def _babyai(level: str) -> Task:
    env_id = f"BabyAI-{level}" if "-v" in level else f"BabyAI-{level}-v0"
    name = f"babyai-{_hyphened(level.partition('-v')[0])}"
    return Task(name, "babyai", "babyai", "datamodules.BabyAIDataModule", {"env_id": env_id}, {"episodes": 200, **_NOISY})


def _minigrid(level: str) -> Task:
    env_id = f"MiniGrid-{level}" if "-v" in level else f"MiniGrid-{level}-v0"
    name = re.sub(r"(?<=[a-z0-9])(?=S\d|Random)", "-", level.partition("-v")[0]).lower()  # MemoryS17Random -> memory-s17-random
    where, training = "datamodules.MiniGridDataModule", {"episodes": 200, **_NOISY, "tile_size": 8}
    if level.startswith("Memory"):
        training["timesteps"] = 16  # of which the first show what to look for
    return Task(f"minigrid-{name}", "minigrid", "minigrid", where, {"env_id": env_id}, training)


def _board(game: str) -> Task:
    where, training = "datamodules.BoardGameDataModule", {"episodes": 1000, **_NOISY}
    return Task(f"board-{game}", "board", "board", where, {"game": game}, training)


def _metaworld(task: str) -> Task:
    steps = {"max_episode_steps": _LONG_METAWORLD[task]} if task in _LONG_METAWORLD else {}
    where = "datamodules.MetaWorldDataModule"
    training = {"episodes": 100, **_NOISY, "finest_action": 0.125}
    return Task(f"metaworld-{task}-v3", "metaworld", "metaworld", where, {"env_id": f"{task}-v3", **steps}, training)


def _classic(name: str, env_id: str, **training: Any) -> Task:
    where = "datamodules.ClassicControlDataModule"
    return Task(name, "classic", "classic-control", where, {"env_id": env_id}, {"episodes": 100, "noise": 0.1, **training})


def _toy(name: str, env_id: str, **training: Any) -> Task:
    return Task(name, "classic", "toy-text", "datamodules.ToyTextDataModule", {"env_id": env_id}, {**_NOISY, **training})


def _mujoco(name: str, env_id: str, **training: Any) -> Task:
    where = "datamodules.MujocoDataModule"
    return Task(f"mujoco-{name}", "mujoco", "mujoco", where, {"env_id": env_id}, {**_LINEAR, **training})


def _dm_control(name: str) -> Task:
    where, env_id = "datamodules.DmControlDataModule", f"dm_control/{name}-v0"
    return Task(f"dm-control-{name.replace('_', '-')}", "dm_control", "dm-control", where, {"env_id": env_id}, _LINEAR)


def _lander(name: str, **env_kwargs: Any) -> Task:
    arguments = {"env_id": "LunarLander-v3", **({"env_kwargs": env_kwargs} if env_kwargs else {})}
    training = {"episodes": 300, "noise": 0.4, "min_score": None}
    return Task(name, "classic", "box2d", "datamodules.Box2DDataModule", arguments, training)


def _atari(game: str) -> Task:
    training = {"episodes": 20, "timesteps": 4, "min_score": None}
    return Task(f"atari-{_hyphened(game)}", "atari", "atari", "datamodules.AtariDataModule", {"game": game}, training)


def _fetch(name: str, env_id: str, **training: Any) -> Task:
    where = "datamodules.RoboticsDataModule"
    return Task(f"fetch-{name}", "robotics", "robotics", where, {"env_id": env_id}, {"episodes": 300, **_NOISY, **training})


def _point_maze(maze: str) -> Task:
    where, training = "datamodules.RoboticsDataModule", {"episodes": 300, "noise": 0.3, "min_score": None}
    return Task(f"pointmaze-{maze.lower()}", "robotics", "robotics", where, {"env_id": f"PointMaze_{maze}-v3"}, training)


def _ogbench(env_id: str, name: str = "", **init_args: Any) -> Task:
    name = name or env_id.removesuffix("-v0")
    arguments, training = {"env_id": env_id, **init_args}, {"episodes": 200, "reference_episodes": 50, **_NOISY}
    return Task(f"ogbench-{name}", "ogbench", "ogbench", "datamodules.OGBenchDataModule", arguments, training)


def _combinatorial(problem: str, size: int, episodes: int) -> Task:
    where, arguments = "datamodules.CombinatorialDataModule", {"problem": problem, "size": size}
    return Task(f"{problem}-{size}", "combinatorial", "combinatorial", where, arguments, {"episodes": episodes, **_NOISY})


def _textworld(name: str, game: str, **options: Any) -> Task:
    where = "datamodules.TextWorldDataModule"
    return Task(f"textworld-{name}", "textgames", "textgames", where, {"game": game, "options": options}, _NOISY)


def _driving(name: str, env_id: str, **config: Any) -> Task:
    arguments = {"env_id": env_id, **({"config": config} if config else {})}
    return Task(
        f"driving-{name}", "driving", "driving", "datamodules.HighwayDataModule", arguments, {"episodes": 200, **_NOISY}
    )


SUITES: dict[str, tuple[Task, ...]] = {
    "babyai": tuple(map(_babyai, _BABYAI)),
    "minigrid": tuple(map(_minigrid, _MINIGRID)),
    "board": tuple(map(_board, _BOARD)),
    "metaworld": tuple(map(_metaworld, _METAWORLD)),
    "classic": (
        _classic("cartpole", "CartPole-v1", noise=0.2),
        _classic("acrobot", "Acrobot-v1"),
        _classic("mountaincar", "MountainCar-v0"),
        _classic("mountaincar-continuous", "MountainCarContinuous-v0"),
        _classic("pendulum", "Pendulum-v1", episodes=300, noise=1.5, min_score=None),
        _lander("lunarlander"),
        _lander("lunarlander-continuous", continuous=True),
        _toy("taxi", "Taxi-v4", episodes=1000),
        _toy("frozenlake", "FrozenLake-v1", episodes=200),
        _toy("frozenlake-8x8", "FrozenLake8x8-v1", episodes=200),
        _toy("cliffwalking", "CliffWalking-v1", episodes=100, noise=0.1),
        _toy("blackjack", "Blackjack-v1", episodes=1000, noise=0.0),
    ),
    "atari": tuple(map(_atari, _ATARI)),
    "mujoco": (
        _mujoco("inverted-pendulum", "InvertedPendulum-v5"),
        _mujoco("inverted-double-pendulum", "InvertedDoublePendulum-v5"),
        _mujoco("reacher", "Reacher-v5", episodes=200, reference_episodes=200),
        _mujoco("pusher", "Pusher-v5", episodes=200, reference_episodes=200),
        _mujoco("swimmer", "Swimmer-v5"),
        _mujoco("halfcheetah", "HalfCheetah-v5"),
        _mujoco("hopper", "Hopper-v5"),
        _mujoco("walker2d", "Walker2d-v5"),
        _mujoco("ant", "Ant-v5"),
    ),
    "dm_control": tuple(map(_dm_control, _DM_CONTROL)),
    "robotics": (
        _fetch("reach", "FetchReach-v4"),
        _fetch("push", "FetchPush-v4"),
        _fetch("pick-and-place", "FetchPickAndPlace-v4"),
        _fetch("slide", "FetchSlide-v4", noise=0.0),
        *map(_point_maze, ("Open", "UMaze", "Medium", "Large")),
    ),
    "ogbench": (
        _ogbench("cube-single-v0"),
        _ogbench("cube-double-v0"),
        _ogbench("puzzle-3x3-v0"),
        _ogbench("puzzle-4x4-v0"),
        _ogbench("scene-v0", "scene-open", task_id=1),
        _ogbench("scene-v0", "scene-unlock-and-lock", task_id=2),
        _ogbench("scene-v0", "scene-rearrange", task_id=3),
        _ogbench("scene-v0", "scene-put-in-drawer", task_id=4),
        *map(_ogbench, ("pointmaze-medium-v0", "pointmaze-large-v0", "pointmaze-giant-v0", "pointmaze-teleport-v0")),
    ),
    "combinatorial": (
        _combinatorial("tsp", 10, episodes=500),
        _combinatorial("tsp", 20, episodes=500),
        _combinatorial("tsp", 50, episodes=200),
        _combinatorial("cvrp", 10, episodes=500),
        _combinatorial("cvrp", 20, episodes=500),
        _combinatorial("knapsack", 20, episodes=1000),
        _combinatorial("knapsack", 50, episodes=500),
        _combinatorial("binpacking", 20, episodes=1000),
        _combinatorial("binpacking", 50, episodes=500),
    ),
    "textgames": (
        _textworld("coin-5", "coin", level=5),
        _textworld("coin-10", "coin", level=10),
        _textworld("coin-105", "coin", level=105),
        _textworld("treasure-3", "treasure", level=3),
        _textworld("treasure-9", "treasure", level=9),
        _textworld("treasure-13", "treasure", level=13),
        _textworld("cooking-1", "cooking", recipe=1, take=1),
        _textworld("cooking-2", "cooking", recipe=2, take=2),
        _textworld("cooking-1-cut", "cooking", recipe=1, take=1, cook=True, cut=True),
        _textworld("simple-dense", "simple", rewards="dense", goal="detailed"),
        _textworld("simple-sparse", "simple", rewards="sparse", goal="detailed"),
        _textworld("quest-3", "quest", nb_rooms=3, nb_objects=5, quest_length=3),
        _textworld("quest-5", "quest", nb_rooms=5, nb_objects=8, quest_length=5),
    ),
    "driving": (
        _driving("highway", "highway-fast-v0"),
        _driving("highway-two-lanes", "highway-fast-v0", lanes_count=2, vehicles_count=12),
        _driving("highway-dense", "highway-fast-v0", vehicles_density=1.5),
        _driving("merge", "merge-v1"),
        _driving("roundabout", "roundabout-v1"),
        _driving("u-turn", "u-turn-v1"),
        _driving("racetrack", "racetrack-v1"),
        _driving("racetrack-oval", "racetrack-oval-v1"),
        _driving("racetrack-large", "racetrack-large-v1"),
    ),
}
TASKS: dict[str, Task] = {task.name: task for tasks in SUITES.values() for task in tasks}
