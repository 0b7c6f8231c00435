"""Turn a list of slices into one batch."""

import torch
from mmengine.model import BaseDataPreprocessor

from ..registry import MODELS


@MODELS.register_module()
class CTDataPreprocessor(BaseDataPreprocessor):
    """Stack the slices of a batch on the model's device.

    It subtracts no mean and divides by no deviation: 0 must stay air and the outside of the lung,
    because black is the baseline of Eq. (7). An encoder that needs both has them inside, see
    ``PretrainedEncoder``.
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        """Turn ``inputs``, a list of (1, H, W) in [0, 1], into one tensor (B, 1, H, W).

        Raises:
            ValueError: If a slice has another size or a value that is not finite; it is named.
        """
        slices = data['inputs']
        names = [s.get('sample_id') for s in data.get('data_samples') or []] or range(len(slices))
        for name, image in zip(names, slices, strict=True):
            if image.shape != slices[0].shape:
                raise ValueError(
                    f'slice {name} is {tuple(image.shape)}, slice {names[0]} is '
                    f'{tuple(slices[0].shape)}: prepare one store with one --size'
                )
        batch = torch.stack(list(slices)).float()
        finite = batch.isfinite().flatten(1).all(1)
        if not finite.all():
            bad = [name for name, fine in zip(names, finite.tolist(), strict=True) if not fine]
            raise ValueError(f'slices {bad} hold NaN or infinity: check the volumes they come from')
        return self.cast_data({**data, 'inputs': batch})
