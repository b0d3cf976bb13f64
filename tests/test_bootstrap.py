import importlib.util
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SPEC = importlib.util.spec_from_file_location('bootstrap', ROOT / 'tools' / 'bootstrap.py')
bootstrap = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(bootstrap)


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """Let the set-up work in a folder that has requirements and nothing else."""
    for folder in ('requirements', 'tools'):
        (tmp_path / folder).mkdir()
    for path in (ROOT / 'requirements').glob('*.txt'):
        (tmp_path / 'requirements' / path.name).write_text(path.read_text())
    (tmp_path / 'setup.py').touch()
    (tmp_path / 'tools' / 'bootstrap.py').touch()
    venv = tmp_path / '.venv'
    monkeypatch.setattr(bootstrap, 'ROOT', tmp_path)
    monkeypatch.setattr(bootstrap, 'VENV', venv)
    monkeypatch.setattr(bootstrap, 'PYTHON', str(venv / 'bin' / 'python'))
    monkeypatch.setattr(bootstrap, 'STAMP', venv / 'stamp.json')
    monkeypatch.setattr(bootstrap, 'LOGS', tmp_path / 'logs')
    monkeypatch.setenv('W2S_MM_CACHE', str(tmp_path / 'cache'))
    for name in ('FORCE_CUDA', 'TORCH_CUDA_ARCH_LIST', 'CXX', 'MAX_JOBS'):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write_wheel(path, names=('mmcv/_ext.cpython-311.so', 'mmcv/__init__.py')):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, 'w') as archive:
        for name in names:
            archive.writestr(name, 'x' * 1000)
    return path


def write_venv(clone, version=bootstrap.VERSION, **stamp):
    """A finished ``.venv/``, as far as the set-up looks at it."""
    (clone / '.venv' / 'bin').mkdir(parents=True, exist_ok=True)
    (clone / '.venv' / 'bin' / 'python').touch()
    settings = 'home = /usr/bin\nversion = {}.{}.4\n'.format(*version)
    (clone / '.venv' / 'pyvenv.cfg').write_text(settings)
    bootstrap.write_stamp(**stamp)


@pytest.fixture
def commands(clone, monkeypatch):
    """Record the commands that would be run; a build makes a sound wheel."""
    recorded = []

    def run(label, command, variables=None):
        recorded.append(label)
        if label == 'compiling mmcv':
            write_wheel(Path(command[command.index('-w') + 1]) / 'mmcv.whl')
        return '["2.11.0+cpu", null, "None", []]\n'

    monkeypatch.setattr(bootstrap, 'run', run)
    return recorded


# --- requirements ---


def test_every_requirement_is_pinned_exactly():
    for pin in bootstrap.read_pins() + bootstrap.read_pins(no_deps=True):
        assert re.fullmatch(r'[\w.-]+==[\w.]+', pin), pin


def test_packages_that_want_opencv_with_libgl_are_installed_without_dependencies():
    names = {pin.split('==')[0] for pin in bootstrap.read_pins(no_deps=True)}
    assert names == {'onedl-mmcv', 'onedl-mmdetection', 'onedl-mmpretrain', 'imaug'}


# --- the stamp ---


def test_a_finished_set_up_is_ready_until_a_requirement_changes(clone):
    assert not bootstrap.is_ready()
    write_venv(clone, fingerprint=bootstrap.fingerprint(), operators='cpu')
    assert bootstrap.is_ready()
    with (clone / 'requirements' / 'tests.txt').open('a') as file:
        file.write('another==1.0\n')
    assert not bootstrap.is_ready()


def test_force_cuda_asks_for_the_other_operators(clone, monkeypatch):
    write_venv(clone, fingerprint=bootstrap.fingerprint(), operators='cpu')
    monkeypatch.setenv('FORCE_CUDA', '1')
    assert not bootstrap.is_ready()
    monkeypatch.setenv('FORCE_CUDA', '0')
    assert bootstrap.is_ready()


