"""What a model was trained with, as hashes: each checkpoint carries them, and each test compares.

A split that was made again turns patients of training into patients of the test, and no figure
shows it. So the hashes travel with the weights, and a test on anything else is refused.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..utils.errors import CheckpointError
from .hashes import data_sha256, sha256_of
from .run_record import RunRecord, leaves

KEY = 'provenance'
"""Key in the ``meta`` of a checkpoint."""
TRAINING_ONLY = {
    'init_cfg',
    'loss_weights',
    'mask_loss',
    'cam_loss',
    'loss_decode',
    'pretrained',
    'checkpoint_path',
}
"""Arguments of a network that only its training reads."""
SEEN = ('window', 'lung_fill')
"""Arguments of a dataset that say what a network sees of a slice."""


def provenance(config: Mapping[str, Any], loader: str = 'train_dataloader') -> dict[str, Any]:
    """Return the hashes of a config and of the data that one of its loaders reads.

    Args:
        config: The whole config, as plain dicts and lists.
        loader: Key of the loader.

    Returns:
        ``store_sha256`` (of the store's manifest), ``split`` (its name), ``split_sha256`` (of the
        role of each slice), ``config_sha256`` (of all settings but those of the test, paths and
        launch options) and ``settings``, see `shared_settings`. Empty without a store.
    """
    dataset = (config.get(loader) or {}).get('dataset') or {}
    if 'store' not in dataset or 'split' not in dataset:
        return {}
    store, split = data_sha256(Path(dataset['store']), dataset['split'])
    settings = RunRecord.of(config).settings
    trained = {key: settings[key] for key in settings if not key.startswith('test_')}
    return dict(
        store_sha256=store,
        split=dataset['split'],
        split_sha256=split,
        config_sha256=sha256_of(trained),
        settings=shared_settings(config, loader),
    )


def shared_settings(config: Mapping[str, Any], loader: str = 'train_dataloader') -> dict[str, str]:
    """Return what training and use of a model must share: dotted key of a setting to its sha256."""
    dataset = (config.get(loader) or {}).get('dataset') or {}
    shared = {key: value for key, value in leaves(config.get('model'), 'model') if _is_used(key)}
    shared |= {f'dataset.{key}': dataset[key] for key in SEEN if key in dataset}
    return {key: sha256_of(value) for key, value in shared.items()}


def provenance_of(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint says that it was trained with; empty if it says nothing."""
    meta = checkpoint.get('meta')
    said = meta.get(KEY) if isinstance(meta, Mapping) else None
    return dict(said) if isinstance(said, Mapping) else {}


def check_provenance(
    checkpoint: Mapping[str, Any], config: Mapping[str, Any], name: str | Path
) -> list[str]:
    """Refuse to test a checkpoint of other data or settings, but for the key ``allow_changes``.

    Args:
        checkpoint: What the file holds.
        config: Config of the test, as plain dicts and lists.
        name: The file, for messages.

    Returns:
        What to warn of: that nothing is known of the training, if data of a store is tested.

    Raises:
        CheckpointError: As `refuse_other_data` and `refuse_other_settings`.
    """
    then, now = provenance_of(checkpoint), provenance(config, 'test_dataloader')
    if not config.get('allow_changes'):
        refuse_other_data(now, then, name)
        refuse_other_settings(shared_settings(config, 'test_dataloader'), then, name)
    if then or not now:
        return []
    return [
        f'{name} does not say what it was trained with: whether patients of its training are '
        'among those tested is not known'
    ]


def refuse_other_data(
    now: Mapping[str, Any], then: Mapping[str, Any], checkpoint: str | Path
) -> None:
    """Refuse a test on another store or split than a checkpoint was trained with.

    Args:
        now: `provenance` of the test.
        then: `provenance_of` the checkpoint; where it says nothing, nothing is refused.
        checkpoint: Its name, for the error.

    Raises:
        CheckpointError: Naming the store or the split and both hashes.
    """
    for what, key in (('store', 'store_sha256'), ('split', 'split_sha256')):
        if key in then and now.get(key) != then[key]:
            names = f' {then["split"]!r}, now {now.get("split")!r}' if what == 'split' else ''
            raise CheckpointError(
                f'{checkpoint} was trained with another {what}{names} (sha256 '
                f'{str(then[key])[:12]}, now {str(now.get(key))[:12]}): patients of its training '
                f'may be among those tested. Test with the {what} of the training; where no '
                'patient of the training is tested, such as on a store of other patients, '
                'add --allow-changes'
            )


def refuse_other_settings(
    now: Mapping[str, str], then: Mapping[str, Any], checkpoint: str | Path
) -> None:
    """Refuse a network, or a window of the slices, that is set otherwise than in training.

    Settings that only training reads may differ, see ``TRAINING_ONLY``.

    Args:
        now: `shared_settings` of the config at hand.
        then: `provenance_of` the checkpoint; where it says nothing, nothing is refused.
        checkpoint: Its name, for the error.

    Raises:
        CheckpointError: Naming the keys.
    """
    old = then.get('settings')
    if not isinstance(old, Mapping):
        return
    changed = sorted(key for key in {*old, *now} if old.get(key) != now.get(key))
    if changed:
        more = f' and {len(changed) - 3} more' if len(changed) > 3 else ''
        raise CheckpointError(
            f'{checkpoint} was trained with other values of {", ".join(changed[:3])}{more}: give '
            'the config and the --cfg-options of the training'
        )


def _is_used(key: str) -> bool:
    return not TRAINING_ONLY & set(key.split('.'))
