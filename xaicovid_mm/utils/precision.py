"""Where numbers of half precision become float32 again."""

import torch
from torch import Tensor


def at_least_float(values: Tensor) -> Tensor:
    """Return half-precision values as float32, and any others as they are."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
