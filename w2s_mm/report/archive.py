"""A study as one compressed file, from which its report can be made again.

The file is gzip-compressed JSON::

    {"kind": "w2s_mm study", "format": 1,
     "groups": {"main": {"taus": [...], "sustained": false, "margin": null,
                         "baseline": {"name": ..., "runs": [...]} or null,
                         "variants": [{"name": ..., "runs": [...]}],
                         "teachers": [{"run": ..., "checkpoint": ...}],
                         "rate_runs": [...],
                         "runs": {run: {"time_to_target.json": {...}, ...}}}},
     "extras": {name: any JSON}}

A group is one comparison; the files of its runs are kept unchanged. The same runs give the same
bytes.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import write_bytes
from w2s_mm.utils.shapes import NUMBER, misfit

from .gather import make_study
from .runs import Run, run_of
from .study import Study, TeacherRun, Variant

SUFFIX = '.json.gz'
MAIN = 'main'  # the group that a file with one comparison has
KIND = 'w2s_mm study'
FORMAT = 1
LARGEST = 64 << 20  # bytes of a study that are read; a small file can hold any number of zeros
_NAME = re.compile(r'[^/\\\0]{1,200}')  # a part of the names of the report's pictures


_SIDE = {'name': str, 'runs': [str]}
_SHAPE = {
    'taus': [NUMBER],
    'baseline': (_SIDE, None),
    'variants': [_SIDE],
    'teachers': [{'run': str, 'checkpoint': str}],
    'runs': dict,
    'rate_runs?': [str],
    'sustained?': bool,
    'margin?': (NUMBER, None),
}


@dataclass(frozen=True)
class Archive:
    """The content of such a file.

    Attributes:
        path: Where it was read.
        content: As described above.
    """

    path: Path
    content: dict[str, Any]

    @property
    def groups(self) -> list[str]:
        """Names of the comparisons."""
        return list(self.content['groups'])

    def study(self, group: str | None = None) -> Study:
        """One comparison of the file.

        Args:
            group: Its name; by default ``main``, or the only one.

        Raises:
            W2SError: There is no such group, it is damaged, or its runs cannot be compared.
        """
        group = group or (self.groups[0] if len(self.groups) == 1 else MAIN)
        if group not in self.groups:
            raise W2SError(
                f'{self.path} has no group {group!r}; it has: {", ".join(self.groups)}. '
                f'Choose one of them with --group.'
            )
        told = self.content['groups'][group]
        try:
            if problem := misfit(told, _SHAPE):
                raise TypeError(problem)
            for side in (*told['variants'], told['baseline']):
                if side and not _NAME.fullmatch(side['name']):
                    raise TypeError(f'a variant has the name {side["name"][:80]!r}')
            runs = {
                name: run_of(self.path / group / name, files)
                for name, files in told['runs'].items()
            }
            sides = [
                Variant(side['name'], [runs[name] for name in side['runs']])
                for side in (*told['variants'], told['baseline'])
                if side
            ]
            baseline = sides.pop() if told['baseline'] else None
            teachers = [TeacherRun(runs[t['run']], t['checkpoint']) for t in told['teachers']]
            return make_study(
                sides,
                baseline,
                told['taus'],
                teachers,
                # The oldest files have none of these.
                rate_runs=[runs[name] for name in told.get('rate_runs', ())],
                sustained=told.get('sustained', False),
                margin=told.get('margin'),
            )
        except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise W2SError(
                f'Group {group!r} of {self.path} is damaged ({error!r}). Save it again: '
                f'w2s report RUN_DIR... --save {self.path.name}'
            ) from error


def read_archive(path: str | Path) -> Archive:
    """Read a study's file.

    Raises:
        W2SError: It cannot be read, is no such file, or another version wrote it.
    """
    path = Path(path)
    try:
        with gzip.open(path) as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ValueError(f'it has more than {LARGEST:,} bytes')
        content = json.loads(text)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise W2SError(
            f'{path} cannot be read as a study ({str(error)[:200]}). Expected a file written by '
            f'w2s report --save.'
        ) from error
    if not isinstance(content, dict) or content.get('kind') != KIND:
        raise W2SError(f'{path} is not a study. Expected a file written by w2s report --save.')
    if content.get('format') != FORMAT or not isinstance(content.get('groups'), dict):
        raise W2SError(
            f'{path} has format {content.get("format")}; this version reads {FORMAT}. Read it with '
            f'the version of w2s_mm that wrote it.'
        )
    return Archive(path, content)


def save_study(path: str | Path, study: Study, group: str = MAIN) -> None:
    """Save a study; other groups that the file already has are kept.

    Args:
        path: File to write.
        study: What to save.
        group: Its name in the file.

    Raises:
        W2SError: The file exists and is not that of a study.
    """
    path = Path(path)
    if not path.name.endswith(SUFFIX):
        raise W2SError(f'The file of a study ends with {SUFFIX}; found {path}.')
    content: dict[str, Any] = {'kind': KIND, 'format': FORMAT, 'groups': {}, 'extras': {}}
    if path.exists():
        content = read_archive(path).content
    groups = {**content['groups'], group: _described(study)}
    # A group named main comes first, the others by name.
    ordered = sorted(groups, key=lambda name: (name != MAIN, name))
    write_archive(path, {**content, 'groups': {name: groups[name] for name in ordered}})


def write_archive(path: str | Path, content: dict[str, Any]) -> None:
    """Write the content of a study's file, the same bytes for the same content."""
    text = json.dumps(content, separators=(',', ':'))
    write_bytes(path, gzip.compress(text.encode(), mtime=0))


def _described(study: Study) -> dict[str, Any]:
    taught = [teacher.run for teacher in study.teachers]
    every = [*study.all_runs, *study.rate_runs, *taught]
    names = _names(every)

    def side(variant: Variant) -> dict[str, Any]:
        shorter = [each for part in study.shortened for each in part.sides]
        runs = [
            run for each in (variant, *shorter) if each.name == variant.name for run in each.runs
        ]
        return {'name': variant.name, 'runs': [names[run.path] for run in runs]}

    return {
        'taus': study.taus,
        'sustained': study.sustained,
        'margin': study.margin,
        'baseline': side(study.baseline) if study.baseline else None,
        'variants': [side(variant) for variant in study.variants],
        'teachers': [
            {'run': names[teacher.run.path], 'checkpoint': teacher.checkpoint}
            for teacher in study.teachers
        ],
        'rate_runs': [names[run.path] for run in study.rate_runs],
        'runs': dict(sorted((names[run.path], dict(run.files)) for run in every)),
    }


def _names(runs: Sequence[Run]) -> dict[Path, str]:
    """Names of runs in the file: their paths below the directory that has them all."""
    places = {run.path: Path(os.path.abspath(run.path)) for run in runs}
    root = os.path.commonpath([place.parent for place in places.values()])
    return {path: place.relative_to(root).as_posix() for path, place in places.items()}
