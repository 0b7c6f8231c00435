"""Measure the peak memory of training steps in a fresh process."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from benchmark_utils.peak_memory import peak_mib
from benchmark_utils.step_timing import ToolkitStep
from mmengine import Config


def peak_memory(cfg: Config) -> dict[str, float]:
    """Take two training steps of ``cfg`` in a fresh process and measure its memory.

    On Linux a process inherits the peak of the process that started it, so call this early.

    Returns:
        MiB ``before`` the steps and at the ``peak``, and the number of ``slices`` of a step.
    """
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        return pool.submit(_two_steps, cfg.to_dict()).result()


def _two_steps(cfg: dict) -> dict[str, float]:
    step = ToolkitStep(Config(cfg))
    before = peak_mib()
    for _ in range(2):
        step.step(step.draw())
    return dict(before=before, peak=peak_mib(), slices=cfg['train_dataloader']['batch_size'])
