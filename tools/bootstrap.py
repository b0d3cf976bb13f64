#!/usr/bin/env python3
"""Make ``.venv/``: the pinned stack, mmcv's compiled operators, and this package.

``make setup`` calls it, with any Python of 3.10 to 3.12 and the standard library alone. A stamp in
``.venv/`` says what was set up; while that holds, nothing is done.

Environment variables:
    W2S_MM_CACHE: Where compiled mmcv wheels are kept, default ``~/.cache/w2s_mm``.
    MAX_JOBS: Compilers at a time, default what processors and memory allow.
    FORCE_CUDA: 1 compiles GPU operators where no GPU is visible (with TORCH_CUDA_ARCH_LIST).
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import platform
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
from typing import Any, NamedTuple

if (
    not (3, 10) <= sys.version_info[:2] <= (3, 12)
):  # before anything that an old Python would trip on
    sys.exit(
        f'Set-up needs Python 3.10, 3.11 or 3.12; this is {platform.python_version()} '
        f'({sys.executable}).\nType: PYTHON=/path/to/python3.12 make setup'
    )

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / '.venv'
VENV_PYTHON = VENV / 'bin' / 'python'
STAMP = VENV / 'w2s_mm_setup.json'
LOGS = ROOT / '.setup_logs'
STEPS = 5
PYTHON_TAG = f'cp{sys.version_info[0]}{sys.version_info[1]}'
GIB = 1024**3

# What a failing step's log may say: (pattern, why, what to type).
KNOWN_FAILURES = [
    (
        r'No space left on device|Errno 28|Disk quota exceeded',
        'the disk is full.',
        'free some space, then: make setup',
    ),
    (
        r'Killed signal|internal compiler error|cannot allocate memory|MemoryError',
        'a process was killed, most likely for lack of memory.',
        'MAX_JOBS=1 make setup',
    ),
    (
        r'name resolution|Name or service not known|nodename nor servname|NewConnectionError'
        r'|ConnectTimeout|ReadTimeout|Network is unreachable|ProxyError|Connection reset',
        'the package index cannot be reached.',
        'check the connection (behind a proxy: export HTTPS_PROXY=...), then: make setup',
    ),
    (
        r'CERTIFICATE_VERIFY_FAILED|SSLError',
        "the package index's certificate is not trusted here.",
        'export PIP_CERT=/path/to/your/ca-bundle.crt, then: make setup',
    ),
    (
        r'No matching distribution found|Could not find a version',
        'the package index offers no such version for this Python and platform '
        '(Linux on x86-64 and ARM are covered by the pins).',
        'pip config list  # does it name an index of your own that lacks the package?',
    ),
    (
        r'unrecognized command.line option .{0,3}-std=c\+\+|unsupported GNU version|You need C\+\+',
        'the C++ compiler is too old (GCC 9 or newer is needed), or too new for nvcc.',
        'CC=gcc-13 CXX=g++-13 make setup',
    ),
    (
        r'CUDA version \(.*\) mismatches|nvcc fatal|unsupported gpu architecture',
        'the CUDA compiler does not fit this torch.',
        'FORCE_CUDA=0 make setup  # operators for the CPU',
    ),
]


class SetupError(Exception):
    """A step failed: why, and what to type next."""

    def __init__(self, why: str, remedy: str, log: Path | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy
        self.log = log


# --- what is to be installed ------------------------------------------------------------------


def read_requirements(name: str, root: Path = ROOT) -> tuple[list[str], list[str]]:
    """Pins of ``requirements/<name>.txt``: ordinary ones, and those marked ``# no-deps``."""
    ordinary: list[str] = []
    no_deps: list[str] = []
    for line in (root / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines():
        pin, _, comment = line.partition('#')
        if pin.strip():
            (no_deps if 'no-deps' in comment else ordinary).append(pin.strip())
    return ordinary, no_deps


def pinned_version(name: str, pins: list[str]) -> str:
    """Version at which ``pins`` hold the package ``name``."""
    return next(pin.split('==')[1] for pin in pins if pin.split('==')[0] == name)


def fingerprint(root: Path = ROOT, version: tuple[int, ...] = sys.version_info[:2]) -> str:
    """Hash of all that decides what ``.venv/`` holds; a clone that was moved is set up anew."""
    digest = hashlib.sha256(f'{version} {root}'.encode())
    files = sorted((root / 'requirements').glob('*.txt'))
    for path in [*files, root / 'setup.py', root / 'tools' / 'bootstrap.py']:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def read_stamp() -> dict[str, str]:
    """What was set up, empty if nothing was or it was interrupted."""
    try:
        return json.loads(STAMP.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}


def is_ready() -> bool:
    """Whether ``.venv/`` holds what the requirements ask for."""
    stamp = read_stamp()
    if stamp.get('fingerprint') != fingerprint() or not VENV_PYTHON.exists():
        return False
    wanted = os.environ.get('FORCE_CUDA')  # unset: whatever was chosen stays
    return wanted is None or (wanted == '1') == stamp.get('operators', '').startswith('cu')


# --- running things, with a sign of life -------------------------------------------------------


def clock(seconds: float) -> str:
    """``m:ss``."""
    return f'{int(seconds) // 60}:{int(seconds) % 60:02d}'


def activity(text: str) -> str:
    """What the tail of a log says is going on: ninja's [n/m], or pip's package and megabytes."""
    compiled = re.findall(r'\[(\d+)/(\d+)\]', text)
    if compiled:
        return 'compiled {} of {} files'.format(*compiled[-1])
    doing = ''
    for line in text.splitlines():
        found = re.match(r'\s*(Collecting|Downloading|Using cached) ([^\s(]+)', line)
        loaded = re.match(r'\s*Progress (\d+) of (\d+)', line)
        if found:
            doing = f'{found[1]} {found[2].rsplit("/", 1)[-1].split("-py3")[0].split("-cp3")[0]}'
        elif loaded and doing:
            megabytes = [int(number) >> 20 for number in loaded.groups()]
            doing = doing.split(',')[0] + ', {} of {} MB'.format(*megabytes)
        elif line.lstrip().startswith('Installing collected packages'):
            doing = 'unpacking'
    return doing


def child_environment(**extra: str) -> dict[str, str]:
    """This environment, less what would lead pip or Python away from ``.venv/``."""
    dropped = ('PYTHONPATH', 'PYTHONHOME', 'PYTHONSTARTUP', '__PYVENV_LAUNCHER__', 'PIP_TARGET')
    quiet = {'PIP_DISABLE_PIP_VERSION_CHECK': '1', 'PIP_NO_INPUT': '1', 'PIP_USER': '0'}
    quiet.update(PIP_ROOT_USER_ACTION='ignore', PYTHONUNBUFFERED='1')
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, **quiet, **extra}


