"""Files of runs and studies, as ``w2s compare`` and ``w2s report`` read them."""

from __future__ import annotations

import contextlib
import copy
import functools
import gzip
import io
import json
import random
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from w2s_mm.commands.launch import PlannedRun
from w2s_mm.commands.report import report
from w2s_mm.report import gather, read_archive, save_study

from .cases import Case, Defect

RESULTS = Path(__file__).parents[2] / 'docs' / 'results'
NAMES = ('time_to_target.json', 'weak_to_strong.json', 'run.json', 'gradient_norms.jsonl')
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 1 << 70, 10**400, 'x', '', [], [None], [[[]]], {}, {'a': 1}, 'nan',
    float('nan'), float('inf'), -float('inf'), 1e308, '../../escaped', '<script>', 'x' * 100_000,
)  # fmt: skip


@functools.cache
def contents() -> dict[str, dict[str, Any]]:
    """Two runs, a baseline and a student, with all their files."""
    runs = {}
    for name, gain in (('baseline', 0.0), ('student', 0.1)):
        history = [
            {'epoch': 0.5 * i, 'iter': 40 * i, 'train_seconds': 4.0 * i, 'wall_seconds': 5.0 * i,
             'value': 0.08 * i + gain}
            for i in range(1, 6)
        ]  # fmt: skip
        measured = {
            'format': 1, 'metric': 'coco/bbox_mAP_50', 'rule': 'greater', 'hits_in_a_row': 2,
            'seed': 0, 'config': name, 'max_iters': 200, 'val_interval_iters': 40,
            'finished': True, 'history': history,
            'targets': [{'threshold': 0.2, 'first': None, 'sustained': None}],
        }  # fmt: skip
        distilled = {
            'format': 2, 'metric': 'coco/bbox_mAP_50', 'rule': 'greater',
            'stop': {'type': 'SurpassGate', 'k': 2}, 'reference': 0.3,
            'reference_source': 'given', 'history': [], 'closed_at': {'iter': 160, 'epoch': 2.0},
            'weights': [{'head': 'Head', 'points': [[0, 0.0], [40, 2.0], [160, 0.0]]}],
        }  # fmt: skip
        record = {
            'format': 2, 'config': f'{name}.py', 'seed': 0, 'resumed': False, 'parameters': 12,
            'teacher': {'checkpoint': 'work_dirs/teacher/iter_200.pth', 'fingerprint': 'ff'},
            'initial_weights': 'aa', 'batches': ['b1', 'b2'],
            'software': {'w2s_mm': '0.2', 'torch': '2.11'}, 'hardware': {'device': 'CPU'},
            'settings': {'model': {'type': 'Net'}, 'optim_wrapper': {'optimizer': {'lr': 0.1}}},
        }  # fmt: skip
        norms = [
            {'format': 2, 'interval': 10},
            *({'iter': i, 'grad_norm_base': 1.0, 'grad_norm_distill': 0.5, 'grad_cosine': 0.1}
              for i in (10, 20)),
        ]  # fmt: skip
        runs[name] = dict(zip(NAMES, (measured, distilled, record, norms), strict=True))
    del runs['baseline']['weak_to_strong.json']
    runs['baseline']['run.json']['teacher'] = None
    return runs


def encoded(name: str, content: Any) -> bytes:
    """A file's bytes."""
    if name.endswith('.jsonl') and isinstance(content, list):
        return ''.join(json.dumps(line) + '\n' for line in content).encode()
    return json.dumps(content).encode()


def write(folder: Path, changed: str, raw: bytes) -> list[str]:
    """Write both runs, one file of the student's changed; the directories."""
    for run, files in contents().items():
        (folder / run / 'seed0').mkdir(parents=True)
        for name, content in files.items():
            bad = run == 'student' and name == changed
            (folder / run / 'seed0' / name).write_bytes(raw if bad else encoded(name, content))
    return [str(folder / run / 'seed0') for run in contents()]


def _report(folder: Path, arguments: list[str], drawn: bool) -> None:
    out = ['--out', str(folder / 'inside' / 'out')] if drawn else []
    with contextlib.redirect_stdout(io.StringIO()):
        report([*arguments, *out])
    if [path for path in folder.iterdir() if 'escaped' in path.name]:
        raise Defect('a file outside of the folder was written')


def use_runs(folder: Path, dirs: list[str], drawn: bool) -> None:
    """What compare and report do with them."""
    baseline, student = dirs
    PlannedRun('student', 'c.py', 0, Path(student)).finished  # noqa: B018
    _report(folder, [student, '--baseline', baseline], drawn)


def use_study(folder: Path, path: Path, drawn: bool) -> None:
    """What report does with it."""
    _report(folder, [str(path)], drawn)


