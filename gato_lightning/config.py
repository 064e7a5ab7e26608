"""The model's settings. The paper's three sizes are in `conf/model/`."""

from dataclasses import dataclass, field
from typing import Literal

from gato_lightning.vocabulary import Vocabulary


@dataclass(frozen=True)
class GatoConfig:
    """Sizes and choices of the model (Gato, table 5 and appendix C).

    Args:
        width: model width, D.
        depth: number of blocks.
        heads: attention heads.
        head_size: width of a head's keys, queries and values; even.
        feedforward: width of the feed-forward layer before GEGLU halves it.
        context_length: most slots of a sequence, in training and acting.
        positions: how attention knows the order of slots: `rotary`, `learned` or `none`; unstated in the paper.
        drop_path: stochastic depth of each sub-layer (Gato, appendix C: 0.1).
        dropout: dropout of each sub-layer; the paper has it in fine-tuning only.
        patch_channels: channels of the patch encoder's ResNet block, a multiple of 32.
        patch_stride: stride of the patch encoder's stem; 1 is full resolution.
        local_position_on_patches: whether patches get local positions too.
        smooth_tables: begin with near bins of continuous values, and near patch positions, alike; unstated in the paper.
        recompute: compute what happens inside a block anew in the backward pass instead of keeping it; less memory, more time.
        compile: have `torch.compile` make kernels of the blocks while training; needs a C++ compiler on a CPU.
        vocabulary: the id ranges.
    """

    width: int = 192
    depth: int = 4
    heads: int = 6
    head_size: int = 32
    feedforward: int = 768
    context_length: int = 256
    positions: Literal["rotary", "learned", "none"] = "rotary"
    drop_path: float = 0.1
    dropout: float = 0.0
    patch_channels: int = 64
    patch_stride: int = 1
    local_position_on_patches: bool = False
    smooth_tables: bool = True
    recompute: bool = False
    compile: bool = False
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
