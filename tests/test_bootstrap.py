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

FILES = ('build', 'runtime', 'detection', 'classification', 'generation', 'tests')


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """Let the set-up work in an empty folder that has the requirements."""
    (tmp_path / 'requirements').mkdir()
    (tmp_path / 'tools').mkdir()
    for name in FILES:
        text = (ROOT / 'requirements' / f'{name}.txt').read_text()
        (tmp_path / 'requirements' / f'{name}.txt').write_text(text)
    (tmp_path / 'setup.py').touch()
    (tmp_path / 'tools' / 'bootstrap.py').touch()
    monkeypatch.setattr(bootstrap, 'ROOT', tmp_path)
    monkeypatch.setattr(bootstrap, 'VENV', tmp_path / '.venv')
    monkeypatch.setattr(bootstrap, 'VENV_PYTHON', tmp_path / '.venv' / 'bin' / 'python')
    monkeypatch.setattr(bootstrap, 'STAMP', tmp_path / '.venv' / 'stamp.json')
    monkeypatch.setattr(bootstrap, 'LOGS', tmp_path / 'logs')
    monkeypatch.setenv('W2S_MM_CACHE', str(tmp_path / 'cache'))
    return tmp_path


def write_wheel(path, names=('mmcv/_ext.cpython-311.so', 'mmcv/__init__.py')):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, 'w') as archive:
        for name in names:
            archive.writestr(name, 'x' * 1000)
    return path


# --- requirements ---


@pytest.mark.parametrize('name', FILES)
def test_every_requirement_is_pinned_exactly(name):
    ordinary, no_deps = bootstrap.read_requirements(name)
    for pin in ordinary + no_deps:
        assert re.fullmatch(r'[\w.-]+==[\w.]+', pin), pin


def test_packages_that_want_opencv_with_libgl_are_installed_without_dependencies():
    alone = [pin for name in FILES for pin in bootstrap.read_requirements(name)[1]]
    assert {pin.split('==')[0] for pin in alone} == {
        'onedl-mmcv',
        'onedl-mmdetection',
        'onedl-mmpretrain',
        'imaug',
    }


# --- running again ---


def make_ready(clone, operators='cpu'):
    python = clone / '.venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    python.touch()
    stamp = f'{{"fingerprint": "{bootstrap.fingerprint(clone)}", "operators": "{operators}"}}'
    (clone / '.venv' / 'stamp.json').write_text(stamp)


def test_a_finished_set_up_is_left_alone_until_a_requirement_changes(clone, monkeypatch):
    monkeypatch.delenv('FORCE_CUDA', raising=False)
    monkeypatch.setattr(bootstrap.fingerprint, '__defaults__', (clone, sys.version_info[:2]))
    assert not bootstrap.is_ready()
    make_ready(clone)
    assert bootstrap.is_ready()
    with (clone / 'requirements' / 'tests.txt').open('a') as file:
        file.write('xdist==1.0\n')
    assert not bootstrap.is_ready()


def test_force_cuda_sets_up_anew_where_the_operators_are_for_the_cpu(clone, monkeypatch):
    monkeypatch.setattr(bootstrap.fingerprint, '__defaults__', (clone, sys.version_info[:2]))
    make_ready(clone, 'cpu')
    monkeypatch.setenv('FORCE_CUDA', '1')
    assert not bootstrap.is_ready()
    monkeypatch.setenv('FORCE_CUDA', '0')
    assert bootstrap.is_ready()


def test_the_fingerprint_knows_the_python_version_and_the_place(clone):
    here = bootstrap.fingerprint(clone, (3, 11))
    assert here != bootstrap.fingerprint(clone, (3, 12))
    assert here == bootstrap.fingerprint(clone, (3, 11))
    moved = clone.parent / f'{clone.name}_moved'
    clone.rename(moved)
    assert here != bootstrap.fingerprint(moved, (3, 11))


# --- CPU or GPU ---


