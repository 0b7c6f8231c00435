"""Launchers tell mmengine what it reads, on machines without a GPU as well."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mmengine import Config

from xaicovid_mm.engine import launch
from xaicovid_mm.engine.launch import LaunchError, launched, prepare_launch

CONFIG = 'configs/quick/semi_vgg.py'
SHORT = [
    'train_cfg.max_epochs=1',
    'train_dataloader.sampler.batches_per_epoch=2',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'log_level=ERROR',
]
SLURM = {'SLURM_PROCID': '1', 'SLURM_NTASKS': '4', 'SLURM_LOCALID': '1'}
MPI = {f'OMPI_COMM_WORLD_{k}': v for k, v in (('RANK', '3'), ('SIZE', '4'), ('LOCAL_RANK', '1'))}


@pytest.fixture
def started(monkeypatch):
    """Launch without a process group; gives what the environment says."""
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.setenv(name, '')  # so that it is restored
        monkeypatch.delenv(name)
    monkeypatch.setattr(launch.distributed, 'init_process_group', lambda backend, timeout: None)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)

    def start(launcher, variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        cfg = Config(dict(env_cfg=dict()))
        prepare_launch(cfg, launcher)
        assert cfg.launcher == launcher and cfg.env_cfg.dist_cfg.backend == 'gloo'
        assert cfg.model_wrapper_cfg.device_ids is None
        names = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR')
        return [os.environ[name] for name in names]

    return start


def test_slurm_on_one_machine_meets_there(started):
    assert started('slurm', SLURM) == ['1', '4', '1', '127.0.0.1']


def test_slurm_on_several_machines_meets_on_the_first(started, tmp_path, monkeypatch):
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text(
        '#!/bin/sh\n[ "$*" = "show hostnames node[7-8]" ] && printf "node7\\nnode8\\n"'
    )
    scontrol.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path), prepend=os.pathsep)
    several = {**SLURM, 'SLURM_NNODES': '2', 'SLURM_NODELIST': 'node[7-8]'}
    assert started('slurm', several) == ['1', '4', '1', 'node7']


def test_mpi_on_several_machines_must_say_which_is_the_first(started):
    here = {**MPI, 'OMPI_COMM_WORLD_LOCAL_SIZE': '2'}
    with pytest.raises(LaunchError, match='4 processes, 2 of them here: set MASTER_ADDR'):
        started('mpi', here)
    assert started('mpi', {**here, 'MASTER_ADDR': 'node7'}) == ['3', '4', '1', 'node7']


@pytest.mark.parametrize(
    'launcher, variable', [('pytorch', 'RANK'), ('slurm', 'SLURM_PROCID'), ('mpi', 'OMPI_COMM')]
)
def test_a_launcher_that_did_not_start_us_is_refused(launcher, variable, started):
    with pytest.raises(LaunchError, match=variable):
        started(launcher, {})


def test_no_process_group_outlives_a_run(tmp_path):
    meeting = f'file://{tmp_path}/meeting'
    with launched(Config(), 'none'):
        torch.distributed.init_process_group('gloo', init_method=meeting, rank=0, world_size=1)
    assert not torch.distributed.is_initialized()
    with launched(Config(), 'none'):  # and none is asked for where there is none
        pass


RANK = """
import sys, time
from mmengine import Config
from xaicovid_mm.engine.launch import launched
with launched(Config(dict(env_cfg=dict())), 'pytorch'):
    {body}