@pytest.mark.parametrize(('name', 'value'), [('VERSION', (3, 9)), ('ROOT', 'moved')])
def test_another_python_and_a_moved_clone_are_set_up_again(clone, monkeypatch, name, value):
    write_venv(clone, fingerprint=bootstrap.fingerprint(), operators='cpu')
    if name == 'ROOT':
        value = clone / 'moved'
        value.symlink_to(clone)
    monkeypatch.setattr(bootstrap, name, value)
    assert not bootstrap.is_ready()


@pytest.mark.parametrize(
    'last',
    [
        'creating .venv',
        'updating pip',
        'installing packages',
        'compiling mmcv',
        'installing mmcv',
        'installing w2s_mm',
        'importing the packages',
    ],
)
def test_an_interrupted_set_up_is_not_ready_and_continues(clone, commands, monkeypatch, last):
    def interrupt(label, *arguments):
        output = run(label, *arguments)
        if label == last:
            raise KeyboardInterrupt
        if label == 'creating .venv':
            write_venv(clone, **bootstrap.read_stamp())
        return output

    run = bootstrap.run
    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, 'run', interrupt)
        with pytest.raises(SystemExit, match=r'interrupted.* to continue'):
            bootstrap.set_up()
    assert not bootstrap.is_ready()
    before = list(commands)
    bootstrap.set_up()
    assert set(before) <= set(commands)
    assert ('creating .venv' in commands[len(before) :]) == last.startswith(
        ('creating', 'updating', 'installing')
    )
    (clone / '.venv' / 'bin').mkdir(exist_ok=True)
    (clone / '.venv' / 'bin' / 'python').touch()
    assert bootstrap.is_ready()


# --- .venv ---


def test_a_complete_environment_is_kept(clone, commands):
    write_venv(clone)
    bootstrap.make_venv()
    assert commands == []


@pytest.mark.parametrize('damage', ['interrupted', 'python gone', 'other version'])
def test_an_unfinished_environment_is_created_again(clone, commands, damage):
    stamp = {'incomplete': 'installing packages'} if damage == 'interrupted' else {}
    write_venv(clone, (3, 8) if damage == 'other version' else bootstrap.VERSION, **stamp)
    (clone / '.venv' / 'lib').mkdir()
    (clone / '.venv' / 'lib64').symlink_to('lib')
    if damage == 'python gone':
        (clone / '.venv' / 'bin' / 'python').unlink()
    bootstrap.make_venv()
    assert commands == ['creating .venv']
    assert [path.name for path in (clone / '.venv').iterdir()] == ['stamp.json']
    assert 'incomplete' in bootstrap.read_stamp()


def test_an_environment_of_the_user_is_left_alone(clone, commands):
    (clone / '.venv').mkdir()
    (clone / '.venv' / 'pyvenv.cfg').write_text('version = 3.8.1\n')
    with pytest.raises(bootstrap.SetupError, match='was not created by') as error:
        bootstrap.make_venv()
    assert error.value.args[1].startswith('mv ')
    assert (clone / '.venv' / 'pyvenv.cfg').exists()


# --- CPU or GPU ---