def run_logged(
    command: list[str],
    log: Path,
    label: str,
    environment: dict[str, str] | None = None,
    every: float = 30.0,
) -> None:
    """Run ``command`` with its output in ``log``, showing elapsed time and what it is at.

    Raises:
        SetupError: It failed; the reason is looked for in the log.
    """
    log.parent.mkdir(exist_ok=True)
    live = sys.stdout.isatty()
    start = spoken = time.monotonic()
    tail = doing = ''
    with log.open('w+b') as sink, log.open('rb') as source:
        sink.write(f'$ {" ".join(command)}\n'.encode())
        sink.flush()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=child_environment(**(environment or {})),
            start_new_session=True,  # so that compilers end with it, see below
        )
        try:
            while process.poll() is None:
                time.sleep(0.1)
                now = time.monotonic()
                if not live and now - spoken < every:
                    continue
                spoken = now
                tail = (tail + source.read().decode(errors='replace'))[-65536:]
                doing = activity(tail) or doing
                line = f'{label}, {clock(now - start)}{doing and ": " + doing}'
                if live:
                    spinner = '|/-\\'[int(now * 5) % 4]
                    width = shutil.get_terminal_size().columns - 7
                    print(f'\r\033[K    {spinner} {line[:width]}', end='', flush=True)
                else:
                    print(f'      {line}', flush=True)
        finally:
            if process.poll() is None:  # interrupted
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
            if live:
                print('\r\033[K', end='')
    if process.returncode:
        raise explain(log, label, process.returncode)
    print(f'      {label}: done in {clock(time.monotonic() - start)}', flush=True)


