"""Contract 6 of the design: who may import whom, read from the sources."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / 'w2s_mm'
TASKS = {'detection', 'classification', 'generation'}
STACK = {'mmengine', 'mmcv', 'mmdet', 'mmpretrain'}
TASK_PACKAGES = {'mmdet', 'mmpretrain', 'diffusers'}
TORCH = {'torch', 'torchvision'}
SOURCES = sorted(PACKAGE.rglob('*.py'))


def imports(path):
    """Absolute names of what a file imports, wherever in the file it does."""
    here = path.relative_to(PACKAGE.parent).with_suffix('').parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = '.'.join(here[: -node.level]) if node.level else ''
            module = '.'.join(filter(None, (base, node.module)))
            yield from (f'{module}.{alias.name}' for alias in node.names)


def room(path):
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ''


def rooms_and_packages(path):
    """The rooms of w2s_mm and the other packages that a file imports."""
    names = [name.split('.') for name in imports(path)]
    rooms = {name[1] for name in names if name[0] == 'w2s_mm' and len(name) > 1}
    return rooms, {name[0] for name in names if name[0] != 'w2s_mm'}


def named(path):
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize('path', SOURCES, ids=named)
def test_arrows(path):
    rooms, packages = rooms_and_packages(path)
    here = room(path)
    rooms -= {here, '__version__'}
    if here == '':
        assert not rooms and not packages
    elif here == 'core':
        assert not rooms
        assert not packages & TASK_PACKAGES
    elif here == 'hooks':
        assert rooms <= {'core'}
        assert not packages & TASK_PACKAGES
    elif here in TASKS:
        assert not rooms & (TASKS | {'hooks', 'engine', 'analysis'})
    elif here == 'analysis':
        assert rooms <= {'core'}
        assert not packages & (TORCH | STACK)
    else:  # data sets, optimizers, the commands
        assert not rooms & TASKS
        if here != 'engine':
            assert not rooms & {'hooks', 'engine', 'analysis'}


def reached(path, seen):
    """Files of the package that importing ``path`` runs, packages on the way included."""
    if path in seen or not path.is_file():
        return seen
    seen.add(path)
    for name in imports(path):
        parts = name.split('.')
        if parts[0] != 'w2s_mm':
            continue
        for end in range(1, len(parts) + 1):
            file = PACKAGE.parent.joinpath(*parts[:end])
            reached(file / '__init__.py', seen)
            reached(file.with_suffix('.py'), seen)
    return seen


@pytest.mark.parametrize('path', [path for path in SOURCES if room(path) == 'analysis'], ids=named)
def test_reading_logs_needs_no_torch_on_any_way(path):
    for file in reached(path, set()):
        _, packages = rooms_and_packages(file)
        assert not packages & (TORCH | STACK), f'{named(path)} reaches {named(file)}'


def test_core_schedule_and_gate_know_no_torch():
    for name in ('schedule.py', 'gate.py', 'errors.py', 'files.py', 'first_at.py'):
        _, packages = rooms_and_packages(PACKAGE / 'core' / name)
        assert not packages & (TORCH | STACK), name
