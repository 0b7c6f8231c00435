"""The package keeps its order: imports run one way, public names stay, tests mirror folders."""

import ast
import importlib
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = 'xaicovid_mm'
LAYERS = {  # a package imports only packages of lower layers
    name: number
    for number, names in enumerate(
        [
            ['classes', 'utils', 'registry', 'structures'],
            ['data_prep', 'explain'],
            ['datasets', 'models'],
            ['evaluation'],
            ['engine'],
            ['visualization'],
            ['apis'],
            ['reproduction'],
            ['cli'],
            ['__main__'],
        ]
    )
    for name in names
}
ONLY = {'data_prep': {'classes', 'utils'}, 'utils': set(), 'classes': set()}
PUBLIC_NAMES = {
    'apis': ['CTInferencer', 'LungExtractor', 'init_model', 'lung_method'],
    'explain': ['caam', 'cam', 'integrated_gradients'],
    'models': ['MultiScaleVGG'],
    'models.calibration': ['SharpenCombination'],
    'models.losses': ['CAMLoss', 'WeightedBCELoss'],
}
WITHOUT_TORCH = ['classes', 'data_prep', 'utils.errors', 'utils.files', 'utils.parallel']
WITHOUT_TORCH += ['utils.timer']


def module_name(path):
    return '.'.join(path.with_suffix('').parts).removesuffix('.__init__')


MODULES = {module_name(path): path for path in Path(PACKAGE).rglob('*.py')}


def imports_of(name):
    """Modules of the package that a module imports, also in functions and for type checking."""
    path, found = MODULES[name], set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = name.split('.')[: None if path.stem == '__init__' else -1]
            above = above[: len(above) + 1 - node.level] if node.level else []
            source = '.'.join([*above, *([node.module] if node.module else [])])
            found |= {
                f'{source}.{alias.name}' if f'{source}.{alias.name}' in MODULES else source
                for alias in node.names
            }
    return {module for module in found if module in MODULES and module != name}


GRAPH = {name: imports_of(name) for name in MODULES}


def part_of(name, level):
    return '.'.join(name.split('.')[level : level + 1])


def circle_of(graph):
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_every_package_has_its_layer():
    assert {part_of(name, 1) for name in MODULES} - {''} == set(LAYERS)


def test_no_package_imports_one_above_it():
    upward = [
        f'{name} imports {target}'
        for name, targets in GRAPH.items()
        for target in targets
        if (own := part_of(name, 1)) and (other := part_of(target, 1)) and own != other
        if LAYERS[other] >= LAYERS[own] or other not in ONLY.get(own, LAYERS)
    ]
    assert upward == []


def test_no_modules_import_each_other_in_a_circle():
    assert circle_of(GRAPH) == []


@pytest.mark.parametrize('package', ['data_prep', 'apis'])
def test_no_folders_of_a_package_import_each_other_in_a_circle(package):
    inside = f'{PACKAGE}.{package}.'
    graph = {}
    for name, targets in GRAPH.items():
        for target in targets:
            if name.startswith(inside) and target.startswith(inside):
                graph.setdefault(part_of(name, 2), set()).add(part_of(target, 2))
    assert circle_of({name: others - {name} for name, others in graph.items()}) == []


@pytest.mark.parametrize('module', PUBLIC_NAMES)
def test_public_names_keep_their_paths(module):
    imported = importlib.import_module(f'{PACKAGE}.{module}')
    assert [name for name in PUBLIC_NAMES[module] if not hasattr(imported, name)] == []


def test_data_preparation_needs_no_torch():
    chosen = [
        name
        for name in MODULES
        if any(f'{name}.'.startswith(f'{PACKAGE}.{part}.') for part in WITHOUT_TORCH)
    ]
    assert len(chosen) > 40
    code = f'import sys, {", ".join(chosen)}; print([m for m in sys.modules if m in BANNED])'
    code = f"BANNED = ('torch', 'mmengine', 'mmcv')\n{code}"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.strip() == '[]', done.stderr


def test_tests_mirror_the_package():
    rooms = {'helpers', 'tools'}  # of tests alone, and of tools/
    folders = {
        path.parent.relative_to('tests')
        for path in Path('tests').rglob('*.py')
        if path.parent != Path('tests')
    }
    missing = [
        str(folder)
        for folder in folders
        if folder.parts[0] not in rooms and not Path(PACKAGE, folder).is_dir()
    ]
    assert missing == []
