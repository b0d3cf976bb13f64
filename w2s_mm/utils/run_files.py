"""Names and formats of the files that a run writes to its work directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .errors import W2SError
from .files import read_json_lines
from .shapes import ANY_NUMBER, COUNT, NUMBER, misfit

TIME_TO_TARGET = 'time_to_target.json'  # TimeToTargetHook
WEAK_TO_STRONG = 'weak_to_strong.json'  # WeakToStrongHook
RECORD = 'run.json'  # RunRecordHook
GRADIENT_NORMS = 'gradient_norms.jsonl'  # GradientNormHook: its settings, then a line each time
OLD_GRADIENT_NORMS = 'gradient_norms.json'  # before version 0.2
TEACHER_REFERENCE = 'teacher_reference.json'  # cache of the measured reference
LAST_CHECKPOINT = 'last_checkpoint'  # MMEngine's CheckpointHook

# Formats that are written and read. Since format 2, WEAK_TO_STRONG has the weights used, and RECORD
# the resolved config.
FORMATS = {
    TIME_TO_TARGET: 1,
    WEAK_TO_STRONG: 2,
    RECORD: 2,
    GRADIENT_NORMS: 2,
    OLD_GRADIENT_NORMS: 1,
}
_READ = {WEAK_TO_STRONG: (1, 2), RECORD: (1, 2)}

_NORMS = {
    'history': [
        {
            'iter': COUNT,
            'grad_norm_base': ANY_NUMBER,
            'grad_norm_distill': ANY_NUMBER,
            'grad_cosine': ANY_NUMBER,
        }
    ]
}
# What is read of them.
_SHAPES: dict[str, Any] = {
    TIME_TO_TARGET: {
        'metric': str,
        'rule': str,
        'seed': (COUNT, None),
        'hits_in_a_row': COUNT,
        'max_iters': COUNT,
        'finished': bool,
        'history': [
            {
                'iter': COUNT,
                'epoch': NUMBER,
                'train_seconds': NUMBER,
                'wall_seconds': NUMBER,
                'value': ANY_NUMBER,
            }
        ],
        'targets': [{'threshold': NUMBER}],
    },
    WEAK_TO_STRONG: {
        'reference': (NUMBER, None),
        'closed_at': ({'iter': NUMBER}, None),
        'weights?': [{'points': [[NUMBER]]}],
    },
    RECORD: {
        'seed?': (COUNT, None),
        'config': (str, None),
        'parameters': COUNT,
        'teacher': ({'checkpoint': str}, None),
        'initial_weights': (str, None),
        'batches': [str],
        'software': dict,
        'hardware': dict,
        'settings?': (dict, None),
    },
    GRADIENT_NORMS: _NORMS,
    OLD_GRADIENT_NORMS: _NORMS,
}


def read_run_file(path: str | Path) -> dict[str, Any]:
    """Read one of the files above; of JSON lines, all but the first are its ``history``.

    Raises:
        W2SError: It cannot be read, or has an unsupported format.
    """
    path = Path(path)
    try:
        if path.suffix == '.jsonl':
            first, *lines = read_json_lines(path) or [None]
            content = {**first, 'history': lines} if isinstance(first, dict) else first
        else:
            content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise W2SError(
            f'{path} cannot be read as JSON ({str(error)[:200]}). If it was cut short, run w2s '
            f'train with --resume in its work directory to write it again.'
        ) from error
    return checked(content, path.name, path)


def checked(content: Any, name: str, source: str | Path) -> dict[str, Any]:
    """Check the format of a run file and its structure, and return its content.

    Args:
        content: Content of the file.
        name: Name of the file, one of those above.
        source: Path of the file, for the message.

    Raises:
        W2SError: The format is not supported, or a part is missing or of another type.
    """
    expected = _READ.get(name, (FORMATS[name],))
    found = content.get('format') if isinstance(content, dict) else None
    if found not in expected:
        raise W2SError(
            f'{source} has format {repr(found)[:80]}; this version reads '
            f'{" and ".join(map(str, expected))}. Read it with the version of w2s_mm that wrote '
            f'it, or repeat the run.'
        )
    if problem := misfit(content, _SHAPES[name]):
        raise W2SError(
            f'{source} is damaged, or not what a run of this version writes: {problem}. Copy it '
            f'again, or repeat the run.'
        )
    return content


def last_checkpoint(run_dir: str | Path) -> Path:
    """Path of a run's last checkpoint, even if its work directory was moved.

    Raises:
        W2SError: There is none.
    """
    written = Path(run_dir) / LAST_CHECKPOINT
    name = Path(written.read_text().strip()).name if written.is_file() else ''
    path = written.with_name(name) if name else written
    if not name or not path.is_file():
        raise W2SError(
            f'{run_dir} has no last checkpoint{f" ({name})" if name else ""}. Expected the work '
            f'directory of a run with CheckpointHook.'
        )
    return path