print(time.time())
"""


def two_ranks(first, second):
    """Exit code, output and errors of two ranks with these bodies, and no launcher to stop one."""
    variables = environment('none') | dict(WORLD_SIZE='2', MASTER_ADDR='127.0.0.1')
    ranks = []
    for rank, body in enumerate((first, second)):
        env = variables | dict(RANK=str(rank), LOCAL_RANK=str(rank), CUDA_VISIBLE_DEVICES='')
        command = [sys.executable, '-c', RANK.format(body=body)]
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        ranks.append(subprocess.Popen(command, env=env, **pipes))
    ends = [rank.communicate(timeout=120) for rank in ranks]
    return [(rank.returncode, *end) for rank, end in zip(ranks, ends, strict=True)]


@pytest.mark.slow
def test_a_rank_that_is_done_waits_for_the_one_that_still_works():
    (code, ended, _), (other, waited, _) = two_ranks('time.sleep(3); print(time.time())', 'pass')
    assert code == other == 0
    assert float(waited) >= float(ended.split()[0])


@pytest.mark.slow
@pytest.mark.parametrize('failing', [0, 1])
def test_a_rank_that_fails_keeps_nobody_waiting_and_both_exit_with_an_error(failing):
    bodies = ['pass', 'time.sleep(1); sys.exit(2)']
    start = time.monotonic()
    ends = two_ranks(*(bodies if failing else bodies[::-1]))
    assert ends[failing][0] == 2 and ends[1 - failing][0] != 0
    assert not any(output for _, output, _ in ends)  # neither came to its end
    assert time.monotonic() - start < 60


LEAVING = """
import atexit, sys, threading
from xaicovid_mm.engine.launch import leave_process
atexit.register(print, 'files are closed')
threading.Thread(target=threading.Event().wait).start()  # one that never ends
print('work is done')
leave_process(sys.argv[1])
print('the process goes on')
atexit._run_exitfuncs()
__import__('os')._exit(0)
"""


@pytest.mark.parametrize(
    'launcher, says',
    [
        ('pytorch', ['work is done', 'files are closed']),
        ('none', ['work is done', 'the process goes on', 'files are closed']),
    ],
)
def test_a_rank_leaves_with_its_files_closed_and_waits_for_no_thread(launcher, says):
    command = [sys.executable, '-u', '-c', LEAVING, launcher]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == says


@pytest.mark.slow
@pytest.mark.parametrize('launcher', ['slurm', 'mpi'])
def test_a_run_under_another_launcher_trains_to_its_end(launcher, tiny_store, tmp_path):
    first = {'slurm': {**SLURM, 'SLURM_PROCID': '0', 'SLURM_LOCALID': '0', 'SLURM_NTASKS': '1'}}
    first['mpi'] = dict(zip(MPI, ('0', '1', '0'), strict=True))
    env = environment(tiny_store) | first[launcher]
    command = [sys.executable, 'tools/train.py', CONFIG, '--work-dir', str(tmp_path)]
    command += ['--launcher', launcher, '--cfg-options', *SHORT]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / 'epoch_1.pth').is_file()


@pytest.mark.parametrize(
    'script, arguments', [('dist_train', ['2']), ('dist_test', ['a.pth', '2'])]
)
def test_a_port_that_is_taken_is_named_with_the_remedy(script, arguments, tmp_path):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = ['bash', f'tools/{script}.sh', CONFIG, *arguments]
        env = environment('none') | dict(PORT=port, PYTHON='false')
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith(f'error: port {port} is taken') and 'set PORT' in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_metrics_write_no_files_to_gather_their_results(tmp_path):
    """mmengine's way leaves .dist_test behind in the folder of a user whose run is killed."""
    metrics = [dict(type='DiagnosisMetric'), dict(type='InfectionMetric', collect_dir='mine')]
    cfg = Config(dict(val_evaluator=metrics, test_evaluator=metrics[0], train_cfg=None))
    prepare_launch(cfg, 'none')
    assert cfg.val_evaluator[0].collect_device == cfg.test_evaluator.collect_device == 'gpu'
    assert 'collect_device' not in cfg.val_evaluator[1]  # what a user says stands


@pytest.mark.slow
def test_two_processes_train_and_test_from_the_shell_and_the_table_is_that_of_one(
    tiny_store, tmp_path
):
    started_in, tools = tmp_path / 'here', Path('tools').resolve()
    started_in.mkdir()

    def run(*command):
        env = environment(tiny_store)
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=180, cwd=started_in
        )
        assert done.returncode == 0, done.stderr[-2000:]

    run('bash', str(tools / 'dist_train.sh'), CONFIG, '2', '--work-dir', str(tmp_path),
        '--cfg-options', *SHORT)  # fmt: skip
    checkpoint, one, two = (str(tmp_path / name) for name in ('epoch_1.pth', '1', '2'))
    run(sys.executable, str(tools / 'test.py'), CONFIG, checkpoint, '--work-dir', one)
    run(
        'bash',
        str(tools / 'dist_test.sh'),
        CONFIG,
        checkpoint,
        '2',
        '--work-dir',
        two,
        '--num',
        '1',
    )
    assert not (started_in / '.dist_test').exists()
    for name in ('infection.csv', 'diagnosis.csv'):
        ours, theirs = ((tmp_path / n / name).read_text().splitlines() for n in ('1', '2'))
        assert len(ours) > 10 and sorted(ours) == sorted(theirs)


def environment(store):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    paths = os.pathsep.join([os.getcwd(), os.environ.get('PYTHONPATH', '')])
    ours = dict(PYTHON=sys.executable, PORT=port, MASTER_PORT=port, OMP_NUM_THREADS='1')
    return {**os.environ, **ours, 'PYTHONPATH': paths, 'XAICOVID_STORE': str(store)}