def explain(log: Path, label: str, code: int) -> SetupError:
    """The error for a command that failed, from what its log says."""
    text = log.read_text(encoding='utf-8', errors='replace')[-200_000:]
    for pattern, why, remedy in KNOWN_FAILURES:
        if re.search(pattern, text, re.IGNORECASE):
            return SetupError(f'{label} failed: {why}', remedy, log)
    return SetupError(
        f'{label} failed (exit status {code}); the log has the reason.', 'make setup', log
    )


def last_lines(log: Path, count: int = 12) -> list[str]:
    """The last lines of a log that say something, cut to a readable width."""
    lines = log.read_text(encoding='utf-8', errors='replace').splitlines()
    telling = [line for line in lines if line.strip() and not re.match(r'\s*Progress \d', line)]
    return [line[:200] for line in telling[-count:]]


def pip(arguments: list[str], log: Path, label: str) -> None:
    """Run pip's install in ``.venv/``; byte code is left to the first import, which is faster."""
    command = [str(VENV_PYTHON), '-m', 'pip', 'install', '--no-compile', *arguments]
    run_logged(command, log, label)


# --- step 1: the machine -----------------------------------------------------------------------


def check_compiler(environ: dict[str, str] | None = None) -> None:
    """Raise SetupError unless a C++ compiler and Python's headers are there."""
    compiler = (os.environ if environ is None else environ).get('CXX') or 'c++'
    if not shutil.which(compiler.split()[0]):
        raise SetupError(
            f'there is no C++ compiler ({compiler} not found; CXX may name another).',
            "sudo apt install g++  # or your system's like; then: make setup",
        )
    header = Path(sysconfig.get_paths()['include']) / 'Python.h'
    if not header.exists():
        version = '{}.{}'.format(*sys.version_info[:2])
        raise SetupError(
            f"Python's own headers are missing ({header}); the operators need them to compile.",
            f"sudo apt install python{version}-dev  # or your system's like; then: make setup",
        )


def check_disk(needs: list[tuple[str, Path, float]]) -> None:
    """Raise SetupError unless each file system has room for all that will lie on it.

    Args:
        needs: What, where, and GiB for each.
    """
    groups: dict[int, list[tuple[str, Path, float]]] = {}
    for need in needs:
        place = next(path for path in (need[1], *need[1].parents) if path.exists())
        groups.setdefault(place.stat().st_dev, []).append((need[0], place, need[2]))
    for group in groups.values():
        wanted = sum(size for _, _, size in group)
        free = shutil.disk_usage(group[0][1]).free / GIB
        if free < wanted:
            parts = ', '.join(f'{size:g} GB for {what} in {path}' for what, path, size in group)
            raise SetupError(
                f'{free:.1f} GB of disk are free where {wanted:g} are needed ({parts}).',
                'free some space, or point TMPDIR and XDG_CACHE_HOME to a larger disk; '
                'then: make setup',
            )


def cache_home() -> Path:
    """Where compiled wheels are kept."""
    named = os.environ.get('W2S_MM_CACHE')
    home = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(named or f'{home}/w2s_mm').expanduser().absolute() / 'wheels'


def check_machine() -> None:
    """Raise SetupError, before anything is downloaded, for what would fail minutes later."""
    if not VENV_PYTHON.exists():
        for module in ('venv', 'ensurepip'):
            if importlib.util.find_spec(module) is None:
                version = '{}.{}'.format(*sys.version_info[:2])
                raise SetupError(
                    f'{sys.executable} cannot make environments: its module {module} is missing.',
                    f'sudo apt install python{version}-venv  # or another Python: '
                    'PYTHON=/path/to/python3.12 make setup',
                )
    torch = pinned_version('torch', read_requirements('build')[0])
    if not list(cache_home().glob(f'*_torch-{torch}*_{PYTHON_TAG}_*/*.whl')):
        check_compiler()
    try:
        cache_home().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache_home()):
            pass
    except OSError as error:
        raise SetupError(
            f'the cache {cache_home()} cannot be written: {error.strerror}.',
            'W2S_MM_CACHE="$PWD/.cache" make setup',
        ) from None
    has_torch = any(VENV.glob('lib/python*/site-packages/torch/version.py'))
    temporary = Path(tempfile.gettempdir())
    check_disk(
        [('.venv', ROOT, 1)]
        if has_torch
        else [('.venv', ROOT, 5.5), ('downloads', temporary, 2.5), ('caches', cache_home(), 0.5)]
    )


