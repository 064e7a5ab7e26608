"""The patch encoder: its parts, and what it sees."""

import torch
from torch import nn

from gato_lightning.model.patch_encoder import PatchEncoder


def test_patch_encoder_has_gelu_in_every_place_and_32_groups():
    modules = list(PatchEncoder(64).modules())
    activations = [module for module in modules if isinstance(module, nn.ReLU | nn.GELU | nn.SiLU)]
    assert activations
    assert all(isinstance(module, nn.GELU) for module in activations)
    norms = [module for module in modules if isinstance(module, nn.GroupNorm)]
    assert len(norms) == 3
    assert {module.num_groups for module in norms} == {32}


def test_patch_encoder_sees_each_patch_alone_and_its_brightness():
    encoder = PatchEncoder(64, 32).eval()
    patches = torch.randint(0, 256, (4, 16, 16, 3), dtype=torch.uint8)
    torch.testing.assert_close(encoder(patches)[2:3], encoder(patches[2:3]), rtol=1e-4, atol=1e-5)
    flat = torch.stack([torch.full((16, 16, 3), value, dtype=torch.uint8) for value in (30, 220)])
    assert not torch.allclose(*encoder(flat))