@pytest.mark.parametrize(
    ('cuda', 'nvcc', 'gpus', 'environ', 'tag', 'reason'),
    [
        ('13.0', '13.0', ['9.0'], {}, 'cu130-9.0', 'GPU kinds: 9.0'),
        ('13.0', '13.0', ['8.0', '9.0'], {}, 'cu130-8.0-9.0', 'GPU kinds: 8.0;9.0'),
        ('13.0', '13.0', [], {}, 'cpu', 'FORCE_CUDA=1'),
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
            'FORCE_CUDA=1',
        ),
    ],
)
def test_operators_are_for_the_gpu_only_where_everything_agrees(
    cuda, nvcc, gpus, environ, tag, reason
):
    chosen = bootstrap.choose_operators(cuda, nvcc, gpus, environ)
    assert chosen.tag == tag
    assert reason in chosen.reason
    assert chosen.environment['FORCE_CUDA'] == ('0' if tag == 'cpu' else '1')
    assert ('CUDA_VISIBLE_DEVICES' in chosen.environment) == (tag == 'cpu')


@pytest.mark.parametrize(
    ('cuda', 'nvcc', 'why'),
    [(None, '13.0', 'no CUDA'), ('13.0', None, 'nvcc'), ('13.0', '13.0', 'no GPU is visible')],
)
def test_forced_gpu_operators_that_cannot_be_built_are_refused(cuda, nvcc, why):
    with pytest.raises(bootstrap.SetupError, match=why):
        bootstrap.choose_operators(cuda, nvcc, [], {'FORCE_CUDA': '1'})


# --- the wheel cache ---


def test_each_torch_and_cuda_has_its_own_wheel(tmp_path):
    folders = {
        bootstrap.wheel_folder(tmp_path, mmcv, torch, tag)
        for mmcv in ('2.3.5', '2.3.6')
        for torch in ('2.11.0+cu130', '2.11.0+cpu', '2.10.0+cu130')
        for tag in ('cpu', 'cu130-9.0', 'cu130-8.0')
    }
    assert len(folders) == 18
    assert all(bootstrap.PYTHON_TAG in folder.name for folder in folders)


def test_a_sound_wheel_is_kept_and_found_again(tmp_path):
    fresh = write_wheel(tmp_path / 'building' / 'mmcv.whl')
    kept = bootstrap.keep_wheel(fresh, tmp_path / 'key')
    assert not fresh.exists()
    assert bootstrap.cached_wheel(tmp_path / 'key') == kept


@pytest.mark.parametrize('damage', ['truncated', 'flipped', 'empty', 'no operators'])
def test_a_damaged_wheel_is_removed_and_named(tmp_path, capsys, damage):
    wheel = write_wheel(tmp_path / 'key' / 'mmcv.whl')
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
    assert bootstrap.cached_wheel(tmp_path / 'key') is None
    assert not wheel.exists()
    assert str(wheel) in capsys.readouterr().out


def test_a_wheel_without_operators_never_enters_the_cache(clone):
    fresh = write_wheel(clone / 'building' / 'mmcv.whl', ['mmcv/__init__.py'])
    with pytest.raises(bootstrap.SetupError, match='without compiled operators'):
        bootstrap.keep_wheel(fresh, clone / 'key')
    assert not (clone / 'key').exists()


# --- what is shown, and what is said when something fails ---


def test_activity_reads_ninja_and_pip():
    assert bootstrap.activity('  [3/78] c++ -c a.cpp\n  [41/78] c++') == 'compiled 41 of 78 files'
    loading = 'Downloading torch-2.11.0-cp311-cp311-manylinux.whl (506.0 MB)\n'
    loading += 'Progress 1048576 of 530604548\nProgress 104857600 of 530604548\n'
    assert bootstrap.activity(loading) == 'Downloading torch-2.11.0, 100 of 506 MB'
    assert bootstrap.activity('Installing collected packages: a, b') == 'unpacking'
    assert bootstrap.activity('nothing to see') == ''


def test_a_command_shows_life_and_leaves_its_output_in_a_log(clone, capsys):
    log = clone / 'logs' / 'a.log'
    command = [sys.executable, '-c', 'import time; print("[2/7] c++", flush=True); time.sleep(0.5)']
    bootstrap.run_logged(command, log, 'compiling', every=0.1)
    shown = capsys.readouterr().out
    assert 'compiling, 0:00: compiled 2 of 7 files' in shown
    assert 'compiling: done in 0:00' in shown
    assert '[2/7] c++' in log.read_text()


