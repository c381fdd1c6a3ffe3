import argparse
import importlib
import os
import subprocess
import sys

import pytest

from dragstream_ros import cli


def test_help_names_every_command_and_does_not_wait_for_torch():
    program = (
        'import sys; from dragstream_ros import cli\n'
        'try: cli.main(["--help"])\n'
        'except SystemExit as end: print("status", end.code)\n'
        'print("torch" in sys.modules, "rclpy" in sys.modules, "cv2" in sys.modules)'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert done.stdout.endswith('status 0\nFalse False False\n'), done.stdout + done.stderr
    assert all(f' {name} ' in done.stdout for name in cli.COMMANDS)


@pytest.mark.parametrize('name', cli.COMMANDS)
def test_every_command_describes_its_arguments_and_can_be_run(name):
    module = importlib.import_module(cli.COMMANDS[name][0])
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    assert parser.format_help()
    assert callable(module.main)


def test_no_command_is_answered_with_the_usage(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([])
    assert end.value.code == 2 and 'COMMAND' in capsys.readouterr().err


def test_the_status_of_a_command_is_that_of_the_program(monkeypatch):
    module = importlib.import_module('dragstream_ros.runner')
    monkeypatch.setattr(module, 'main', lambda args: 3 if args.name == 'demo' else 0)
    assert cli.main(['run', 'demo']) == 3
    assert cli.main(['run', 'predictor']) == 0


@pytest.mark.parametrize(('said', 'threads'), [(None, '1'), ('3', '3')])
@pytest.mark.parametrize('start', ['import dragstream_ros.nodes', 'cli.main(["models"])'])
def test_linear_algebra_has_one_thread_unless_somebody_says_otherwise(start, said, threads):
    environment = {key: value for key, value in os.environ.items() if 'NUM_THREADS' not in key}
    if said:
        environment['OPENBLAS_NUM_THREADS'] = said
    program = f'import os\nfrom dragstream_ros import cli\n{start}\n' \
        'print(os.environ["OPENBLAS_NUM_THREADS"])'
    run = subprocess.run([sys.executable, '-c', program], env=environment, text=True,
                         capture_output=True, check=True)
    assert run.stdout.split()[-1] == threads
