"""The base of grid worlds."""

import numpy as np

from datamodules.control.babyai import BabyAIDataModule


def make(level: str, **settings: object) -> BabyAIDataModule:
    return BabyAIDataModule(f"BabyAI-{level}-v0", **settings)  # type: ignore[arg-type]


def test_noise_only_moves():
    module = make("PickupLoc", noise=1.0)
    rng = np.random.default_rng(0)
    assert {module.perturb(3, rng) for _ in range(50)} == {0, 1, 2}
    assert make("PickupLoc", noise=0.0).perturb(3, rng) == 3
