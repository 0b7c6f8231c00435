"""Damage configs at random and train with them: a wrong value must end in one line that names it.

python tests/helpers/config_mutations.py STORE --count 300 --seed 0
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import random
import tempfile
import traceback
from collections import Counter
from pathlib import Path

import mmengine.runner.runner as mmengine_runner
import torch
from mmengine import Config

from xaicovid_mm.cli import train
from xaicovid_mm.engine.config import load_config

CONFIGS = ('quick/semi_vgg.py', 'quick/supervised_vgg.py', 'comparison/jcs.py')
CONFIGS += ('comparison/pseudoseg.py', 'quick/weakly_vgg.py')
VALUES = ['abc', '', None, True, -1, 0, 3.7, 10**12, float('nan'), float('inf'), [], {}]
VALUES += [[1, 'a'], [[1]], {'a': 1}, {'type': 'Nope'}, [None], '1e-3']
_FORK = multiprocessing.get_context('fork')


def small(name, store):
    """A config as plain data, short enough to be trained in a second."""
    os.environ.update(XAICOVID_STORE=str(store), XAICOVID_SPLIT='default', XAICOVID_SCALE='quick')
    cfg = Config.fromfile(Path('configs', name))
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
    sampler = cfg.train_dataloader.sampler
    streams = [key for key in sampler if key.endswith('_per_batch') and sampler[key]]
    sampler.update({key: 2 for key in streams}, batches_per_epoch=2)
    cfg.train_dataloader.batch_size = 2 * len(streams)
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    if label := cfg.default_hooks.get('pseudo_label'):
        label.start_epoch = 0
    cfg.log_level = 'ERROR'
    known = load_config(Path('configs', name)).keys()
    return {k: v for k, v in json.loads(json.dumps(cfg.to_dict())).items() if k in known}


def damage(config, rng):
    """Change one place of a config in place; return its parts and what was done."""
    used = [key for key in config if isinstance(config[key], (dict, list))]
    way, node = [], config
    key = rng.choice(used)
    while True:
        way.append(key)
        child = node[key]
        inner = []
        if isinstance(child, (dict, list)):
            inner = list(child) if isinstance(child, dict) else list(range(len(child)))
        if not inner or rng.random() < 0.15:
            break
        node, key = child, rng.choice(inner)
    if isinstance(key, str) and rng.random() < 0.15 and len(key) > 3:
        wrong = key[:-2] + key[-1] + key[-2] if key[-1] != key[-2] else key + 'x'
        node[wrong] = node.pop(key)
        return [*map(str, way), wrong], f'misspelt as {wrong}'
    if rng.random() < 0.1 and isinstance(node, dict):
        node.pop(key)
        return [*map(str, way)], 'removed'
    node[key] = rng.choice(VALUES)
    return [*map(str, way)], f'set to {node[key]!r}'


def outcome(config, seconds=60):
    """Train with a config in a process of its own: exit code and what it wrote to stderr."""
    receiver, sender = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_child, args=(config, sender))
    process.start()
    done = receiver.poll(seconds)
    result = receiver.recv() if done else ('timeout', '')
    process.kill()
    process.join()
    return result


def _child(config, sender):
    torch.set_num_threads(1)
    words, code = io.StringIO(), 0
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(words):
        path = Path(folder, 'mutated.json')
        path.write_text(json.dumps(config))
        os.chdir(folder)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                train.main([str(path), '--work-dir', str(Path(folder, 'w'))])
        except SystemExit as stop:
            code = stop.code
        except BaseException:
            code = 'traceback'
            traceback.print_exc()
    errors = [line for line in words.getvalue().splitlines() if line.startswith('error: ')]
    sender.send((code, '\n'.join(errors) if code != 'traceback' else words.getvalue()))


def verdict(code, text, way):
    """'trained', 'named' (one line of ours with the key), 'unnamed', 'unforeseen' or worse."""
    if code in ('timeout', 'traceback'):
        return code
    if code == 0:
        return 'trained'
    if code != 2 or len(text.splitlines()) != 1:
        return 'unforeseen'
    keys = [part for part in way if not part.isdigit()]
    return 'named' if any(key in text for key in keys[-2:]) else 'unnamed'


def trials(store, count, seed):
    """Yield config, place, change, verdict and error text of each damaged config."""
    mmengine_runner.collect_env = dict  # it calls compilers, for seconds
    rng = random.Random(seed)
    whole = {name: json.dumps(small(name, store)) for name in CONFIGS}
    for number in range(count):
        name = CONFIGS[number % len(CONFIGS)]
        config = json.loads(whole[name])
        way, change = damage(config, rng)
        code, text = outcome(config)
        yield name, '.'.join(way), change, verdict(code, text, way), text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('store', type=Path)
    parser.add_argument('--count', type=int, default=300)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    counts = Counter()
    for name, place, change, result, text in trials(args.store.absolute(), args.count, args.seed):
        counts[result] += 1
        if result not in ('trained', 'named'):
            print(f'{result}: {name} {place} {change}\n    {text[-600:]}', flush=True)  # noqa: T201
    print(dict(counts))  # noqa: T201


if __name__ == '__main__':
    main()
