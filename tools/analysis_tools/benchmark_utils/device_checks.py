"""Is training on this device what it is on the CPU, to the tolerances stated here?"""

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from benchmark_utils.label_accuracy import unlabelled_slices
from mmengine import Config
from torch import Tensor

from xaicovid_mm.apis import init_model
from xaicovid_mm.engine.checkpoint import read_checkpoint
from xaicovid_mm.engine.mixed_precision import BFloat16OptimWrapper
from xaicovid_mm.models import MultiTaskModel
from xaicovid_mm.registry import TASK_UTILS
from xaicovid_mm.structures import CTSample

TOLERANCES = dict(logits=1e-3, prob=1e-3, losses=1e-3, saliency=2e-2, label=1e-2)
"""Largest difference to the CPU, in float32 without TF32; of losses relative to the loss. Maps are
scaled by their own range, which widens what rounding did."""
MIN_COSINE = 0.9
"""Least cosine of the gradient in bfloat16 with that in float32; 0.91 was measured with instance
norm on a CPU."""
SLICES = 8
TOOLS = Path(__file__).resolve().parents[2]


def equal_to_cpu(cfg: Config, device: str) -> dict[str, Any]:
    """Compare forward pass, losses, saliency and pseudo label of a network with the CPU's.

    Args:
        cfg: A semi-supervised config with a store.
        device: 'cuda' or 'cpu'.

    Returns:
        ``difference`` and ``tolerance`` by name, the ``cosine_bfloat16`` of the gradients, and
        ``passed``.
    """
    images, _ = unlabelled_slices(cfg, SLICES)
    network, labeler = init_model(cfg), TASK_UTILS.build(cfg.default_hooks.pseudo_label.labeler)
    network.to('cpu')
    on_cpu = _outputs(network, labeler, images)
    _set_tf32(False)
    network.to(device)
    found = _outputs(network, labeler, images.to(device))
    difference = {name: _gap(found[name].cpu(), value, name) for name, value in on_cpu.items()}
    cosine = _cosine(network, images.to(device))
    _set_tf32(True)
    return dict(
        difference=difference,
        tolerance=TOLERANCES,
        cosine_bfloat16=cosine,
        least_cosine=MIN_COSINE,
        passed=cosine >= MIN_COSINE and all(difference[n] <= TOLERANCES[n] for n in TOLERANCES),
    )


def resumes_to_the_bit(config: Path, store: Path, folder: Path) -> dict[str, Any]:
    """Train two epochs at once, and the second again from the checkpoint of the first.

    Deterministic algorithms are on. ``passed`` says whether both end with the same weights.
    """
    options = ['randomness.deterministic=True', 'train_cfg.max_epochs=2']
    options += ['train_dataloader.sampler.batches_per_epoch=2']
    options += ['default_hooks.pseudo_label.start_epoch=0', 'default_hooks.pseudo_label_audit=None']
    options += ['train_cfg.val_interval=2']
    whole, again = folder / 'whole', folder / 'again'
    _train([str(config), '--work-dir', str(whole)], options, store)
    resume = ['--resume', str(whole / 'epoch_1.pth')]
    _train([str(config), '--work-dir', str(again), *resume], options, store)
    a, b = (_weights(run / 'epoch_2.pth') for run in (whole, again))
    other = [name for name in a if not torch.equal(a[name], b[name])]
    return dict(weights=len(a), other=other, passed=bool(a) and not other)


def trains_distributed(config: Path, store: Path, folder: Path, processes: int) -> dict[str, Any]:
    """Train one epoch of two steps with some processes; ``passed`` if it ended well."""
    options = ['train_cfg.max_epochs=1', 'train_dataloader.sampler.batches_per_epoch=2']
    options += ['default_hooks.pseudo_label.start_epoch=0', 'default_hooks.pseudo_label_audit=None']
    options += ['train_cfg.val_interval=1']
    work_dir = folder / f'processes{processes}'
    command = ['bash', str(TOOLS / 'dist_train.sh'), str(config), str(processes)]
    _call([*command, '--work-dir', str(work_dir), '--cfg-options', *options], store)
    return dict(processes=processes, passed=(work_dir / 'epoch_1.pth').is_file())


def _outputs(network: MultiTaskModel, labeler: Any, images: Tensor) -> dict[str, Tensor]:
    network.eval()
    sources = labeler.sources(network, images, evidence_from='none', every=True)
    with torch.no_grad():
        logits, mask_logits = network(images)
    losses = _losses(copy.deepcopy(network), images)
    return dict(
        logits=logits,
        prob=mask_logits.sigmoid(),
        losses=torch.stack([losses[name].detach() for name in sorted(losses)]),
        saliency=sources['saliency'],
        label=labeler.fuse(sources),
    )


def _losses(network: MultiTaskModel, images: Tensor) -> dict[str, Tensor]:
    """Losses of a training step whose masks are the brightest pixels."""
    samples = [
        CTSample(label=torch.tensor(i % 3), infection=(image > image.quantile(0.95)).long())
        for i, image in enumerate(images.cpu())
    ]
    network.train()
    return network.loss(images, [sample.to(images.device) for sample in samples])


def _cosine(network: MultiTaskModel, images: Tensor) -> float:
    gradients: list[Tensor] = []
    for enabled in (False, True):
        model = copy.deepcopy(network)
        wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
        wrapper.enabled = enabled
        with wrapper.optim_context(model):
            losses = _losses(model, images)
        losses['loss_s'].backward()
        grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        gradients.append(torch.cat(grads))
    return torch.cosine_similarity(gradients[0], gradients[1], dim=0).item()


def _gap(found: Tensor, expected: Tensor, name: str) -> float:
    gap = (found - expected).abs()
    return (gap / expected.abs().clamp(min=1e-6) if name == 'losses' else gap).max().item()


def _set_tf32(allowed: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed


def _train(arguments: list[str], options: list[str], store: Path) -> None:
    _call([sys.executable, str(TOOLS / 'train.py'), *arguments, '--cfg-options', *options], store)


def _call(command: list[str], store: Path) -> None:
    variables = dict(
        XAICOVID_STORE=str(store),
        XAICOVID_SPLIT='default',
        CUBLAS_WORKSPACE_CONFIG=':4096:8',  # deterministic products of matrices need it
        PYTHON=sys.executable,
    )
    done = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = ' | '.join((done.stdout + done.stderr).strip().splitlines()[-3:])
        raise RuntimeError(f'exit code {done.returncode} of {command[1]}: {last}')


def _weights(path: Path) -> dict[str, Tensor]:
    return read_checkpoint(path)['state_dict']
