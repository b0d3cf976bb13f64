"""Contract 6 of the design: who may import whom, read from the sources."""

import ast
import functools
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / 'w2s_mm'
TASK_PACKAGES = {'mmdet', 'mmpretrain', 'diffusers'}
TORCH_AND_STACK = TASK_PACKAGES | {'torch', 'torchvision', 'mmengine', 'mmcv'}
SOURCES = sorted(PACKAGE.rglob('*.py'))

# The rooms that each room may import.
TASK = {'core', 'losses', 'utils'}  # the tasks never import each other
ROOMS = {
    '': {'commands'},
    'utils': set(),
    'core': {'utils'},
    'losses': {'core', 'utils'},
    'start': {'core', 'utils'},
    'optim': {'utils'},
    'datasets': {'utils'},
    'hooks': {'start', 'core', 'utils'},
    'detection': TASK,
    'classification': TASK,
    'generation': TASK,
    'report': {'core', 'utils'},
    'advice': {'report', 'core', 'utils'},
}
ROOMS['commands'] = ROOMS.keys() - {''}
# What imports neither torch nor MM, also through what it imports.
WITHOUT_TORCH = [
    *sorted(PACKAGE.glob('*.py')),
    *sorted((PACKAGE / 'report').glob('*.py')),
    *(PACKAGE / 'core' / f'{name}.py' for name in ('schedule', 'stop', 'metric')),
    *(PACKAGE / 'utils' / f'{name}.py' for name in ('errors', 'files', 'run_files')),
]


@functools.cache
def imports(path):
    """Absolute names of what a file imports, wherever in the file it does."""
    return list(_imports(path))


def _imports(path):
    here = path.relative_to(PACKAGE.parent).with_suffix('').parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = '.'.join(here[: -node.level]) if node.level else ''
            module = '.'.join(filter(None, (base, node.module)))
            yield from (f'{module}.{alias.name}' for alias in node.names)


def packages(path):
    return {name.split('.')[0] for name in imports(path)}


def named(path):
    return str(path.relative_to(PACKAGE))


def room(path):
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ''


def files(name):
    """Files of the package that importing ``name`` runs: ``a.b.c`` runs the packages a, a.b too."""
    parts = name.split('.')
    for end in range(1, len(parts) + 1):
        stem = PACKAGE.parent.joinpath(*parts[:end])
        yield from (
            file for file in (stem / '__init__.py', stem.with_suffix('.py')) if file.exists()
        )


def targets(path):
    """Files that a file names in its imports; packages on the way are not named."""
    for name in imports(path):
        if name.split('.')[0] == 'w2s_mm':
            yield list(files(name))[-1]


def reached(path, seen):
    """Files of the package that importing ``path`` runs, packages on the way included."""
    if path not in seen:
        seen.add(path)
        for name in imports(path):
            for file in files(name) if name.split('.')[0] == 'w2s_mm' else ():
                reached(file, seen)
    return seen


SHARED = [path for path in SOURCES if ROOMS[room(path)] is not TASK and room(path) != 'commands']


def circle(arrows):
    """The first circle in a graph as a list of nodes, empty where there is none."""
    done = set()

    def walk(node, way):
        if node in way:
            return [*way[way.index(node) :], node]
        if node in done:
            return []
        found = next(filter(None, (walk(to, [*way, node]) for to in sorted(arrows[node]))), [])
        done.add(node)
        return found

    return next(filter(None, (walk(node, []) for node in sorted(arrows))), [])


def test_every_room_has_its_arrows_written_down():
    assert {room(path) for path in SOURCES} == set(ROOMS)


@pytest.mark.parametrize('path', SOURCES, ids=named)
def test_arrows(path):
    here = room(path)
    assert {room(target) for target in targets(path)} - {here, ''} <= ROOMS[here]


def test_a_circle_is_found():
    assert circle({'a': {'b'}, 'b': {'c'}, 'c': {'b'}}) == ['b', 'c', 'b']
    assert circle({'a': {'b', 'c'}, 'b': {'c'}, 'c': set()}) == []


def test_no_circles_between_rooms():
    arrows = {name: set() for name in ROOMS}
    for path in SOURCES:
        arrows[room(path)] |= {room(target) for target in targets(path)} - {room(path), ''}
    assert not circle(arrows)


def test_no_circles_between_files():
    arrows = {named(path): {named(target) for target in targets(path)} for path in SOURCES}
    assert not circle({path: to - {path, '__init__.py'} for path, to in arrows.items()})


@pytest.mark.parametrize('path', SHARED, ids=named)
def test_what_all_tasks_share_needs_the_package_of_none(path):
    assert not packages(path) & TASK_PACKAGES


@pytest.mark.parametrize('path', WITHOUT_TORCH, ids=named)
def test_imports_neither_torch_nor_mm_on_any_way(path):
    for file in reached(path, set()):
        assert not packages(file) & TORCH_AND_STACK, f'{named(path)} reaches {named(file)}'


def test_reports_take_only_the_metric_from_core():
    used = {target for path in (PACKAGE / 'report').glob('*.py') for target in targets(path)}
    assert {file for file in used if room(file) == 'core'} <= {PACKAGE / 'core/metric.py'}


@pytest.mark.parametrize('path', SOURCES, ids=named)
def test_no_arrow_to_the_checkout(path):
    """An installed package has no tools and no configs beside it, and nothing above it."""
    assert 'tools/' not in path.read_text()
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Subscript) and getattr(node.value, 'attr', '') == 'parents':
            assert node.slice.value < depth, f'line {node.lineno} leaves the package'
