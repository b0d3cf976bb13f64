"""What the commands have in common."""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import io
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from w2s_mm.commands.environment import BY_TASK, check_environment
from w2s_mm.utils.errors import W2SError

_TASK_OF_SCOPE = {'mmdet': 'detection', 'mmpretrain': 'classification'}
# Said about an optional package that nothing here uses.
_STACK_NOISE = '.*faster_coco_eval is not installed'


def options_parser(description: str | None) -> argparse.ArgumentParser:
    """Arguments that every command on configs takes."""
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--work-dir', help='where logs, checkpoints and results go')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings to override, as key.path=value; model.gamma=0 switches distillation off',
    )
    return parser


def common_parser(description: str | None) -> argparse.ArgumentParser:
    """Arguments that every command on one config takes."""
    parser = options_parser(description)
    parser.add_argument('config', help='config file')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    # torch.distributed.launch passes it; torchrun sets LOCAL_RANK instead.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser


def read_config(args: argparse.Namespace) -> Any:
    """The config with the command line's overrides.

    Raises:
        W2SError: There is no such file, or something that it needs is missing.
    """
    from mmengine.config import Config

    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    check_config_environment(args.config)
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    cfg.merge_from_dict(args.cfg_options)
    prepare_cpu_processes(cfg)
    if args.work_dir or not cfg.get('work_dir'):
        cfg.work_dir = args.work_dir or str(Path('work_dirs') / Path(args.config).stem)
    return cfg


def check_config_environment(path: str) -> None:
    """Look for what the tasks of a config need, before its ``custom_imports`` import it.

    Raises:
        W2SError: There is no such file, or something that it needs is missing; see
            :func:`~w2s_mm.commands.environment.check_environment`.
    """
    from mmengine.config import Config

    if not Path(path).is_file():
        raise W2SError(f'Config not found: {path} (looked for {Path(path).absolute()}).')
    try:
        cfg = Config.fromfile(path, import_custom_modules=False)
    except ImportError:  # of a package whose config it inherits
        check_environment(BY_TASK)
        raise
    names = (cfg.get('custom_imports') or {}).get('imports') or ()
    names = [names] if isinstance(names, str) else names
    tasks = {task for task in BY_TASK if f'w2s_mm.{task}' in names}
    if (scope := cfg.get('default_scope')) in _TASK_OF_SCOPE:
        tasks.add(_TASK_OF_SCOPE[scope])
    check_environment(sorted(tasks))
    if 'detection' in tasks:
        with contextlib.redirect_stdout(io.StringIO()):  # mmdet prints what it cannot import
            importlib.import_module('mmdet.datasets')


def prepare_cpu_processes(cfg: Any) -> None:
    """Let several processes train by gloo where there is no accelerator.

    Started so, MMEngine asks for a GPU twice: when it joins the processes, unless they are joined
    already, and when it wraps the model, unless the config says how.
    """
    from mmengine.device import get_device
    from torch import distributed

    if cfg.launcher != 'pytorch' or get_device() != 'cpu':
        return
    if not distributed.is_initialized():
        distributed.init_process_group('gloo')
    if 'model_wrapper_cfg' not in cfg:
        cfg.model_wrapper_cfg = {
            'type': 'MMDistributedDataParallel',
            'device_ids': None,
            'broadcast_buffers': False,
            'find_unused_parameters': cfg.get('find_unused_parameters', False),
        }


def leave_processes() -> None:
    """Part from the other processes in order; gloo aborts otherwise.

    A wrapped model holds the group and so its threads, which abort the process when they outlive
    the interpreter: call it where nothing refers to the runner any more.
    """
    from torch import distributed

    if distributed.is_initialized():
        gc.collect()  # a runner is full of circles
        distributed.destroy_process_group()


def run_command(
    command: Callable[[], Any], resume: str = 'Go on with the same command and --resume.'
) -> None:
    """Run a command; an error meant for the user is shown without a traceback, exit status 2.

    Args:
        command: What to run.
        resume: What to type after an interruption.
    """
    warnings.filterwarnings('ignore', message=_STACK_NOISE)
    try:
        check_environment(())  # what a config's task needs is looked for when it is read
        try:
            command()
        finally:
            leave_processes()
    except W2SError as error:
        print(f'\nerror: {error}', file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f'\nInterrupted. {resume}', file=sys.stderr)
        sys.exit(130)
