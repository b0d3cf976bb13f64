"""Contract 6 of the design: who may import whom, read from the sources."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / 'w2s_mm'
TASKS = {'detection', 'classification', 'generation'}
STACK = {'mmengine', 'mmcv', 'mmdet', 'mmpretrain'}
TASK_PACKAGES = {'mmdet', 'mmpretrain', 'diffusers'}
TORCH = {'torch', 'torchvision'}
# What each room may import of the others; commands may import all of them.
ARROWS = {
    'utils': set(),
    'core': {'utils'},
    'losses': {'core', 'utils'},
    **{task: {'losses', 'core', 'utils'} for task in TASKS},
    'optim': {'utils'},
    'datasets': {'utils'},
    'hooks': {'core', 'utils'},
    'report': {'core', 'utils'},
    'advice': {'report', 'core', 'utils'},
}
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
    if here in ARROWS:
        assert rooms <= ARROWS[here]
    elif here != 'commands':  # the package itself
        assert rooms <= {'commands'} and not packages & (TORCH | STACK)
    if here not in TASKS | {'commands'}:
        assert not packages & TASK_PACKAGES


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


@pytest.mark.parametrize('path', [path for path in SOURCES if room(path) == 'report'], ids=named)
def test_a_report_needs_no_torch_on_any_way(path):
    for file in reached(path, set()):
        _, packages = rooms_and_packages(file)
        assert not packages & (TORCH | STACK), f'{named(path)} reaches {named(file)}'


@pytest.mark.parametrize(
    'name',
    ['core/schedule.py', 'core/stop.py', 'core/metric.py', 'utils/errors.py', 'utils/files.py'],
)
def test_schedule_stop_and_metric_import_no_torch(name):
    _, packages = rooms_and_packages(PACKAGE / name)
    assert not packages & (TORCH | STACK)
