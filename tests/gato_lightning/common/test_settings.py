"""Every number among the settings has a range, and what is outside it is refused where it is given, by name."""

import importlib
import inspect
import math
import pickle
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from lightning import LightningDataModule, LightningModule
from lightning.pytorch.callbacks import Callback

import callbacks
import datamodules
import gato_lightning
from datamodules.collecting.collect_command import collect
from datamodules.mixture import MixtureDataModule
from gato_lightning.acting.sampling import DecodingSettings
from gato_lightning.common.settings import NonNegativeFloat, PositiveInt, Range, Share, annotations, check_settings
from gato_lightning.errors import UserError
from gato_lightning.model.config import GatoConfig
from gato_lightning.training.optimizer import OptimizerConfig
from gato_lightning.training.trainer import GatoTrainer


def named_by_configs() -> list[Callable[..., Any]]:
    """What a config or a command can name: model, data, tasks, callbacks, functions, and dataclasses among their settings."""
    found: dict[Callable[..., Any], None] = {GatoTrainer.rollout: None, collect: None}
    for package in (gato_lightning, datamodules, callbacks):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for name, one in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
                ours = one.__module__ == module.name and not name.startswith("_")
                if ours and issubclass(one, LightningModule | LightningDataModule | Callback) and not inspect.isabstract(one):
                    found[one] = None
    for maker in found.copy():
        found |= dict.fromkeys(dataclasses_in(*annotations(maker).values()))
    return list(found)


def dataclasses_in(*hints: Any) -> Iterator[type]:
    for hint in hints:
        if isinstance(hint, type) and is_dataclass(hint):
            yield hint
            yield from dataclasses_in(*annotations(hint).values())
        yield from dataclasses_in(*get_args(hint))


MAKERS = named_by_configs()


def unchecked(hint: Any) -> bool:
    """Whether an annotation holds a number without a range."""
    if get_origin(hint) is Annotated:
        return not any(isinstance(one, Range) for one in hint.__metadata__)
    if get_origin(hint) is Literal:
        return False
    return hint in (int, float, complex) or any(map(unchecked, get_args(hint)))


def outside(hint: Any) -> list[Any]:
    """Values that an annotation does not allow."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        [limits] = [one for one in hint.__metadata__ if isinstance(one, Range)]
        beyond = [limits.least - 1, limits.above, limits.most + 1, limits.below, limits.least + limits.multiple_of / 2]
        if parts[0] is int:
            return [*(int(one) for one in beyond[:4] if math.isfinite(one)), 1.5, math.nan, True, "3"]
        return [*(one for one in beyond[:4] if math.isfinite(one)), math.nan, math.inf, -math.inf, "3"]
    if origin is Literal:
        return ["something else", -7]
    if origin in (Union, UnionType):
        numbers = [part for part in parts if part is not NoneType]
        return outside(numbers[0]) if len(numbers) == 1 else []
    if origin is tuple and parts:
        first = [[value, *(inside(part) for part in parts[1:])] for value in outside(parts[0])]
        return [tuple(one) for one in first]
    if origin is dict:
        return [{"a": value} for value in outside(parts[1])]
    if origin is list:
        return [[value] for value in outside(parts[0])]
    return []


def inside(hint: Any) -> Any:
    """A value that an annotation of a number allows."""
    [limits] = [one for one in hint.__metadata__ if isinstance(one, Range)]
    candidates = (0, 1, 0.5, limits.least, limits.most)
    return next(one for one in candidates if one in limits and math.isfinite(one))


def settings(maker: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of what can be given to a class or function; what it hands on to a base, too."""
    taken = inspect.signature(maker).parameters
    hands_on = any(one.kind is one.VAR_KEYWORD for one in taken.values())
    return {name: hint for name, hint in annotations(maker).items() if name in taken or hands_on}


CASES = [
    pytest.param(maker, name, value, id=f"{maker.__name__}.{name}={value}")
    for maker in MAKERS
    for name, hint in settings(maker).items()
    for value in outside(hint)
]


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_every_number_has_a_range(maker):
    wrong = {name: hint for name, hint in settings(maker).items() if unchecked(hint)}
    assert not wrong, f"{maker.__name__}: a number without a range, see gato_lightning/common/settings.py"


