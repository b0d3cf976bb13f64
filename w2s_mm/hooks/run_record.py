"""Record the resolved config, initial weights, first batches, software and hardware of a run."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import mmengine
import torch
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import nn

import w2s_mm
from w2s_mm.utils import checks
from w2s_mm.utils.batch import total_batch
from w2s_mm.utils.files import read_json, write_json
from w2s_mm.utils.hashing import hash_state, hash_tensors
from w2s_mm.utils.mm import config_name, is_resuming, plain_types, unwrapped
from w2s_mm.utils.run_files import FORMATS, RECORD
from w2s_mm.utils.settings import recorded

from .start import StartHook

PACKAGES = ('mmcv', 'mmdet', 'mmpretrain', 'diffusers', 'torchvision')
PACKAGE = Path(w2s_mm.__file__).parent


@HOOKS.register_module()
class RunRecordHook(Hook):
    """Writes ``run.json``: resolved config, hashes, versions, hardware.

    ``w2s train`` adds this hook.

    Two runs form a pair only if they start from the same weights and see the same batches. To check
    this, the student's weights before the first iteration and the first batches from the loader are
    hashed. A resumed run keeps its existing record; other software or hardware, such as another
    number of threads, is told in the log and added to it, as sums of floats depend on them.

    Args:
        batches: Number of batches to hash.
    """

    priority = 'LOWEST'  # after the teacher is built; the weights are still the initial ones

    def __init__(self, batches: int = 3) -> None:
        checks.whole_number('batches of RunRecordHook', batches, least=0)
        self.batches = batches
        self._record: dict[str, Any] | None = None

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Save the record, from which a resumed run writes the file again."""
        checkpoint['run_record'] = self._record

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Read the record from a resumed checkpoint; ``load_from`` is ignored."""
        if is_resuming(runner) and is_main_process():
            self._record = checkpoint.get('run_record')

    def before_train(self, runner: Any) -> None:
        """Hash the weights, and collect software and hardware."""
        if not is_main_process():
            return
        if self._record is None and is_resuming(runner):  # of a version that did not save it
            self._record = read_json(Path(runner.work_dir) / RECORD)
        if self._record is not None:
            self._note_changes(runner)
            self._write(runner)
            return
        model = unwrapped(runner.model)
        teacher: Any = getattr(model, 'teacher', None)
        batch = total_batch(runner.cfg, get_world_size())
        self._record = {
            'format': FORMATS[RECORD],
            'config': config_name(runner.cfg.filename) if runner.cfg.filename else None,
            'seed': runner.seed,
            'resumed': is_resuming(runner),
            'parameters': sum(p.numel() for p in model.parameters()),
            'teacher': None
            if getattr(teacher, 'fingerprint', None) is None
            else {'checkpoint': teacher.checkpoint, 'fingerprint': teacher.fingerprint},
            'start': next((h.summary for h in runner.hooks if isinstance(h, StartHook)), None),
            # A resumed run no longer has its initial weights.
            'initial_weights': None if is_resuming(runner) else hash_weights(model),
            'batch': None if batch is None else batch.record(),
            'batches': [],
            'settings': recorded(plain_types(runner.cfg)),
            'software': versions(),
            'hardware': hardware(),
        }
        self._write(runner)

    def _note_changes(self, runner: Any) -> None:
        """Say and record with what other software or hardware the run goes on."""
        assert self._record is not None
        before = {**self._record['software'], **self._record['hardware']}
        now = {**versions(), **hardware()}
        changed = {
            name: [before[name], now[name]]
            for name in before
            if name in now and now[name] != before[name]
        }
        if changed:
            told = ', '.join(f'{name} {old} -> {new}' for name, (old, new) in changed.items())
            runner.logger.warning(
                f'The run goes on with other software or hardware ({told}). Its results may differ '
                f'from those of the uninterrupted run.'
            )
            self._record.setdefault('changed', []).append({'iter': runner.iter, **changed})

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Hash the first batches, then write the file."""
        if self._record is not None and not self._complete(runner):
            self._record['batches'].append(hash_tensors(data_batch)[:16])
            self._write(runner)

    def _complete(self, runner: Any) -> bool:
        assert self._record is not None
        wanted = min(self.batches, runner.max_iters)
        return self._record['resumed'] or len(self._record['batches']) >= wanted

    def _write(self, runner: Any) -> None:
        if self._complete(runner):
            write_json(Path(runner.work_dir) / RECORD, self._record)


def hash_weights(model: nn.Module) -> str:
    """Hash of a model's weights, independent of their order in the state dict."""
    return hash_state(dict(sorted(model.state_dict().items())))[:16]


def versions() -> dict[str, str | None]:
    """Versions of everything that can change a result, and the commit if under git."""
    found: dict[str, str | None] = {
        'w2s_mm': w2s_mm.__version__,
        'commit': _commit(),
        'python': platform.python_version(),
        'torch': str(torch.__version__),  # of another class, which weights_only refuses
        'cuda': torch.version.cuda if torch.cuda.is_available() else None,
        'mmengine': mmengine.__version__,
    }
    for package in PACKAGES:
        if package in sys.modules:  # packages that are not imported do not matter
            found[package] = getattr(sys.modules[package], '__version__', None)
    return found


def _commit() -> str | None:
    """Commit of the package, with ``+`` if files were modified; None if not under git."""

    def git(*arguments: str) -> str:
        command = ['git', '-C', str(PACKAGE), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git('ls-files', '--error-unmatch', '__init__.py')  # fails if not tracked
        changed = git('status', '--porcelain', '--untracked-files=no')
        return git('rev-parse', '--short=12', 'HEAD') + ('+' if changed else '')
    except (OSError, subprocess.CalledProcessError):
        return None


def hardware() -> dict[str, Any]:
    """Device, processor and number of processes of this run."""
    return {
        'device': torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU',
        'processor': _processor(),
        'cores': os.cpu_count(),
        'threads': torch.get_num_threads(),
        'processes': get_world_size(),
    }


def _processor() -> str:
    try:
        for line in Path('/proc/cpuinfo').read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