# --- step 2: the environment -------------------------------------------------------------------


def make_venv() -> None:
    """Make ``.venv/``, or keep it where its Python is the right one."""
    if VENV.exists():
        with contextlib.suppress(OSError):
            settings = (VENV / 'pyvenv.cfg').read_text(encoding='utf-8')
            found = re.search(r'^version\w*\s*=\s*(\d+)\.(\d+)', settings, re.MULTILINE)
            same = found and tuple(map(int, found.groups())) == sys.version_info[:2]
            if same and VENV_PYTHON.exists():
                print('      .venv is there')
                return
        if not STAMP.exists():
            raise SetupError(
                f'{VENV} is of another Python, or broken, and was not made by this set-up.',
                f'mv {VENV} {VENV}.old && make setup',
            )
        print('      .venv is of another Python, or broken: made anew')
        shutil.rmtree(VENV)
    # Made from the interpreter itself: a virtual environment's own Python may vanish one day.
    interpreter = getattr(sys, '_base_executable', None) or sys.executable
    run_logged(
        [interpreter, '-m', 'venv', str(VENV)], LOGS / '2-venv.log', 'making the environment'
    )
    STAMP.write_text('{}', encoding='utf-8')  # ours from here on, ready at the end


# --- step 4: mmcv's operators -------------------------------------------------------------------


class Operators(NamedTuple):
    """What mmcv's operators are compiled for, why, and with which environment variables."""

    tag: str
    reason: str
    environment: dict[str, str]


PROBE = """
import json, re, shutil, subprocess, sys, torch
from torch.utils import cpp_extension
release = None
if cpp_extension.CUDA_HOME:
    try:
        said = subprocess.run([cpp_extension.CUDA_HOME + '/bin/nvcc', '--version'],
                              capture_output=True, text=True).stdout
        release = (re.search(r'release ([0-9.]+)', said) or [None, None])[1]
    except OSError:
        pass
gpus = range(torch.cuda.device_count()) if torch.cuda.is_available() else []
print(json.dumps({'torch': torch.__version__, 'cuda': torch.version.cuda, 'nvcc': release,
    'gpus': sorted({'%d.%d' % torch.cuda.get_device_capability(i) for i in gpus})}))
"""


def probe_torch() -> dict[str, Any]:
    """Torch's version, its CUDA, the CUDA compiler's release and the visible GPUs' kinds."""
    done = subprocess.run(
        [str(VENV_PYTHON), '-c', PROBE], capture_output=True, text=True, env=child_environment()
    )
    if done.returncode:
        log = LOGS / '4-torch.log'
        log.write_text(done.stderr, encoding='utf-8')
        raise SetupError(
            'the installed torch does not import.', f'rm -rf {VENV} && make setup', log
        )
    return json.loads(done.stdout.splitlines()[-1])


def choose_operators(
    cuda: str | None, nvcc: str | None, gpus: list[str], environ: dict[str, str]
) -> Operators:
    """GPU operators where torch's CUDA, the CUDA compiler and a GPU agree; else the CPU's.

    Args:
        cuda: CUDA release torch was built with, None for a CPU-only torch.
        nvcc: Release of the CUDA compiler, None if there is none.
        gpus: Compute capabilities of the visible GPUs.
        environ: FORCE_CUDA and TORCH_CUDA_ARCH_LIST are read from here.

    Raises:
        SetupError: GPU operators are demanded and cannot be built.
    """
    force = environ.get('FORCE_CUDA')
    kinds = environ.get('TORCH_CUDA_ARCH_LIST') or ';'.join(gpus)
    on_gpu = Operators(
        'cu{}-{}'.format((cuda or '').replace('.', ''), re.sub(r'[^\w.+]+', '-', kinds)),
        f'the CUDA compiler is {nvcc}, torch has CUDA {cuda}, GPU kinds: {kinds}',
        {'FORCE_CUDA': '1', 'TORCH_CUDA_ARCH_LIST': kinds},
    )

    def on_cpu(reason: str) -> Operators:
        # mmcv's build goes by the visible GPUs, so they are hidden from it.
        return Operators('cpu', reason, {'FORCE_CUDA': '0', 'CUDA_VISIBLE_DEVICES': ''})

    if force == '1':
        if cuda is None or nvcc is None:
            missing = (
                'this torch has no CUDA' if cuda is None else 'no CUDA compiler (nvcc) is found'
            )
            raise SetupError(
                f'FORCE_CUDA=1, but {missing}.',
                f'install CUDA {cuda or ""}, set CUDA_HOME to it, or: FORCE_CUDA=0 make setup',
            )
        if not kinds:
            raise SetupError(
                'FORCE_CUDA=1, but no GPU is visible whose kind could be read.',
                "FORCE_CUDA=1 TORCH_CUDA_ARCH_LIST='8.0;9.0' make setup  # your GPUs' kinds",
            )
        return on_gpu._replace(reason=f'FORCE_CUDA=1; {on_gpu.reason}')
    if force is not None:
        return on_cpu(f'FORCE_CUDA={force}')
    if cuda is None:
        return on_cpu('this torch has no CUDA')
    if nvcc is None:
        return on_cpu(f'torch has CUDA {cuda}, and no CUDA compiler (nvcc) is found')
    if nvcc != cuda:
        return on_cpu(f'torch has CUDA {cuda}, but the CUDA compiler is {nvcc}')
    if not gpus:
        return on_cpu(
            f'the CUDA compiler matches torch ({cuda}), but no GPU is visible. For GPU operators '
            "anyway: FORCE_CUDA=1 TORCH_CUDA_ARCH_LIST='9.0' make setup"
        )
    return on_gpu