@pytest.mark.parametrize(
    ('cuda', 'nvcc', 'gpus', 'variables', 'tag', 'reason'),
    [
        ('13.0', '13.0', ['9.0'], {}, 'cu130-9.0', '9.0'),
        ('13.0', '13.0', ['8.0', '9.0'], {}, 'cu130-8.0-9.0', '8.0;9.0'),
        ('13.0', '13.0', [], {}, 'cpu', 'no GPU is visible'),
        ('13.0', '13.0', [], {'TORCH_CUDA_ARCH_LIST': '9.0'}, 'cpu', 'no GPU is visible'),
        ('13.0', '12.4', ['9.0'], {}, 'cpu', 'the CUDA compiler is 12.4'),
        ('13.0', None, ['9.0'], {}, 'cpu', 'no CUDA compiler'),
        (None, '13.0', [], {}, 'cpu', 'no CUDA'),
        ('13.0', '13.0', ['9.0'], {'FORCE_CUDA': '0'}, 'cpu', 'FORCE_CUDA=0'),
        (
            '13.0',
            '13.0',
            [],
            {'FORCE_CUDA': '1', 'TORCH_CUDA_ARCH_LIST': '8.0 9.0+PTX'},
            'cu130-8.0-9.0+PTX',
            '8.0 9.0+PTX',
        ),
    ],
)
def test_operators_are_for_the_gpu_only_where_everything_matches(
    clone, monkeypatch, cuda, nvcc, gpus, variables, tag, reason
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    chosen, why, for_build = bootstrap.choose_operators(cuda, nvcc, gpus)
    assert chosen == tag
    assert reason in why
    assert for_build['FORCE_CUDA'] == ('0' if tag == 'cpu' else '1')
    assert ('CUDA_VISIBLE_DEVICES' in for_build) == (tag == 'cpu')


@pytest.mark.parametrize(
    ('cuda', 'nvcc', 'why'),
    [(None, '13.0', 'no CUDA'), ('13.0', None, 'nvcc'), ('13.0', '13.0', 'no GPU is visible')],
)
def test_forced_gpu_operators_that_cannot_be_compiled_are_an_error(
    clone, monkeypatch, cuda, nvcc, why
):
    monkeypatch.setenv('FORCE_CUDA', '1')
    with pytest.raises(bootstrap.SetupError, match=why):
        bootstrap.choose_operators(cuda, nvcc, [])


# --- the wheel cache ---


def test_each_torch_python_and_cuda_has_its_own_wheel(clone, monkeypatch):
    folders = set()
    for version in ((3, 10), (3, 12)):
        monkeypatch.setattr(bootstrap, 'VERSION', version)
        for torch in ('2.11.0+cu130', '2.11.0+cpu', '2.10.0+cu130'):
            folders |= {bootstrap.wheel_folder(torch, tag) for tag in ('cpu', 'cu130-9.0')}
    assert len(folders) == 12
    assert {folder.parent for folder in folders} == {clone / 'cache' / 'wheels'}


def test_mmcv_is_compiled_once(clone, commands):
    write_venv(clone)
    bootstrap.check_compiler()
    bootstrap.install_operators()
    assert commands == ['checking torch', 'compiling mmcv', 'installing mmcv']
    commands.clear()
    bootstrap.install_operators()
    assert commands == ['checking torch', 'installing mmcv']
    assert bootstrap.read_stamp() == {'operators': 'cpu'}


@pytest.mark.parametrize('damage', ['truncated', 'flipped', 'empty', 'no operators'])
def test_a_damaged_wheel_is_replaced(clone, commands, damage):
    write_venv(clone)
    wheel = write_wheel(bootstrap.wheel_folder('2.11.0+cpu', 'cpu') / 'mmcv.whl')
    content = bytearray(wheel.read_bytes())
    if damage == 'truncated':
        content = content[: len(content) // 2]
    elif damage == 'flipped':
        content[200] ^= 0xFF
    elif damage == 'empty':
        content = bytearray()
    wheel.write_bytes(content)
    if damage == 'no operators':
        write_wheel(wheel, ['mmcv/__init__.py'])
    bootstrap.install_operators()
    assert 'compiling mmcv' in commands
    assert bootstrap.is_sound(wheel)


@pytest.mark.parametrize('failure', ['interrupt', 'no operators'])
def test_a_failed_build_leaves_nothing_in_the_cache(clone, monkeypatch, failure):
    def run(label, command, variables):
        write_wheel(Path(command[command.index('-w') + 1]) / 'mmcv.whl', ['mmcv/__init__.py'])
        if failure == 'interrupt':
            raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, 'run', run)
    bootstrap.check_compiler()
    with pytest.raises((KeyboardInterrupt, bootstrap.SetupError)):
        bootstrap.build_wheel(bootstrap.wheel_folder('2.11.0+cpu', 'cpu'), {})
    assert list((clone / 'cache' / 'wheels').iterdir()) == []


def test_a_compiler_is_needed_only_without_a_wheel(clone, monkeypatch):
    monkeypatch.setenv('CXX', 'no-such-compiler -m64')
    with pytest.raises(bootstrap.SetupError, match='no-such-compiler -m64 was not') as error:
        bootstrap.check_compiler()
    assert 'apt install g++' in error.value.args[1]
    version = next(pin for pin in bootstrap.read_pins() if pin.startswith('torch==')).split('==')[1]
    write_wheel(bootstrap.wheel_folder(f'{version}+cpu', 'cpu') / 'mmcv.whl')
    bootstrap.check_compiler()


# --- progress and failures ---


def test_activity_reads_ninja_and_pip():
    assert bootstrap.activity('  [3/78] c++ -c\n  [41/78] c++') == ', compiled 41 of 78 files'
    loading = 'Collecting torch==2.11.0\n  Downloading torch-2.11.0-cp311.whl (506.0 MB)\n'
    assert bootstrap.activity(loading) == ', Downloading torch-2.11.0-cp311.whl (506.0 MB)'
    unpacking = f'{loading}Installing collected packages: a, b'
    assert bootstrap.activity(unpacking) == ', Installing collected packages'
    assert bootstrap.activity('anything else') == ''


def test_a_command_keeps_its_output_in_a_log_and_ignores_pythonpath(clone, capfd, monkeypatch):
    monkeypatch.setenv('PYTHONPATH', '/elsewhere')
    monkeypatch.setenv('PIP_INDEX_URL', 'the one of the user')
    script = 'import os; print(*(os.environ.get(n) for n in ("PYTHONPATH", "PIP_INDEX_URL", "A")))'
    output = bootstrap.run('saying it', [sys.executable, '-c', script], {'A': 'b'})
    assert output == 'None the one of the user b\n'
    assert (clone / 'logs' / 'saying_it.log').read_text() == output
    assert 'saying it: done in 0:0' in capfd.readouterr().out


def test_an_interrupt_ends_the_compilers_too(clone, tmp_path, monkeypatch):
    def interrupt_once_started(text):
        if re.search(r'pid \d+\n', text):
            raise KeyboardInterrupt
        return ''

    monkeypatch.setattr(bootstrap, 'activity', interrupt_once_started)
    monkeypatch.setattr(bootstrap.sys.stdout, 'isatty', lambda: True, raising=False)
    with pytest.raises(KeyboardInterrupt):
        script = f"(sleep 600; touch '{tmp_path}/compiled') & echo pid $!; wait"
        bootstrap.run('x', ['sh', '-c', script])
    pid = int(re.search(r'pid (\d+)', (clone / 'logs' / 'x.log').read_text()).group(1))
    while runs(pid):
        time.sleep(0.01)
    assert not (tmp_path / 'compiled').exists()  # it was ended before it was done


def runs(pid: int) -> bool:
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(') ')[1][0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ('output', 'status', 'reason', 'remedy'),
    [
        ('OSError: [Errno 28] No space left on device', 3, 'disk is full', 'make setup'),
        ('c++: fatal error: Killed signal terminated program', 3, 'memory', 'MAX_JOBS=1'),
        ('', -9, 'memory', 'MAX_JOBS=1'),
        ('Temporary failure in name resolution', 3, 'cannot be reached', 'make setup'),
        ('fatal error: Python.h: No such file or directory', 3, 'header', 'apt install'),
        ('something new', 3, 'exit status 3', 'make setup'),
    ],
)
def test_a_failure_has_its_step_reason_log_and_remedy(
    clone, monkeypatch, output, status, reason, remedy
):
    end = f'raise SystemExit({status})' if status > 0 else 'os.kill(os.getpid(), 9)'
    script = f'import os; print({output!r}, flush=True); {end}'
    step = {'the thing': lambda: bootstrap.run('doing it', [sys.executable, '-c', script])}
    monkeypatch.setattr(bootstrap, 'STEPS', step)
    with pytest.raises(SystemExit) as stopped:
        bootstrap.set_up()
    message = str(stopped.value)
    assert '[1/1] the thing' in message
    assert reason in message.split('Log:')[0]
    assert f'{clone}/logs/doing_it.log' in message
    assert f'  | {output}' in message
    assert remedy in message.split('Run:')[1]


def test_an_unsupported_python_is_an_error():
    script = (ROOT / 'tools' / 'bootstrap.py').read_text()
    old = "import sys; sys.version_info = (3, 9, 1, 'final', 0)\n"
    done = subprocess.run([sys.executable, '-c', old + script], capture_output=True, text=True)
    assert done.returncode == 1
    assert 'needs Python 3.10, 3.11 or 3.12; this is 3.9' in done.stderr
    assert 'PYTHON=/path/to/python3.12 make setup' in done.stderr