def is_drawn(raw: bytes) -> bool:
    """Whether the report of a case is written: one in eight, as its pictures take time."""
    return zlib.crc32(raw) % 8 == 0


def all_cases(seed: int, scale: float = 1.0) -> Iterator[Case]:
    """All cases of run files."""
    for name in NAMES:
        yield from _texts(seed, scale, name)
        for index in range(round(300 * scale)):

            def changed(name: str = name, index: int = index) -> bytes:
                rng = random.Random(f'{seed} {name} {index}')
                return encoded(name, mutated(contents()['student'][name], rng))

            yield _run_case('run file: wrong type', f'{name} {index}', name, changed)
    yield from studies(seed, scale)


def _run_case(kind: str, label: str, name: str, make: Callable[[], bytes]) -> Case:
    def written(folder: Path) -> Callable[[], None]:
        raw = make()
        return partial(use_runs, folder, write(folder, name, raw), is_drawn(raw))

    return Case(kind, label, written, 'seed0')


def _texts(seed: int, scale: float, name: str) -> Iterator[Case]:
    whole = partial(lambda name: encoded(name, contents()['student'][name]), name)
    special = {
        'empty': b'', 'null': b'null', 'a list': b'[]', 'a number': b'5', 'zero bytes': bytes(99),
        'not UTF-8': b'\xff\xfe{}', 'deep': b'[' * 200_000, 'deep dicts': b'{"a":' * 100_000,
        'digits': b'{"format":' + b'1' * 100_000 + b'}', 'HTML': b'<!DOCTYPE html>',
        'huge exponent': b'{"format": 1e999}', 'twice': b'{"format": 1}{"format": 1}',
    }  # fmt: skip
    for label, raw in special.items():
        yield _run_case('run file: other text', f'{name} {label}', name, partial(bytes, raw))
    for index in range(round(120 * scale)):

        def cut(index: int = index) -> bytes:
            content = whole()
            return content[: random.Random(f'{seed} cut {index}').randrange(len(content))]

        def flip(index: int = index) -> bytes:
            rng, content = random.Random(f'{seed} flip {index}'), bytearray(whole())
            for _ in range(rng.choice((1, 1, 3))):
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            return bytes(content)

        yield _run_case('run file: truncated', f'{name} {index}', name, cut)
        yield _run_case('run file: bits flipped', f'{name} {index}', name, flip)


def mutated(content: Any, rng: random.Random) -> Any:
    """A copy in which one value, at any depth, is odd, missing or repeated."""
    content = copy.deepcopy(content)
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            places.append((node, key))
            if isinstance(value, (dict, list)):
                walk(value)

    walk(content)
    node, key = rng.choice(places)
    change = rng.random()
    if change < 0.8:
        node[key] = copy.deepcopy(rng.choice(ODD))
    elif change < 0.9:
        del node[key]
    elif isinstance(node, list):
        node.insert(key, copy.deepcopy(node[key]))
    else:
        node[str(key) + rng.choice(('x', '/../..', '\0'))] = node.pop(key)
    return content


@functools.cache
def _study() -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        baseline, student = write(folder, '', b'')
        path = folder / 'study.json.gz'
        save_study(path, gather([student], [baseline]))
        read_archive(path)
        return path.read_bytes()


def studies(seed: int, scale: float) -> Iterator[Case]:
    """Compressed studies."""

    def case(kind: str, label: str, make: Callable[[], bytes]) -> Case:
        def written(folder: Path) -> Callable[[], None]:
            path = folder / 'inside' / 'study.json.gz'
            path.parent.mkdir()
            raw = make()
            path.write_bytes(raw)
            return partial(use_study, folder, path, is_drawn(raw))

        return Case(kind, label, written, 'study.json.gz')

    for index in range(round(300 * scale)):

        def cut(index: int = index) -> bytes:
            return _study()[: random.Random(f'{seed} study {index}').randrange(len(_study()))]

        def flip(index: int = index) -> bytes:
            rng, content = random.Random(f'{seed} study flip {index}'), bytearray(_study())
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            return bytes(content)

        def wrong(index: int = index) -> bytes:
            rng = random.Random(f'{seed} study type {index}')
            content = mutated(json.loads(gzip.decompress(_study())), rng)
            return gzip.compress(json.dumps(content).encode())

        yield case('study: truncated', f'{index}', cut)
        yield case('study: bits flipped', f'{index}', flip)
        yield case('study: wrong type', f'{index}', wrong)
    yield case('study: bomb', 'zeros', lambda: gzip.compress(bytes(128 << 20)))
    yield case('study: bomb', 'blanks', lambda: gzip.compress(b' ' * (128 << 20)))
    yield case('study: bomb', 'deep', lambda: gzip.compress(b'[' * 1_000_000))
