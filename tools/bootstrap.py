#!/usr/bin/env python3
"""Set up ``.venv/``: the pinned packages, mmcv with compiled operators, and this package.

``make setup`` runs this file with Python 3.10 to 3.12. It needs the standard library only. A stamp
in ``.venv/`` records what was installed; while it matches, nothing is done.

Environment variables:
    W2S_MM_CACHE: Folder that keeps the compiled mmcv wheel. Default: ``~/.cache/w2s_mm``.
    MAX_JOBS: Number of parallel compilers. Default: what the processors and the memory allow.
    FORCE_CUDA: 1 compiles mmcv for the GPU although none is visible (with TORCH_CUDA_ARCH_LIST),
        0 compiles it for the CPU.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from pathlib import Path

VERSION = sys.version_info[:2]
if not (3, 10) <= VERSION <= (3, 12):
    found = f'this is {VERSION[0]}.{VERSION[1]} ({sys.executable})'
    command = 'PYTHON=/path/to/python3.12 make setup'
    sys.exit(f'Set-up needs Python 3.10, 3.11 or 3.12; {found}.\nRun: {command}')

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / '.venv'
PYTHON = str(VENV / 'bin' / 'python')
STAMP = VENV / 'w2s_mm_setup.json'
LOGS = ROOT / '.setup_logs'
# Pattern in a log: what it means, and what to run.
KNOWN_FAILURES = {
    'ensurepip is not|No module named (venv|ensurepip)|Python.h: No such file': (
        'this Python lacks venv or its header files',
        'sudo apt install python{0}.{1}-venv python{0}.{1}-dev && make setup'.format(*VERSION),
    ),
    'No space left on device|Disk quota': ('the disk is full', 'make setup  # needs about 8 GB'),
    'exit status -9|Killed signal|internal compiler error|cannot allocate memory|MemoryError': (
        'a process was killed, probably because memory ran out',
        'MAX_JOBS=1 make setup',
    ),
    'name resolution|Name or service not known|NewConnectionError|Network is unreachable|'
    'ProxyError|Connection reset|ConnectTimeout|ReadTimeout|SSLError': (
        'the package index cannot be reached',
        'make setup  # after a look at the network, HTTPS_PROXY and PIP_CERT',
    ),
}


class SetupError(Exception):
    """A step failed. The arguments are the reason and what to run next."""


def read_pins(no_deps: bool = False) -> list[str]:
    """Pins in ``requirements/``: those marked ``# no-deps``, or all others."""
    pins = []
    for path in sorted((ROOT / 'requirements').glob('*.txt')):
        for line in path.read_text(encoding='utf-8').splitlines():
            pin, _, comment = line.partition('#')
            if pin.strip() and ('no-deps' in comment) == no_deps:
                pins.append(pin.strip())
    return pins


def pin_of(package: str) -> str:
    """The pin of one package, such as ``torch==2.11.0``."""
    return next(p for p in read_pins() + read_pins(True) if p.startswith(f'{package}=='))


def fingerprint() -> str:
    """Hash of everything that decides what ``.venv/`` contains, and of the clone's place."""
    digest = hashlib.sha256(f'{VERSION} {ROOT}'.encode())
    files = sorted((ROOT / 'requirements').glob('*.txt'))
    for path in [*files, ROOT / 'setup.py', ROOT / 'tools' / 'bootstrap.py']:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def read_stamp() -> dict[str, str]:
    """The stamp, empty if there is none."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads(STAMP.read_text(encoding='utf-8'))
    return {}


def write_stamp(**content: str) -> None:
    """Replace the stamp in one step; without a fingerprint the set-up has not finished."""
    fresh = STAMP.with_suffix('.new')
    fresh.write_text(json.dumps(content), encoding='utf-8')
    fresh.replace(STAMP)


def is_ready() -> bool:
    """Whether a finished set-up matches the requirements and FORCE_CUDA."""
    stamp = read_stamp()
    if stamp.get('fingerprint') != fingerprint() or not Path(PYTHON).exists():
        return False
    force = os.environ.get('FORCE_CUDA')  # if unset, either kind of operators is accepted
    return force is None or (force == '1') == stamp['operators'].startswith('cu')


def activity(log: str) -> str:
    """What a log reports last: the files that ninja has compiled, or pip's current package."""
    compiled = re.findall(r'^ *\[(\d+)/(\d+)\]', log, re.MULTILINE)
    if compiled:
        return ', compiled {} of {} files'.format(*compiled[-1])
    pip = r'^ *(Collecting \S+|Downloading \S+(?: \(.* .B\))?|Installing collected packages)'
    lines = re.findall(pip, log, re.MULTILINE)
    return f', {lines[-1]}' if lines else ''


