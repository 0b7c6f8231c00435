"""From a model folder to a report: nothing is unpickled, nothing is fetched, nothing is started.

torch itself imports pickle, so that its absence cannot be asked for. Python reports each use of it
to audit hooks, and those are asked.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path

WATCHED = """
import json, sys
import xaicovid_mm.apis as apis
from xaicovid_mm.apis.slice_predictor import SlicePredictor  # all imports are done

seen = []
NAMES = ('pickle.find_class', 'socket.connect', 'subprocess.Popen', 'os.system', 'os.exec')
def watch(event, args):
    if event in NAMES:
        seen.append([event, str(args)[:200]])
sys.addaudithook(watch)
apis.CTInferencer(sys.argv[1], explain=1)(sys.argv[2], sys.argv[3])
apis.init_model(sys.argv[1])
used = list(seen)
import pickle
pickle.loads(pickle.dumps(json.JSONDecoder))  # the hook sees it
print(json.dumps([used, seen[len(used):]]))
"""
UNSAFE = {'pickle', 'cPickle', 'dill', 'cloudpickle', 'joblib', 'marshal', 'shelve'}


def test_a_report_unpickles_nothing_and_connects_to_nothing(served, scan, tmp_path):
    command = [sys.executable, '-c', WATCHED, str(served), str(scan), str(tmp_path / 'out')]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    used, control = json.loads(done.stdout.splitlines()[-1])
    assert used == []
    assert control[0][0] == 'pickle.find_class'
    assert (tmp_path / 'out' / 'report.html').is_file()


def test_our_code_never_loads_a_pickle():
    """No unpickler is called, and torch and numpy are told to refuse pickles."""
    found = []
    for path in [*Path('xaicovid_mm').rglob('*.py'), *Path('tools').rglob('*.py')]:
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                found += [f'{path}: {a.name}' for a in node.names if a.name in UNSAFE]
            elif isinstance(node, ast.ImportFrom) and node.module in UNSAFE:
                names = {alias.name for alias in node.names}
                found += [f'{path}: {names}'] * (names != {'UnpicklingError'})  # to catch it
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == 'torch.load':
                safe = {k.arg: ast.unparse(k.value) for k in node.keywords}.get('weights_only')
                found += [f'{path}: {ast.unparse(node)}'] * (safe != 'True')
            elif isinstance(node, ast.keyword) and node.arg == 'allow_pickle':
                found += [f'{path}: allow_pickle'] * (ast.unparse(node.value) != 'False')
    assert found == []
