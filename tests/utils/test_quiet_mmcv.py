import subprocess
import sys


def test_our_models_are_imported_without_a_warning():
    code = 'import xaicovid_mm.models, mmcv.cnn.bricks.transformer'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ''