def test_an_interrupted_set_up_leaves_no_compiler_running(clone):
    log = clone / 'logs' / 'a.log'
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(bootstrap, 'activity', interrupt_once_said)
        bootstrap.run_logged(['sh', '-c', 'sleep 60 & echo pid $!; wait'], log, 'x', every=0)
    pid = int(re.search(r'pid (\d+)', log.read_text()).group(1))
    for _ in range(50):
        state = Path(f'/proc/{pid}/stat')
        if not state.exists() or state.read_text().rsplit(') ')[1][0] == 'Z':
            return
        time.sleep(0.1)
    pytest.fail(f'process {pid} is still running')


def interrupt_once_said(text):
    if re.search(r'pid \d+\n', text):
        raise KeyboardInterrupt
    return ''


@pytest.mark.parametrize(
    ('said', 'why', 'remedy'),
    [
        ('OSError: [Errno 28] No space left on device', 'disk is full', 'free some space'),
        ('c++: fatal error: Killed signal terminated program cc1plus', 'memory', 'MAX_JOBS=1'),
        ('Temporary failure in name resolution', 'cannot be reached', 'check the connection'),
        ('c++ -std=c++17 a.cpp: something new', 'exit status 3', 'make setup'),
    ],
)
def test_a_failing_command_says_why_and_what_to_type(clone, said, why, remedy):
    log = clone / 'logs' / 'a.log'
    command = [sys.executable, '-c', f'print({said!r}); raise SystemExit(3)']
    with pytest.raises(bootstrap.SetupError) as caught:
        bootstrap.run_logged(command, log, 'the thing')
    assert why in caught.value.why and remedy in caught.value.remedy
    assert bootstrap.last_lines(log)[-1] == said


def test_a_failure_names_the_step_the_log_and_its_last_lines(clone, capsys, monkeypatch):
    def fail():
        raise bootstrap.SetupError('it is broken.', 'make tea', log)

    log = clone / 'a.log'
    log.write_text('first\n' + 'Progress 1 of 2\n' * 50 + 'last words\n')
    monkeypatch.setattr(bootstrap, 'check_machine', fail)
    with pytest.raises(SystemExit) as caught:
        bootstrap.set_up()
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert 'step 1/5: The machine' in said
    assert 'Why:  it is broken.\nType: make tea' in said
    assert str(log) in said and '| first' in said and '| last words' in said


def test_too_little_disk_space_is_said_before_anything_is_downloaded(clone, monkeypatch):
    class Usage:
        free = 3 * 1024**3

    monkeypatch.setattr(bootstrap.shutil, 'disk_usage', lambda path: Usage)
    with pytest.raises(bootstrap.SetupError, match=r'3\.0 GB of disk are free where 8'):
        bootstrap.check_disk([('.venv', clone, 5.5), ('downloads', clone / 'not' / 'there', 2.5)])
    bootstrap.check_disk([('.venv', clone, 2.5)])


def test_a_missing_compiler_is_named():
    with pytest.raises(bootstrap.SetupError, match='no-such-compiler -m64 not found') as caught:
        bootstrap.check_compiler({'CXX': 'no-such-compiler -m64'})
    assert 'apt install g++' in caught.value.remedy


def test_a_python_without_ensurepip_is_named(clone, monkeypatch):
    monkeypatch.setattr(bootstrap.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(bootstrap.SetupError, match='its module venv is missing') as caught:
        bootstrap.check_machine()
    assert 'apt install python3' in caught.value.remedy


def test_an_environment_that_is_not_ours_is_never_deleted(clone):
    (clone / '.venv').mkdir()
    (clone / '.venv' / 'pyvenv.cfg').write_text('version = 3.8.1\n')
    with pytest.raises(bootstrap.SetupError, match='was not made by this set-up'):
        bootstrap.make_venv()
    assert (clone / '.venv' / 'pyvenv.cfg').exists()


def test_an_unsupported_python_is_told_which_one_is_needed():
    script = (ROOT / 'tools' / 'bootstrap.py').read_text()
    old = "import sys; sys.version_info = (3, 9, 1, 'final', 0)\n"
    done = subprocess.run([sys.executable, '-c', old + script], capture_output=True, text=True)
    assert done.returncode == 1
    assert 'needs Python 3.10, 3.11 or 3.12' in done.stderr
    assert 'PYTHON=/path/to/python3.12 make setup' in done.stderr
