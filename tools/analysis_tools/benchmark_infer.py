"""Time the stages of inference on a scan, and a bare loop of the network over its slices.

python tools/analysis_tools/benchmark_infer.py --model models/quick --shape 300 512 512
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.utils.errors import user_errors

if TYPE_CHECKING:  # slow to import
    from xaicovid_mm.apis.model_folder.deployed_model import DeployedModel
    from xaicovid_mm.data_prep.volume import Volume


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors(), tempfile.TemporaryDirectory() as folder:
        _measure(args, Path(folder))


def _measure(args: argparse.Namespace, folder: Path) -> None:
    from xaicovid_mm.apis import CTInferencer
    from xaicovid_mm.apis.model_folder.deployed_model import DeployedModel
    from xaicovid_mm.data_prep.io.scan import read_scan

    path = folder / 'scan.nii.gz'
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        # In a process of its own, so that its memory does not count.
        pool.submit(write_scan, path, tuple(args.shape)).result()
    model = DeployedModel.from_folder(args.model)
    from benchmark_utils.peak_memory import peak_mib

    before, start = peak_mib(), time.process_time()
    prediction = CTInferencer(model, batch_size=args.batch_size)(path, folder / 'out')
    cpu, peak = time.process_time() - start, peak_mib()
    bare = bare_seconds(model, read_scan(path), args.batch_size)
    _print(prediction, bare=bare, cpu=cpu, before=before, peak=peak)


def write_scan(path: Path, shape: tuple[int, int, int]) -> None:
    """Write a phantom scan of (Z, Y, X) voxels over its usual field of view as NIfTI."""
    import nibabel as nib
    import numpy as np
    from scipy.ndimage import zoom

    from xaicovid_mm.data_prep.phantom import make_case
    from xaicovid_mm.data_prep.phantom.scanner import SITES

    case = make_case(2, SITES[0], [0])
    factors = [new / old for new, old in zip(shape, case.hu.shape, strict=True)]
    hu = zoom(case.hu, factors, order=1, grid_mode=True, mode='nearest')
    spacing = [mm / f for mm, f in zip(case.spacing, factors, strict=True)]
    affine = np.diag([-spacing[2], -spacing[1], spacing[0], 1.0])
    nib.save(nib.Nifti1Image(hu.transpose(2, 1, 0), affine), path)


def bare_seconds(model: 'DeployedModel', scan: 'Volume', batch_size: int) -> float:
    """Return the seconds of the network's forward passes over the slices of a scan."""
    import torch

    from xaicovid_mm.apis.scan_slices import scan_slices
    from xaicovid_mm.data_prep.lungs.threshold import lung_mask

    _, images = scan_slices(scan, lung_mask(scan.data, scan.spacing_mm), model)
    start = time.perf_counter()
    with torch.inference_mode():
        for batch in torch.from_numpy(images[:, None]).split(batch_size):
            model.model(batch)
    return time.perf_counter() - start


def _print(prediction: dict, *, bare: float, cpu: float, before: float, peak: float) -> None:
    from rich.table import Table

    from xaicovid_mm.utils.terminal import Console

    shape, slices = prediction['input']['shape'], prediction['slices']
    seconds = prediction['seconds']
    table = Table('part', 's', title=f'{shape} voxels, {len(slices)} slices')
    for name, value in (
        *seconds.items(),
        ('all parts', sum(seconds.values())),
        ('CPU time of all parts', cpu),
    ):
        table.add_row(name, f'{value:.2f}')
    table.add_row('bare loop of the network', f'{bare:.2f}')
    console = Console()
    console.print(table)
    ratio = seconds['network'] / bare
    console.print(f'mask, class, CAAM and CAM of all slices / bare loop: {ratio:.2f}')
    console.print(f'peak memory {peak:.0f} MiB, {before:.0f} MiB before the scan was read')


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('--model', required=True, help='folder of tools/publish_model.py')
    parser.add_argument('--shape', type=int, nargs=3, default=(300, 512, 512), metavar='N')
    parser.add_argument('--batch-size', type=int, default=16, help='slices per batch')
    return parser


if __name__ == '__main__':
    main()
