r"""Hook of ``mkdocs.yml``: pages made from the code, and equations without a script.

The pages ``reference/cli.md``, ``reference/configs.md`` and ``reference/api/*.md`` are made anew at
every build, so they cannot be out of date. An equation between two lines of ``$$`` becomes MathML,
which browsers draw by themselves.
"""

import argparse
import ast
import importlib
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

PROJECT = Path(__file__).resolve().parents[2]
CONFIGS = PROJECT / 'configs'
COMMANDS = {
    'prepare': ('prepare_data.py', 'xaicovid_mm.cli.prepare_data.command'),
    'train': ('train.py', 'xaicovid_mm.cli.train'),
    'test': ('test.py', 'xaicovid_mm.cli.test'),
    'publish': ('publish_model.py', 'xaicovid_mm.cli.publish_model'),
    'infer': ('infer.py', 'xaicovid_mm.cli.infer'),
    'reproduce': ('reproduce.py', 'xaicovid_mm.cli.reproduce'),
}
"""Command of ``xaicovid`` to the file of ``tools/`` and the module that both call."""
AREAS = {
    'apis': 'Models, scans and outputs',
    'data_prep': 'Scans, slices, stores and splits',
    'datasets': 'Samples, samplers and transforms',
    'explain': 'Maps and pseudo labels',
    'models': 'Networks, heads and losses',
    'engine': 'Runner, hooks and checkpoints',
    'evaluation': 'Scores and intervals',
    'visualization': 'Pictures',
    'reproduction': 'The comparison',
    'utils': 'Files, errors and helpers',
}
"""Package below ``xaicovid_mm`` to the title of its page."""
EQUATION = re.compile(r'^\$\$\n(.*?)\n\$\$$', re.MULTILINE | re.DOTALL)


def generated_pages() -> dict[str, str]:
    """Every page that is made from the code, by its path below ``docs``."""
    pages = {'reference/cli.md': cli_page(), 'reference/configs.md': configs_page()}
    return pages | {f'reference/api/{area}.md': api_page(area) for area in AREAS}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages made from the code."""
    for path, text in generated_pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Turn each equation into MathML."""
    return EQUATION.sub(lambda found: f'<div>{_mathml(found[1])}</div>', markdown)


def _mathml(latex: str) -> str:
    return convert(' '.join(latex.split()), display='block')


def cli_page() -> str:
    """Every command with its options."""
    parts = [
        '# Commands',
        'This page is made from the code of the commands. `xaicovid COMMAND` and the file of '
        '`tools/` are the same command. `--help` shows the same.',
    ]
    for name, (tool, module) in COMMANDS.items():
        with warnings.catch_warnings():  # of the libraries, at their import
            warnings.simplefilter('ignore')
            parser = importlib.import_module(module)._parser()
        parts += [f'## xaicovid {name}', f'The same: `python tools/{tool}`.']
        parts += _command(parser, f'xaicovid {name}')
    return '\n\n'.join(parts) + '\n'


def _command(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    if parser.description:
        yield f'```text\n{parser.description.strip()}\n```'
    subcommands = {}
    rows = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            subcommands = action.choices
        elif not isinstance(action, argparse._HelpAction):
            rows.append(f'| {_option(action)} | {_default(action)} | {_meaning(action)} |')
    if rows:
        yield '\n'.join(['| option | default | meaning |', '|---|---|---|', *rows])
    for title, sub in subcommands.items():
        yield f'### {name} {title}'
        yield from _command(sub, f'{name} {title}')


def _option(action: argparse.Action) -> str:
    names = ', '.join(f'`{name}`' for name in action.option_strings) or f'`{action.dest}`'
    if action.choices:
        return f'{names} {" or ".join(f"`{choice}`" for choice in action.choices)}'
    return names


def _default(action: argparse.Action) -> str:
    if action.required or not action.option_strings:
        return 'required'
    if action.default is None or action.default is False or action.default == []:
        return ''
    return f'`{action.default}`'


def _meaning(action: argparse.Action) -> str:
    return (action.help or '').replace('|', '\\|')


def configs_page() -> str:
    """Every config with its base and what it is for; the base files in full."""
    parts = [
        '# Configs',
        'This page is made from the files below `configs/`. A config names its base files in '
        '`_base_` and changes what it names. Give any value on the command line with '
        '`--cfg-options key.key=value`. Five variables are read by the files: `XAICOVID_STORE` '
        '(the slice store), `XAICOVID_SPLIT` (the split), `XAICOVID_SCALE` (the folder of '
        'configs that `comparison/` and `ablation/` build on), `XAICOVID_SEMI` and '
        '`XAICOVID_SUPERVISED` (the configs in it that they build on).',
    ]
    folders = sorted({path.parent for path in CONFIGS.rglob('*.py')})
    for folder in (f for f in folders if '_base_' not in f.parts):
        parts.append(f'## {folder.relative_to(PROJECT).as_posix()}/')
        lines = ['| config | built on | what it is |', '|---|---|---|']
        lines += [_config_row(path) for path in sorted(folder.glob('*.py'))]
        parts.append('\n'.join(lines))
    parts.append('## The base files')
    for path in sorted(CONFIGS.glob('_base_/**/*.py')):
        name = path.relative_to(CONFIGS).as_posix()
        parts += [f'### {name}', f'```python\n{path.read_text(encoding="utf-8").strip()}\n```']
    return '\n\n'.join(parts) + '\n'


def _config_row(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding='utf-8'))
    summary = ' '.join((ast.get_docstring(tree) or '').split('\n\n')[0].split())
    bases: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == '_base_':
            value = ast.literal_eval(node.value)
            bases = [value] if isinstance(value, str) else value
    shown = '<br>'.join(f'`{base}`' for base in bases)
    return f'| `{path.name}` | {shown} | {summary.replace("|", chr(92) + "|")} |'


def api_page(area: str) -> str:
    """The public names of a package, module by module."""
    folder = PROJECT / 'xaicovid_mm' / area
    parts = [f'# {AREAS[area]}', f'`xaicovid_mm.{area}`, made from the docstrings of the code.']
    for path in sorted(folder.rglob('*.py')):
        names = list(_public(path))
        if names:
            module = '.'.join(path.relative_to(PROJECT).with_suffix('').parts)
            parts.append(f'## {module.removeprefix(f"xaicovid_mm.{area}.")}')
            parts += [f'::: {module}.{name}' for name in names]
    return '\n\n'.join(parts) + '\n'


def _public(path: Path) -> Iterator[str]:
    """Classes and functions that a module defines for others."""
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith('_'):
            yield node.name
