"""Peak memory of training steps in a process of their own."""

import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from mmengine import Config
from step_timing import ToolkitStep


def peak_memory(cfg: Config) -> dict[str, float]:
    """Peak MiB of a fresh process that takes two steps of ``cfg``, and what it held before them.

    Linux hands a process the peak of the one that started it: call this before anything big.
    """
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        return pool.submit(_two_steps, cfg.to_dict()).result()


def _two_steps(cfg: dict) -> dict[str, float]:
    step = ToolkitStep(Config(cfg))
    before = _peak_mib()
    for _ in range(2):
        step.step(step.draw())
    return dict(before=before, peak=_peak_mib(), slices=cfg['train_dataloader']['batch_size'])


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 if sys.platform != 'darwin' else 1024**2)
