"""Check the slice stores that a config names before any work is done."""

from mmengine import Config

from ..data_prep.store.reader import SliceStore


def check_stores(cfg: Config, *loaders: str) -> None:
    """Refuse a config whose stores or splits are not there.

    Args:
        cfg: A config.
        loaders: Keys of its data loaders: 'train_dataloader'.

    Raises:
        StoreError: If a store or a split is missing or damaged.
    """
    for loader in loaders:
        dataset = (cfg.get(loader) or {}).get('dataset', {})
        if 'store' in dataset and 'split' in dataset:
            store = SliceStore(dataset.store)
            for role in dataset.get('roles', ()):
                store.rows(dataset.split, role)