@pytest.mark.parametrize(("maker", "name", "value"), CASES)
def test_what_is_outside_its_range_is_refused_by_name(maker, name, value):
    hints = settings(maker)
    required = {
        key: get_args(hints[key])[0] if get_origin(hints.get(key)) is Literal else "x"
        for key, one in inspect.signature(maker).parameters.items()
        if one.default is one.empty and one.kind is not one.VAR_KEYWORD and one.kind is not one.VAR_POSITIONAL
    }
    with pytest.raises(UserError, match=rf"^\w+\.{name}[\w.\[\]]*: .*, expected ") as error:
        maker(**{**required, name: value})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_defaults_are_in_their_ranges(maker):
    defaults = {name: one.default for name, one in inspect.signature(maker).parameters.items() if one.default is not one.empty}
    check_settings(defaults, maker)


def test_all_kinds_of_classes_are_found():
    names = {maker.__name__ for maker in MAKERS}
    assert names >= {
        *("GatoModule", "GatoConfig", "OptimizerConfig", "MixtureDataModule", "TaskSpec", "PromptSettings", "ActingSettings"),
        *("BabyAIDataModule", "MinariDataModule", "VqaFilesDataModule", "ImageSettings", "RolloutEvaluation", "TextSamples"),
        *("rollout", "collect"),
    }
    assert len(CASES) > 500


def test_a_new_class_with_an_unchecked_number_is_found():
    assert unchecked(int | None)
    assert unchecked(dict[str, tuple[float, ...]])
    assert unchecked(Annotated[int, "a word"])
    assert not unchecked(PositiveInt | None)
    assert not unchecked(dict[str, Share])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GatoConfig(head_size=31), "GatoConfig.head_size: 31, expected a whole number, 2 or more and a multiple of 2"),
        (lambda: GatoConfig(patch_channels=33), "GatoConfig.patch_channels: 33, expected .* a multiple of 32"),
        (lambda: GatoConfig(patch_stride=3), "GatoConfig.patch_stride: 3, expected 1 or 2 or 4 or 8"),
        (lambda: GatoConfig(feedforward=101), "GatoConfig.feedforward: 101, expected .* a multiple of 2"),
        (lambda: GatoConfig(positions="sine"), "GatoConfig.positions: 'sine', expected 'rotary' or 'learned' or 'none'"),
        (lambda: OptimizerConfig(learning_rate=0.0), "OptimizerConfig.learning_rate: 0.0, expected a number, above 0"),
        (
            lambda: OptimizerConfig(betas=(0.9, 1.0)),
            r"OptimizerConfig.betas\[1\]: 1.0, expected a number, 0 or more and below 1",
        ),
        (
            lambda: OptimizerConfig(1e-4, warmup_from=1e-3),
            "warmup_from: 0.001, expected at most learning_rate, which is 0.0001",
        ),
        (lambda: DecodingSettings(temperature=0.5, beams=2), "beams is 2 and temperature 0.5"),
        (lambda: MixtureDataModule({}, domain_weights={"a": 1.0, "b": -1}), "MixtureDataModule.domain_weights.b: -1, expected"),
    ],
)
def test_messages_say_where_what_and_what_was_expected(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_arguments_that_are_handed_on_to_a_base_are_checked_in_a_subclass_of_ones_own():
    class Base:
        def __init__(self, noise: NonNegativeFloat = 0.0) -> None: ...

    class Own(Base):
        def __init__(self, steps: PositiveInt = 1, **kwargs: Any) -> None: ...

    with pytest.raises(UserError, match=r"Own\.noise: -1"):
        check_settings({"noise": -1, "steps": 1, "unknown": object()}, Own)
    check_settings({"noise": 1, "steps": 2}, Own)


def test_settings_stay_plain_values():
    """They go into checkpoints, which are read weights-only."""
    config = GatoConfig(width=64)
    assert pickle.loads(pickle.dumps(config)) == config
    plain = {type(value) for value in asdict(config).values()} | {type(value) for value in asdict(OptimizerConfig()).values()}
    assert plain <= {int, float, bool, str, dict, tuple}