def run(label: str, command: list[str], variables: dict[str, str] | None = None) -> str:
    """Run a command, show the elapsed time and its activity, and return its output.

    Raises:
        SetupError: The command failed.
    """
    LOGS.mkdir(exist_ok=True)
    log = LOGS / f'{label.replace(" ", "_")}.log'
    # Without what would lead pip or Python away from .venv/.
    dropped = ('PYTHONPATH', 'PYTHONHOME', '__PYVENV_LAUNCHER__', 'PIP_TARGET', 'PIP_PREFIX')
    environment = {name: text for name, text in os.environ.items() if name not in dropped}
    environment |= {'PIP_USER': '0', 'PIP_NO_INPUT': '1', 'PIP_DISABLE_PIP_VERSION_CHECK': '1'}
    environment |= {'PYTHONUNBUFFERED': '1', **(variables or {})}
    live = sys.stdout.isatty()
    start = time.monotonic()
    with log.open('wb') as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=environment,
            start_new_session=True,  # so that an interrupt also ends the compilers it started
        )
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(1 if live else 30)
                elapsed = '{}:{:02d}'.format(*divmod(int(time.monotonic() - start), 60))
                output = log.read_text(encoding='utf-8', errors='replace')
                if process.returncode is not None:
                    break
                line = f'    {label}: {elapsed}{activity(output)}'
                if live:
                    line = '\r\033[K' + line[: shutil.get_terminal_size().columns - 1]
                print(line, end='' if live else '\n', flush=True)
        finally:
            print('\r\033[K' if live else '', end='')
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
    if process.returncode:
        status = f'exit status {process.returncode}'
        reason, remedy = status, 'make setup'
        for pattern, known in KNOWN_FAILURES.items():
            if re.search(pattern, f'{output}\n{status}', re.IGNORECASE):
                reason, remedy = known
        end = ''.join(f'\n  | {line[:200]}' for line in output.splitlines()[-12:])
        raise SetupError(f'{label}: {reason}.\nLog: {log}{end}', remedy)
    print(f'    {label}: done in {elapsed}', flush=True)
    return output


def pip_install(label: str, *arguments: str) -> None:
    """Run pip. Until it succeeds, the stamp says that ``.venv/`` has to be created again."""
    write_stamp(incomplete=label)
    run(label, [PYTHON, '-m', 'pip', 'install', '--no-compile', *arguments])
    write_stamp()


def wheel_folder(torch: str, operators: str) -> Path:
    """Folder of a wheel in the cache: each mmcv, torch, Python, platform and CUDA has its own."""
    home = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    cache = Path(os.environ.get('W2S_MM_CACHE') or f'{home}/w2s_mm').expanduser().absolute()
    mmcv = pin_of('onedl-mmcv').replace('onedl-mmcv==', 'mmcv-')
    platform = re.sub('[-.]', '_', sysconfig.get_platform())
    tags = f'torch-{torch}_cp{VERSION[0]}{VERSION[1]}_{platform}_{operators}'
    return cache / 'wheels' / f'{mmcv}_{tags}'


def check_compiler() -> None:
    """Raise an error unless there is a C++ compiler, or a wheel in the cache."""
    folder = wheel_folder(pin_of('torch').partition('==')[2] + '*', '*')
    folder.parent.mkdir(parents=True, exist_ok=True)
    compiler = os.environ.get('CXX') or 'c++'
    if not shutil.which(compiler.split()[0]) and not any(folder.parent.glob(folder.name)):
        reason = f'there is no C++ compiler: {compiler} was not found (CXX can name another).'
        raise SetupError(reason, 'sudo apt install g++ && make setup')