def wheel_folder(cache: Path, mmcv: str, torch: str, tag: str) -> Path:
    """Folder of the cache for one wheel: no wheel is taken for another torch, Python or CUDA."""
    system = sysconfig.get_platform().replace('-', '_').replace('.', '_')
    return cache / f'mmcv-{mmcv}_torch-{torch}_{PYTHON_TAG}_{system}_{tag}'


def is_sound(wheel: Path) -> bool:
    """Whether a wheel is whole and has compiled operators in it."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            compiled = any(name.startswith('mmcv/_ext') for name in archive.namelist())
            return compiled and archive.testzip() is None
    except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, ValueError):
        return False


def cached_wheel(folder: Path) -> Path | None:
    """The wheel kept in ``folder``; a damaged one is removed, and that is said."""
    for wheel in sorted(folder.glob('*.whl')):
        if is_sound(wheel):
            return wheel
        print(f'      the kept wheel {wheel} is damaged: removed, and compiled again')
        wheel.unlink()
    return None


def keep_wheel(wheel: Path, folder: Path) -> Path:
    """Move a fresh wheel into the cache, whole or not at all.

    Raises:
        SetupError: It has no compiled operators.
    """
    if not is_sound(wheel):
        raise SetupError(
            'the build made a wheel without compiled operators.',
            f'rm -rf {VENV} && make setup',
            LOGS / '4-mmcv-build.log',
        )
    folder.mkdir(parents=True, exist_ok=True)
    return wheel.replace(folder / wheel.name)  # built on the same file system: atomic


def jobs() -> int:
    """Compilers at a time: one a processor, each with 2 GiB of memory."""
    count = (
        len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    )
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    return max(1, min(count, memory // (2 * GIB)))


def build_wheel(mmcv: str, operators: Operators, folder: Path) -> Path:
    """Compile mmcv and keep the wheel."""
    check_compiler()
    count = os.environ.get('MAX_JOBS') or str(jobs())
    print(f'      compiling with {count} at a time (MAX_JOBS); 7 minutes on two processors,')
    print('      once: the wheel is kept in', folder)
    flags = {name: f'{os.environ.get(name, "")} -g0'.strip() for name in ('CFLAGS', 'CXXFLAGS')}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.building-', dir=folder.parent) as place:
        # --no-cache-dir: pip's own cache does not know which torch a wheel was compiled for.
        command = [str(VENV_PYTHON), '-m', 'pip', 'wheel', '-v', '--no-deps', '--no-cache-dir']
        command += ['--no-build-isolation', '--no-binary', 'onedl-mmcv', '-w', place]
        options = {'MMCV_WITH_OPS': '1', 'MAX_JOBS': count, 'TMPDIR': place}
        run_logged(
            [*command, f'onedl-mmcv=={mmcv}'],
            LOGS / '4-mmcv-build.log',
            'compiling the mmcv operators',
            {**options, **flags, **operators.environment},
        )
        return keep_wheel(next(Path(place).glob('*.whl')), folder)


def install_operators() -> str:
    """Install mmcv from the cache, or compile it first. Returns what it was compiled for."""
    found = probe_torch()
    environ = dict(os.environ)
    operators = choose_operators(found['cuda'], found['nvcc'], found['gpus'], environ)
    kind = 'CPU' if operators.tag == 'cpu' else 'GPU'
    print(f'      operators for the {kind}: {operators.reason}', flush=True)
    mmcv = pinned_version('onedl-mmcv', read_requirements('runtime')[1])
    folder = wheel_folder(cache_home(), mmcv, found['torch'], operators.tag)
    wheel = cached_wheel(folder)
    if wheel:
        print(f'      compiled before: {wheel}', flush=True)
    else:
        wheel = build_wheel(mmcv, operators, folder)
    pip(
        ['--no-deps', '--force-reinstall', '--no-cache-dir', str(wheel)],
        LOGS / '4-mmcv-install.log',
        'installing mmcv',
    )
    return operators.tag


# --- all of it ---------------------------------------------------------------------------------


def install_rest() -> None:
    """Install the MM packages, what they import, the tests' tools, and this package."""
    ordinary: list[str] = []
    alone: list[str] = []
    for name in ('build', 'runtime', 'detection', 'classification', 'generation', 'tests'):
        pins, no_deps = read_requirements(name)
        ordinary += pins
        alone += [pin for pin in no_deps if not pin.startswith('onedl-mmcv==')]
    pip(
        ['--progress-bar', 'raw', *ordinary],
        LOGS / '5-packages.log',
        'installing the other packages',
    )
    pip(
        ['--no-deps', '--no-build-isolation', *alone, '-e', str(ROOT)],
        LOGS / '5-mm.log',
        'installing the MM packages and w2s_mm',
    )
    modules = 'cv2, mmcv.ops, mmdet.models, mmdet.datasets, mmpretrain, diffusers, w2s_mm'
    run_logged(
        [str(VENV_PYTHON), '-c', f'import {modules}'],
        LOGS / '5-import.log',
        'importing it all for the first time',
    )


