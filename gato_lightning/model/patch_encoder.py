"""Image patches as vectors: one pre-activation ResNet block per patch (Gato, section 2.2 and appendix C.2).

P distinct patches, C channels, D width
"""

from functools import partial

import torch
from timm.layers import GroupNormAct, create_conv2d
from timm.models.resnetv2 import PreActBasic
from torch import Tensor, nn

from gato_lightning.model.padding import pad_rows
from gato_lightning.tokens.patches import PATCH

GROUPS = 32  # Gato, appendix C.2: GroupNorm with 32 groups


class PatchEncoder(nn.Module):
    """A stem, a ResNet v2 block with GroupNorm(32) and GELU, and a projection to the model's width.

    32 groups cannot act on 3 channels, so a stem convolution comes first. timm's block ignores `act_layer`: its activations are
    those of its norm layers, which therefore carry the GELU.

    Args:
        width: model width.
        channels: channels of the block, a multiple of 32.
        stride: stride of the stem, 1, 2, 4 or 8. 1 is the paper's full resolution; the others cost that much squared less.
    """

    def __init__(self, width: int, channels: int = 64, stride: int = 1) -> None:
        super().__init__()
        norm = partial(GroupNormAct, num_groups=GROUPS, act_layer=nn.GELU)
        side = PATCH // stride
        # 3x3 kernels that overlap, or, from stride 4 on, kernels that tile the patch.
        kernel, padding = (3, 1) if stride <= 2 else (stride, 0)
        self.stem = create_conv2d(3, channels, kernel, stride=stride, padding=padding, bias=True)
        self.block = PreActBasic(channels, channels, norm_layer=norm, conv_layer=create_conv2d)
        self.norm = norm(channels)
        self.project = nn.Linear(channels * side * side, width)

    def forward(self, patches: Tensor) -> Tensor:
        """Encodes patches, each on its own.

        Args:
            patches: (P, 16, 16, 3) uint8.

        Returns:
            (P, D) in the projection's dtype.
        """
        pixels = pad_rows(patches).permute(0, 3, 1, 2).to(self.project.weight.dtype)  # (P, 3, 16, 16)
        pixels = (pixels / 127.5 - 1.0) / PATCH**0.5  # [-1, 1], then divided by 4; Gato, section 2.1
        # On a CPU, small convolutions and group norms take longer in bf16 than in fp32, the backward pass above all.
        device = pixels.device.type
        with torch.autocast(device, enabled=device != "cpu" and torch.is_autocast_enabled(device)):
            features = self.norm(self.block(self.stem(pixels)))  # (P, C, 16/stride, 16/stride)
        return self.project(features.flatten(1))[: len(patches)]