def make_venv() -> None:
    """Create ``.venv/``, unless it is complete and has this Python version."""
    settings = VENV / 'pyvenv.cfg'
    text = settings.read_text(encoding='utf-8') if settings.exists() else ''
    same = re.search(rf'^version\w* *= *{VERSION[0]}\.{VERSION[1]}\b', text, re.MULTILINE)
    VENV.mkdir(exist_ok=True)
    if not STAMP.exists() and any(VENV.iterdir()):
        remedy = f'mv {VENV} {VENV}.old && make setup'
        raise SetupError(f'{VENV} was not created by `make setup`.', remedy)
    if same and Path(PYTHON).exists() and 'incomplete' not in read_stamp():
        return
    write_stamp(incomplete='venv')
    for path in set(VENV.iterdir()) - {STAMP}:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    # From the base interpreter: the Python that runs this may belong to an environment.
    base = getattr(sys, '_base_executable', None) or sys.executable
    run('creating .venv', [base, '-m', 'venv', str(VENV)])


def install_packages() -> None:
    """Install pip, then all ordinary pins, PyTorch among them."""
    pip_install('updating pip', pin_of('pip'))
    pip_install('installing packages', *read_pins())


PROBE = """
import json, shutil, subprocess, torch
from torch.utils.cpp_extension import CUDA_HOME
nvcc = shutil.which('nvcc', path=f'{CUDA_HOME}/bin')
if nvcc:
    nvcc = subprocess.run([nvcc, '--version'], capture_output=True).stdout
gpus = range(torch.cuda.device_count()) if torch.cuda.is_available() else []
kinds = sorted({'%d.%d' % torch.cuda.get_device_capability(i) for i in gpus})
print(json.dumps([torch.__version__, torch.version.cuda, str(nvcc), kinds]))
"""


def choose_operators(
    cuda: str | None, nvcc: str | None, gpus: list[str]
) -> tuple[str, str, dict[str, str]]:
    """GPU operators where torch's CUDA, nvcc and a visible GPU agree, else CPU operators.

    Returns:
        Tag of the wheel, reason, and environment variables for the build.

    Raises:
        SetupError: FORCE_CUDA is 1, and GPU operators cannot be compiled.
    """
    force = os.environ.get('FORCE_CUDA')
    archs = os.environ.get('TORCH_CUDA_ARCH_LIST') or ';'.join(gpus)
    if force not in (None, '1'):
        obstacle = f'FORCE_CUDA={force}'
    elif not cuda:
        obstacle = 'this torch has no CUDA'
    elif not nvcc:
        obstacle = 'no CUDA compiler (nvcc) was found'
    elif not force and nvcc != cuda:
        obstacle = f'torch has CUDA {cuda}, but the CUDA compiler is {nvcc}'
    elif not archs or not (force or gpus):
        obstacle = 'no GPU is visible'
    else:
        tag = f'cu{cuda.replace(".", "")}-{re.sub("[^0-9A-Za-z.+]+", "-", archs)}'
        return tag, f'for {archs}', {'FORCE_CUDA': '1', 'TORCH_CUDA_ARCH_LIST': archs}
    if force == '1':
        remedy = "FORCE_CUDA=1 CUDA_HOME=... TORCH_CUDA_ARCH_LIST='8.0;9.0' make setup"
        raise SetupError(f'FORCE_CUDA=1, but {obstacle}.', remedy)
    # mmcv's build looks for GPUs itself, so they are hidden from it.
    return 'cpu', obstacle, {'FORCE_CUDA': '0', 'CUDA_VISIBLE_DEVICES': ''}


