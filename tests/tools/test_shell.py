"""Shell scripts and the Makefile, without training."""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

MAKES = {'MAKELEVEL', 'MAKEFLAGS', 'MFLAGS', 'CONFIG', 'DATA', 'SPLIT', 'GPUS', 'ROLE', 'WORK_DIR'}


def fake(folder, name, body='printf "%s\\n" "$@"'):
    """A command that prints its arguments, one a line."""
    path = folder / name
    path.write_text(f'#!/usr/bin/env bash\n{body}\n')
    path.chmod(0o755)
    return path


def lines_of(command, **env):
    outer = {k: v for k, v in os.environ.items() if k not in MAKES}  # make test runs us
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        outer['PORT'] = str(free.getsockname()[1])
    done = subprocess.run(command, env={**outer, **env}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    'script',
    [
        *('dist_train', 'dist_test', 'slurm_train', 'slurm_test'),
        *('misc/torchrun', 'misc/slurm', 'misc/train_and_test', 'misc/demo'),
    ],
)
def test_a_script_is_sound_and_names_what_it_misses(script):
    assert subprocess.run(['bash', '-n', f'tools/{script}.sh']).returncode == 0
    bare = subprocess.run(['bash', f'tools/{script}.sh'], capture_output=True, text=True)
    assert bare.returncode != 0
    assert re.search('usage: tools|config|partition|number|work dir', bare.stderr)


def test_spaces_survive_and_several_machines_are_told(tmp_path):
    python = str(fake(tmp_path, 'my python'))
    machines = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='first', PORT='123')
    lines = lines_of(['tools/dist_train.sh', 'a config.py', '4', '--work-dir', 'b c'],
                     PYTHON=python, **machines)  # fmt: skip
    assert {'--nnodes=2', '--node_rank=1', '--master_addr=first', '--master_port=123'} < set(lines)
    assert lines[-5:] == ['a config.py', '--launcher', 'pytorch', '--work-dir', 'b c']
    # --num would be taken for an option of torchrun, if it came before --
    lines = lines_of(['tools/dist_test.sh', 'c.py', 'e 1.pth', '2', '--num', '3'], PYTHON=python)
    assert lines[-8:] == [
        '--', 'tools/test.py', 'c.py', 'e 1.pth', '--launcher', 'pytorch', '--num', '3'
    ]  # fmt: skip


def test_processes_share_the_cores_unless_told_otherwise(tmp_path):
    env = dict(PYTHON=str(fake(tmp_path, 'python', 'echo $OMP_NUM_THREADS')), OMP_NUM_THREADS='')
    fake(tmp_path, 'nproc', 'echo 8')
    env['PATH'] = f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'
    threads = {n: lines_of(['tools/dist_train.sh', 'c.py', n], **env) for n in ('1', '3', '16')}
    assert threads == {'1': ['8'], '3': ['2'], '16': ['1']}
    assert lines_of(['tools/dist_train.sh', 'c.py', '2'], **env | {'OMP_NUM_THREADS': '5'}) == ['5']


def test_slurm_is_asked_for_what_the_environment_says(tmp_path):
    fake(tmp_path, 'srun')
    env = dict(PATH=f'{tmp_path}{os.pathsep}{os.environ["PATH"]}', GPUS='8', GPUS_PER_NODE='4')
    command = ['tools/slurm_train.sh', 'part', 'my job', 'c.py', '--work-dir', 'b c']
    for srun_args in ({}, {'SRUN_ARGS': '--time=1 --mem=2'}):
        lines = lines_of(command, CPUS_PER_TASK='3', PYTHON='python', **env, **srun_args)
        asked = {'part', '--job-name=my job', '--ntasks=8', '--ntasks-per-node=4'}
        assert asked | {'--gres=gpu:4', '--cpus-per-task=3'} < set(lines)
        assert ('--mem=2' in lines) == bool(srun_args) and '' not in lines
        assert lines[-6:-2] == ['tools/train.py', 'c.py', '--launcher', 'slurm']


