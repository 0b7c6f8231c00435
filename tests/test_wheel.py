"""The wheel, in an environment of its own, used from a folder that holds nothing."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.parser import Parser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PARTS = (
    *('CHANGELOG.md', 'LICENSE', 'MANIFEST.in', 'README.md', 'model-index.yml', 'pyproject.toml'),
    *('setup.py', 'configs', 'tools', 'xaicovid_mm'),
)
CONFIG = 'configs/quick/semi_vgg.py'
SHORT = [
    'train_cfg.max_epochs=1',
    'train_dataloader.sampler.batches_per_epoch=2',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'log_level=ERROR',
]

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """Wheel of this checkout, built from a copy and without a network."""
    source, target = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('wheel')
    for name in PARTS:
        if Path(name).is_dir():
            shutil.copytree(name, source / name, ignore=shutil.ignore_patterns('__pycache__'))
        else:
            shutil.copy(name, source)
    pip = [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps', '--no-index']
    run([*pip, '--no-build-isolation', '--wheel-dir', target, source], target)
    (path,) = target.glob('*.whl')
    return path


@pytest.fixture(scope='module')
def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith('.dist-info/METADATA'))
        return Parser().parsestr(archive.read(name).decode())


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    """Folder with the commands of an environment that has the wheel, and sees what it needs."""
    root = tmp_path_factory.mktemp('environment')
    venv.create(root)
    bin_dir = root / 'bin'
    python = bin_dir / 'python'
    (site,) = root.glob('lib/python*/site-packages')
    pip = [sys.executable, '-m', 'pip', f'--python={python}', 'install', '--quiet']
    run([*pip, '--no-deps', '--no-index', wheel], root)
    # after our own folder, so that the editable install of the checkout comes second
    places = {sysconfig.get_path(name) for name in ('purelib', 'platlib')}
    (site / 'dependencies.pth').write_text('\n'.join(sorted(places)) + '\n')
    return bin_dir


@pytest.fixture
def call(installed, tmp_path):
    """Run a command of the environment in an empty folder; gives its output."""
    (tmp_path / 'empty').mkdir()
    return lambda *command: run([installed / command[0], *command[1:]], tmp_path / 'empty')


def run(command, folder):
    unset = ('PYTHONPATH', 'XAICOVID_STORE', 'XAICOVID_SPLIT', 'XAICOVID_SCALE')
    env = {k: v for k, v in os.environ.items() if k not in unset} | {'OMP_NUM_THREADS': '1'}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def test_the_metadata_name_licence_versions_and_floors(metadata):
    assert metadata['License-Expression'] == 'Apache-2.0' and metadata['License-File'] == 'LICENSE'
    assert set(metadata['Requires-Python'].split(',')) == {'>=3.10', '<3.13'}
    required = metadata.get_all('Requires-Dist')
    assert 'torch>=2.10' in required
    captum = [line for line in required if line.startswith('captum')]
    assert captum == [f'captum>=0.9; extra == "{extra}"' for extra in ('explain', 'test')]
    systems = [c for c in metadata.get_all('Classifier') if c.startswith('Operating System')]
    assert {system.split(' :: ')[-1] for system in systems} == {'MacOS', 'Linux'}


def test_every_import_of_the_package_is_declared(metadata):
    declared = {plain(re.split(r'[<>=; ]', r)[0]) for r in metadata.get_all('Requires-Dist')}
    providers = packages_distributions()
    undeclared = {
        name
        for name in third_party_imports(Path('xaicovid_mm'))
        if not declared & {plain(p) for p in providers.get(name, [name])}
    }
    assert undeclared == set()


def third_party_imports(folder):
    names = set()
    for path in folder.rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module.split('.')[0])
    return names - set(sys.stdlib_module_names) - {'xaicovid_mm'}


def plain(distribution):
    return distribution.lower().replace('_', '-')


def test_every_file_of_the_package_that_is_no_module_is_in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    files = {
        p for p in Path('xaicovid_mm').rglob('*') if p.is_file() and '__pycache__' not in p.parts
    }
    assert {path.as_posix() for path in files} <= packed
    configs = {f'xaicovid_mm/.mim/{p.as_posix()}' for p in Path('configs').rglob('*.py')}
    assert configs | {'xaicovid_mm/.mim/model-index.yml'} <= packed
    assert not any('__pycache__' in name for name in packed)


def test_the_package_is_the_one_of_the_wheel_and_says_its_version(call, installed):
    where = call('python', '-c', 'import xaicovid_mm; print(xaicovid_mm.__file__)')
    assert str(installed.parent) in where
    assert call('xaicovid', '--version') == call('python', '-m', 'xaicovid_mm', '--version')
    assert re.fullmatch(r'xaicovid_mm \d+\.\d+\.\d+\n', call('xaicovid', '--version'))


def test_from_an_empty_folder_a_phantom_is_made_trained_on_and_reported_on(call, tmp_path):
    here = tmp_path / 'empty'
    phantom = ['data/phantom', '--patients-per-class', '9', '--sites', '1', '--size', '32']
    call('xaicovid', 'prepare', 'phantom', *phantom, '--workers', '1')
    call('xaicovid', 'train', CONFIG, '--work-dir', 'run', '--cfg-options', *SHORT)
    assert (here / 'run' / 'epoch_1.pth').is_file()
    scan = sorted((here / 'data/phantom/volumes').glob('covid*_image.nii.gz'))[0]
    model = ['--config', CONFIG, '--checkpoint', 'run/epoch_1.pth', '--explain', '1']
    call('python', '-m', 'xaicovid_mm', 'infer', scan, *model, '--out', 'results')
    (folder,) = (path for path in (here / 'results').iterdir() if path.is_dir())
    assert {'report.html', 'prediction.json'} <= {path.name for path in folder.iterdir()}
    assert sorted(path.name for path in here.iterdir()) == ['data', 'results', 'run']