def set_up() -> None:
    """Do the five steps; print which one failed, why, and what to type."""
    start = time.monotonic()
    number, title = 0, ''

    def step(name: str) -> None:
        nonlocal number, title
        number, title = number + 1, name
        print(f'[{number}/{STEPS}] {name}', flush=True)

    try:
        step(f'The machine (Python {platform.python_version()}, {platform.machine()})')
        check_machine()
        step('The environment .venv')
        make_venv()
        STAMP.write_text('{}', encoding='utf-8')
        build_pins, _ = read_requirements('build')
        pip(
            [pin for pin in build_pins if pin.startswith('pip==')],
            LOGS / '2-pip.log',
            'updating pip',
        )
        step('PyTorch and the build tools (2.5 GB to download, where pip has not kept them)')
        pip(['--progress-bar', 'raw', *build_pins], LOGS / '3-torch.log', 'installing PyTorch')
        step('The mmcv operators')
        operators = install_operators()
        step('The other packages')
        install_rest()
    except SetupError as error:
        print(f'\nSet-up stopped at step {number}/{STEPS}: {title}', file=sys.stderr)
        print(f'Why:  {error.why}\nType: {error.remedy}', file=sys.stderr)
        if error.log:
            print(f'Log:  {error.log}, which ends:', file=sys.stderr)
            print(*(f'  | {line}' for line in last_lines(error.log)), sep='\n', file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        print(f'\nSet-up stopped at step {number}/{STEPS}: {title}', file=sys.stderr)
        print(f'Why:  {error}\nType: make setup  # once that is mended', file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print('\nSet-up interrupted. Type: make setup  # it goes on from here', file=sys.stderr)
        sys.exit(130)
    fresh = STAMP.with_suffix('.new')
    fresh.write_text(json.dumps({'fingerprint': fingerprint(), 'operators': operators}), 'utf-8')
    fresh.replace(STAMP)
    print(f'Set up in {clock(time.monotonic() - start)}.\n', flush=True)


if __name__ == '__main__' and not is_ready():
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)  # as Ctrl-C: nothing is left running
    set_up()
