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

from w2s_mm.commands.environment import BY_TASK, check_environment, check_operators
from w2s_mm.utils.errors import W2SError

RUN_AGAIN = 'Run the same command again to continue.'
_TASK_OF_SCOPE = {'mmdet': 'detection', 'mmpretrain': 'classification'}
# MMDetection warns about an optional package that this one does not use.
_STACK_NOISE = '.*faster_coco_eval is not installed'


def options_parser(name: str, description: str) -> argparse.ArgumentParser:
    """Parser with the arguments of every command that reads configs.

    Args:
        name: The command, as typed after ``w2s``.
        description: What it does.
    """
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(prog=f'w2s {name}', description=description)
    parser.add_argument('--work-dir', help='directory for logs, checkpoints and results')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='settings to override, as key.path=value; model.gamma=0 switches distillation off',
    )
    return parser


def config_parser(name: str, description: str) -> argparse.ArgumentParser:
    """Parser with the arguments of every command on one config; see :func:`options_parser`."""
    parser = options_parser(name, description)
    parser.add_argument('config', help='config file, or a name such as w2s_mm::digits/...py')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    # torch.distributed.launch passes it; torchrun sets LOCAL_RANK instead.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser


def add_band(parser: argparse.ArgumentParser) -> None:
    """Add ``--band``, the width of the operating band."""
    parser.add_argument(
        '--band',
        type=float,
        default=0.15,
        help='how much weaker than the baseline a teacher may be; default: %(default)s',
    )


def add_auto_scale_lr(parser: argparse.ArgumentParser) -> None:
    """Add ``--auto-scale-lr``; see :func:`all_options`."""
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate to the total batch (batch size x processes x accumulation), '
        'where that differs from auto_scale_lr.base_batch_size of the config',
    )


def all_options(args: argparse.Namespace) -> dict[str, Any]:
    """``--cfg-options``, and what ``--auto-scale-lr`` sets."""
    scale = {'auto_scale_lr.enable': True} if args.auto_scale_lr else {}
    return {**args.cfg_options, **scale}


def read_config(args: argparse.Namespace) -> Any:
    """The config that the arguments of :func:`config_parser` ask for.

    Raises:
        W2SError: There is no such file, something that it needs is missing, or it has settings of
            an earlier version.
    """
    from .old_settings import refuse_old_settings

    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = read_checked(args.config)
    cfg.launcher = args.launcher
    cfg.merge_from_dict(args.cfg_options)
    refuse_old_settings(cfg, args.config)
    prepare_cpu_processes(cfg)
    if args.work_dir or not cfg.get('work_dir'):
        cfg.work_dir = args.work_dir or str(Path('work_dirs') / Path(args.config).stem)
    return cfg


def read_checked(name: str) -> Any:
    """Read a config, and check what its task needs before anything of it is imported.

    Raises:
        W2SError: There is no such file, or something that it needs is missing; see
            :func:`~w2s_mm.commands.environment.check_environment`.
    """
    from mmengine.utils import import_modules_from_strings

    from w2s_mm.utils.mm import read_config_file

    from .old_settings import explain_missing_base

    try:
        cfg = read_config_file(name, import_custom_modules=False)
    except ImportError:  # of a package whose config it inherits
        check_environment(BY_TASK)
        raise
    except AttributeError as error:
        explain_missing_base(error, name)
        raise
    custom = cfg.get('custom_imports') or {}
    names = custom.get('imports') or ()
    names = [names] if isinstance(names, str) else names
    tasks = {task for task in BY_TASK if f'w2s_mm.{task}' in names}
    if (scope := cfg.get('default_scope')) in _TASK_OF_SCOPE:
        tasks.add(_TASK_OF_SCOPE[scope])
    check_environment(sorted(tasks))
    if 'detection' in tasks:
        check_operators()
    if 'detection' in tasks:
        with contextlib.redirect_stdout(io.StringIO()):  # mmdet prints what it cannot import
            importlib.import_module('mmdet.datasets')
    if custom:
        import_modules_from_strings(**custom)
    return cfg


def prepare_cpu_processes(cfg: Any) -> None:
    """Let several processes train by gloo where there is no accelerator.

    MMEngine asks for a GPU twice: when it initialises the process group, unless that is done
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
    """Destroy the process group, as gloo aborts the process otherwise.

    A wrapped model holds the group and so its threads, which abort the process when they outlive
    the interpreter: call it where nothing refers to the runner any more.
    """
    from torch import distributed

    if distributed.is_initialized():
        gc.collect()  # a runner is full of reference cycles
        distributed.destroy_process_group()


def run_command(
    command: Callable[[], Any], resume: str = RUN_AGAIN, needs_stack: bool = True
) -> None:
    """Run a command; an error meant for the user is shown without a traceback, exit status 2.

    Args:
        command: What to run.
        resume: What to type after an interruption.
        needs_stack: Whether the command needs torch, MMEngine and MMCV.
    """
    warnings.filterwarnings('ignore', message=_STACK_NOISE)
    try:
        if not needs_stack:
            command()
            return
        check_environment(())  # the packages of a task are checked when its config is read
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