def is_sound(wheel: Path) -> bool:
    """Whether a wheel is undamaged and contains compiled operators."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            compiled = any(name.startswith('mmcv/_ext') for name in archive.namelist())
            return compiled and archive.testzip() is None
    except (OSError, EOFError, ValueError, zipfile.BadZipFile):
        return False


def build_wheel(folder: Path, variables: dict[str, str]) -> Path:
    """Compile mmcv beside ``folder`` in the cache, check the wheel, and move it there at once."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == 'linux' else os.cpu_count() or 1
    gib = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') >> 30
    jobs = os.environ.get('MAX_JOBS') or str(max(1, min(cores, gib // 2)))
    print(f'    {jobs} compilers in parallel (MAX_JOBS); two take 7 minutes, once', flush=True)
    variables |= {name: f'{os.environ.get(name, "")} -g0' for name in ('CFLAGS', 'CXXFLAGS')}
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as place:
        # Not through pip's own cache, which ignores the torch that a wheel was compiled for.
        command = [PYTHON, '-m', 'pip', 'wheel', '-v', '-w', place, '--no-deps', '--no-cache-dir']
        command += ['--no-build-isolation', '--no-binary=onedl-mmcv', pin_of('onedl-mmcv')]
        options = {'MMCV_WITH_OPS': '1', 'MAX_JOBS': jobs, 'TMPDIR': place}
        run('compiling mmcv', command, variables | options)
        wheel = next(Path(place).glob('*.whl'))
        if not is_sound(wheel):
            raise SetupError('the compiled wheel of mmcv has no operators.', 'make setup')
        folder.mkdir(exist_ok=True)
        return wheel.replace(folder / wheel.name)


def install_operators() -> None:
    """Install mmcv from the cache, or compile it first."""
    output = run('checking torch', [PYTHON, '-c', PROBE])
    torch, cuda, nvcc, gpus = json.loads(output.splitlines()[-1])
    release = re.search(r'release ([0-9.]+)', nvcc)
    operators, reason, variables = choose_operators(cuda, release and release[1], gpus)
    print(f'    {"CPU" if operators == "cpu" else "GPU"} operators: {reason}', flush=True)
    folder = wheel_folder(torch, operators)
    wheel = next(filter(is_sound, folder.glob('*.whl')), None) or build_wheel(folder, variables)
    print(f'    {wheel}', flush=True)
    pip_install('installing mmcv', '--no-deps', '--force-reinstall', str(wheel))
    write_stamp(operators=operators)


def install_project() -> None:
    """Install the MM packages and this package, import everything once, and write the stamp."""
    operators = read_stamp()['operators']
    pins = [pin for pin in read_pins(True) if pin != pin_of('onedl-mmcv')]
    pip_install('installing w2s_mm', '--no-deps', '--no-build-isolation', *pins, '-e', str(ROOT))
    modules = 'cv2, mmcv.ops, mmdet.models, mmdet.datasets, mmpretrain, diffusers, w2s_mm'
    run('importing the packages', [PYTHON, '-c', f'import {modules}'])
    write_stamp(fingerprint=fingerprint(), operators=operators)


STEPS = {
    'C++ compiler': check_compiler,
    'Environment .venv': make_venv,
    'PyTorch and other packages (2.5 GB to download, if pip has not kept them)': install_packages,
    'mmcv with compiled operators': install_operators,
    'MM packages and w2s_mm': install_project,
}


def set_up() -> None:
    """Run all steps. If one fails: print which, why, the end of its log, and what to run."""
    start = time.monotonic()
    place = ''
    try:
        for number, (title, step) in enumerate(STEPS.items(), 1):
            place = f'[{number}/{len(STEPS)}] {title}'
            print(place, flush=True)
            step()
    except KeyboardInterrupt:
        sys.exit('\nSet-up was interrupted. Run the same command again to continue.')
    except SetupError as error:
        sys.exit('\nSet-up failed at {}\nReason: {}\nRun: {}'.format(place, *error.args))
    except OSError as error:
        sys.exit(f'\nSet-up failed at {place}\nReason: {error}\nRun: make setup')
    print(f'Set up in {time.monotonic() - start:.0f} s.\n', flush=True)


if __name__ == '__main__' and not is_ready():
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) != signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(ending, signal.default_int_handler)  # as Ctrl-C
    set_up()