def test_slurm_tests_with_one_process_unless_told_otherwise(tmp_path):
    fake(tmp_path, 'srun')
    env = dict(PATH=f'{tmp_path}{os.pathsep}{os.environ["PATH"]}', PYTHON='python')
    command = ['tools/slurm_test.sh', 'part', 'job', 'c.py', 'e 1.pth', '--role', 'val']
    lines = lines_of(command, **env)
    assert '--ntasks=1' in lines
    assert lines[-7:] == [
        'tools/test.py', 'c.py', 'e 1.pth', '--launcher', 'slurm', '--role', 'val'
    ]  # fmt: skip


@pytest.mark.parametrize(
    'command, variables, named',
    [
        (['dist_train.sh', 'c.py', 'abc'], {}, 'abc processes'),
        (['dist_test.sh', 'c.py', 'e.pth', '0'], {}, '0 processes'),
        (['misc/train_and_test.sh', 'c.py', 'w', 'abc'], {}, 'GPUS is a number'),
        (['dist_train.sh', 'c.py', '2'], dict(PORT='abc'), 'PORT=abc'),
        (['dist_train.sh', 'c.py', '2'], dict(PORT='70000'), '1 to 65535'),
        (['dist_train.sh', 'c.py', '2'], dict(NNODES='0'), 'NNODES=0'),
        (['dist_train.sh', 'c.py', '2'], dict(NNODES='2', NODE_RANK='2'), '0 to NNODES - 1'),
        (['dist_test.sh', 'c.py', 'e.pth', '2'], dict(NODE_RANK='x'), 'NODE_RANK=x'),
        (['slurm_train.sh', 'p', 'j', 'c.py'], dict(GPUS='abc'), 'GPUS=abc'),
        (['slurm_test.sh', 'p', 'j', 'c.py', 'e.pth'], dict(CPUS_PER_TASK='-1'), 'CPUS_PER_TASK'),
    ],
)
def test_a_number_for_a_launcher_that_is_none_is_refused_in_one_line(command, variables, named):
    command = [f'tools/{command[0]}', *command[1:]]
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith('error: ') and named in done.stderr
    assert done.stderr.count('\n') == 1


def test_a_work_dir_with_a_run_is_resumed_and_said(tmp_path):
    python = fake(tmp_path, 'python', 'printf "%s\\n" "$@"')
    (tmp_path / 'epoch_1.pth').touch()
    lines = lines_of(['tools/misc/train_and_test.sh', 'c.py', str(tmp_path)], PYTHON=str(python))
    assert '--resume' in lines and 'holds a run, which goes on' in lines[0]


@pytest.mark.parametrize('processes', ['1', '2'])
def test_train_and_test_starts_commands_that_exist(processes, tmp_path):
    python = fake(tmp_path, 'python', f'printf "%s\\n" "$@"; touch {tmp_path}/epoch_1.pth')
    command = ['tools/misc/train_and_test.sh', 'the config', str(tmp_path), processes]
    lines = lines_of(command, PYTHON=str(python))
    started = [Path(line) for line in lines if line.endswith('.py')]
    assert [path.name for path in started] == ['train.py', 'test.py']
    assert all(path.is_file() for path in started)


def test_make_train_goes_from_store_to_table_with_the_config_that_is_asked_for(tmp_path):
    (tmp_path / 'store').mkdir()
    (tmp_path / 'store' / 'manifest.json').touch()
    plain = lines_of(['make', '-n', 'train'])
    mine = lines_of(['make', '-n', 'train', 'CONFIG=configs/a/b.py', f'DATA={tmp_path}', 'GPUS=2'])
    assert plain[-1].endswith('train_and_test.sh configs/quick/recommended_semi.py '
                              'work_dirs/quick_recommended_semi 1 test')  # fmt: skip
    assert mine[-1].endswith('train_and_test.sh configs/a/b.py work_dirs/a_b 2 test')
    assert not any('phantom' in line for line in mine)


def test_make_help_names_every_target():
    (targets,) = re.findall(r'^\.PHONY: (.+)$', Path('Makefile').read_text(), re.MULTILINE)
    shown = ' '.join(lines_of(['make', 'help']))
    assert all(re.search(rf'\b{target}\b', shown) for target in targets.split())


def test_make_test_lints_checks_types_and_tests():
    lines = ' '.join(lines_of(['make', '-n', 'test']))
    for command in ('ruff check', 'ruff format --check', 'mypy', 'pytest -n 2'):
        assert command in lines
