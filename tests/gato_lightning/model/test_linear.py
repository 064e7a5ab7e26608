"""A matrix product whose weight lies as (in, out)."""

import torch

from gato_lightning.model.linear import Linear


def test_it_is_torchs_with_the_weight_turned():
    layer, torchs = Linear(5, 3), torch.nn.Linear(5, 3, bias=False)
    with torch.no_grad():
        torchs.weight.copy_(layer.weight.normal_().T)
    x = torch.randn(2, 4, 5)
    torch.testing.assert_close(layer(x), torchs(x))
    assert layer(x).shape == (2, 4, 3)
