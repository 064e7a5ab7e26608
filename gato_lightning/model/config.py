"""The model's settings. The paper's three sizes are in `conf/model/`."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from gato_lightning.common.settings import PositiveInt, Range, ShareBelowOne, check_settings
from gato_lightning.tokens.vocabulary import Vocabulary


@dataclass(frozen=True)
class GatoConfig:
    """Sizes and choices of the model (Gato, table 5 and appendix C).

    Args:
        width: model width, D; 1 or more.
        depth: number of blocks; 1 or more.
        heads: attention heads; 1 or more.
        head_size: width of a head's keys, queries and values; even.
        feedforward: width of the feed-forward layer before GEGLU halves it; even.
        context_length: most slots of a sequence, in training and acting; 2 or more.
        positions: how attention knows the order of slots: `rotary`, `learned` or `none`; unstated in the paper.
        drop_path: stochastic depth of each sub-layer, in [0, 1) (Gato, appendix C: 0.1).
        dropout: dropout of each sub-layer, in [0, 1); the paper has it in fine-tuning only.
        patch_channels: channels of the patch encoder's ResNet block, a multiple of 32.
        patch_stride: stride of the patch encoder's stem, 1, 2, 4 or 8; 1 is full resolution.
        local_position_on_patches: whether patches get local positions too.
        smooth_tables: begin with near bins of continuous values, and near patch positions, alike; unstated in the paper.
        recompute: compute what happens inside a block anew in the backward pass instead of keeping it; less memory, more time.
        compile: have `torch.compile` make kernels of the blocks while training; needs a C++ compiler on a CPU.
        vocabulary: the id ranges.
    """

    width: PositiveInt = 192
    depth: PositiveInt = 4
    heads: PositiveInt = 6
    head_size: Annotated[int, Range(least=2, multiple_of=2)] = 32
    feedforward: Annotated[int, Range(least=2, multiple_of=2)] = 768
    context_length: Annotated[int, Range(least=2)] = 256
    positions: Literal["rotary", "learned", "none"] = "rotary"
    drop_path: ShareBelowOne = 0.1
    dropout: ShareBelowOne = 0.0
    patch_channels: Annotated[int, Range(least=32, multiple_of=32)] = 64
    patch_stride: Literal[1, 2, 4, 8] = 1
    local_position_on_patches: bool = False
    smooth_tables: bool = True
    recompute: bool = False
    compile: bool = False
    vocabulary: Vocabulary = field(default_factory=Vocabulary)

    def __post_init__(self) -> None:
        check_settings(vars(self), type(self))
