"""A case, and how it ended."""

from __future__ import annotations

import os
import resource
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import w2s_mm
from w2s_mm.utils.errors import W2SError

PACKAGE = str(Path(w2s_mm.__file__).parent)
SUCCESS = 'success'
REFUSED = 'W2SError'

SECONDS = 5  # of the processor, of one case
EXTRA = 96 << 20  # bytes that one case may use
LIMIT = 2 << 30  # bytes of address space beyond that of the process, a second line of defence
LONGEST = 5000  # characters of a message
TRAP = 'ran'  # file that hostile code creates in the folder of its case


class Defect(AssertionError):
    """A case that succeeded and should not have."""


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        kind: What it belongs to, for the table.
        name: What is special about it.
        make: Makes the input in an empty folder, and returns what uses it.
        named: Text that the error has to contain, the file or the option; empty for any.
    """

    kind: str
    name: str
    make: Callable[[Path], Callable[[], Any]]
    named: str = ''


@contextmanager
def limited_memory() -> Iterator[None]:
    """Let allocations fail that exceed the current size by :data:`LIMIT`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_memory('VmSize') + LIMIT, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def outcome(case: Case, folder: Path) -> str:
    """Run a case in an empty folder: success, W2SError, or what is wrong."""
    use = case.make(folder)
    before = _reset_peak()
    home = Path.cwd()
    os.chdir(folder)  # for options that are paths
    signal.signal(signal.SIGPROF, _too_slow)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        use()
        found = SUCCESS
    except W2SError as error:
        found = _judged(str(error), case)
    except TimeoutError:
        found = f'defect: longer than {SECONDS} s'
    except Defect as error:
        found = f'defect: {error}'
    except Exception as error:
        found = f'defect: {type(error).__name__} {_place(error)}'
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        os.chdir(home)
    if (folder / TRAP).exists():
        return 'defect: code ran'
    if _memory('VmHWM') - before > EXTRA:
        return f'defect: more than {EXTRA >> 20} MiB of memory'
    return found


def _judged(message: str, case: Case) -> str:
    if case.named and case.named not in message:
        return f'defect: the message does not name {"the option" if " " not in case.named else ""}'
    if len(message) > LONGEST:
        return f'defect: a message of more than {LONGEST} characters'
    return REFUSED


def _too_slow(*_: Any) -> None:
    raise TimeoutError


def _place(error: BaseException) -> str:
    """Where in this package, or else where at all."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(PACKAGE)]
    last = (ours or frames)[-1]
    return f'in {Path(last.filename).name}:{last.name}'


def _reset_peak() -> int:
    Path('/proc/self/clear_refs').write_text('5')
    return _memory('VmRSS')


def _memory(name: str) -> int:
    """A figure of this process in bytes."""
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(name + ':'):
            return int(line.split()[1]) << 10
    raise AssertionError(name)
