"""Settings of the model outside their ranges are refused where they are made."""

import pytest

from gato_lightning.errors import UserError
from gato_lightning.model.config import GatoConfig


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("width", 0),
        ("head_size", 31),
        ("feedforward", 7),
        ("context_length", 1),
        ("positions", "absolute"),
        ("drop_path", 1.0),
        ("dropout", -0.1),
        ("patch_channels", 33),
        ("patch_stride", 3),
    ],
)
def test_a_value_out_of_range_is_named(setting, value):
    with pytest.raises(UserError, match=setting):
        GatoConfig(**{setting: value})


def test_a_config_is_a_value():
    assert GatoConfig(width=64) == GatoConfig(width=64)
    with pytest.raises(AttributeError):
        GatoConfig().width = 3  # type: ignore[misc]
