"""Explanations know networks by protocol alone."""

import ast
from pathlib import Path

import xaicovid_mm.explain


def test_no_explanation_imports_a_model():
    for path in Path(xaicovid_mm.explain.__file__).parent.glob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names]
                parts = '.'.join([getattr(node, 'module', None) or '', *names]).split('.')
                assert 'models' not in parts, f'{path.name}, line {node.lineno}'
