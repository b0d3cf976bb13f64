"""Whether this environment can run the package: importable modules and their versions.

Nothing heavy is imported. What counts is the module, not the name of the distribution that brought
it: ``mmdet`` may be upstream's or that of the maintained continuation (``onedl-mmdetection``).
"""

import importlib.metadata
import importlib.util
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from w2s_mm.utils.errors import W2SError


class Need(NamedTuple):
    """A module with the versions that serve: ``least`` or newer, older than ``below``."""

    module: str
    least: str
    below: str
    distributions: tuple[str, ...]

    @property
    def expected(self) -> str:
        """The range, as pip writes it."""
        return f'>={self.least},<{self.below}'


COMMON = (
    Need('torch', '2.6', '3', ('torch',)),
    Need('mmengine', '0.10', '1', ('onedl-mmengine', 'mmengine')),
    Need('mmcv', '2.0', '3', ('onedl-mmcv', 'mmcv', 'mmcv-lite')),
)
BY_TASK = {
    'detection': (Need('mmdet', '3.0', '4', ('onedl-mmdetection', 'mmdet')),),
    'classification': (Need('mmpretrain', '1.0', '2', ('onedl-mmpretrain', 'mmpretrain')),),
    'generation': (Need('diffusers', '0.41', '1', ('diffusers',)),),
}


def check_environment(tasks: Iterable[str] = ('detection',)) -> None:
    """Look for every module that ``tasks`` need.

    Args:
        tasks: Any of ``detection``, ``classification`` and ``generation``.

    Raises:
        W2SError: Modules are missing, too old or too new: all of them in one message, with what to
            type. Or a task is unknown.
    """
    needs = list(COMMON)
    for task in tasks:
        if task not in BY_TASK:
            raise W2SError(f'Unknown task {task!r}; expected one of: {", ".join(BY_TASK)}.')
        needs += BY_TASK[task]
    problems = {need: problem for need in needs if (problem := find_problem(need))}
    if problems:
        lines = [f'  {need.module}: {problem}' for need, problem in problems.items()]
        remedies = [f'  {remedy(need)}' for need in problems]
        raise W2SError(
            '\n'.join(
                [
                    'This Python environment cannot run w2s_mm:',
                    *lines,
                    'Type:',
                    *remedies,
                    'or, in a clone of w2s_mm, `make setup`: a set of versions tested together.',
                ]
            )
        )


def operators_lack_gpu() -> str | None:
    """What is wrong if a GPU is visible that mmcv's operators cannot use; None if nothing is.

    Imports torch and mmcv.
    """
    import torch

    if os.environ.get('CUDA_VISIBLE_DEVICES') == '' or not torch.cuda.is_available():
        return None
    from mmcv.ops import get_compiling_cuda_version

    if re.match(r'\d', get_compiling_cuda_version()):
        return None
    return (
        f"mmcv's operators (focal loss, NMS, RoIAlign) were compiled for the CPU, and a GPU is "
        f'visible ({torch.cuda.get_device_name()})'
    )


def check_operators() -> None:
    """Check that detectors can run on the GPU, if there is one: MMEngine would train on it.

    Raises:
        W2SError: mmcv's operators were compiled without it.
    """
    import torch

    if problem := operators_lack_gpu():
        mmcv = next(need for need in COMMON if need.module == 'mmcv')
        raise W2SError(
            f'{problem}: a detector would fail on it in mid-run. To train on the CPU, type '
            f"CUDA_VISIBLE_DEVICES='' before the command. For the GPU, install the CUDA "
            f'{torch.version.cuda} toolkit, so that `nvcc --version` says the same as torch, and '
            f'compile mmcv again:\n  {remedy(mmcv)} --force-reinstall --no-deps\nor, in a clone of '
            f'w2s_mm, `FORCE_CUDA=1 make setup`.'
        )


def find_problem(need: Need) -> str | None:
    """What is wrong with a module, None if nothing is."""
    spec = importlib.util.find_spec(need.module)
    if spec is None or spec.origin is None:
        return f'not found; expected {need.expected}'
    folder = Path(spec.origin).parent
    version = installed_version(need, folder)
    if version:
        release = _release(version)
        if release < _release(need.least):
            return f'{version} in {folder} is too old; expected {need.expected}'
        if release >= _release(need.below):
            return f'{version} in {folder} is too new; expected {need.expected}'
    if need.module == 'mmcv' and not any(folder.glob('_ext*')):
        return f'{version} in {folder} has no compiled operators (mmcv-lite has none)'
    return None


def installed_version(need: Need, folder: Path) -> str | None:
    """Version written in the module's ``version.py``, else that of its distribution."""
    version_file = folder / 'version.py'
    if version_file.is_file():
        text = version_file.read_text(encoding='utf-8', errors='replace')
        written = re.search(r"^__version__\s*=\s*['\"](\d[^'\"]*)", text, re.MULTILINE)
        if written:
            return written.group(1)
    for name in need.distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def remedy(need: Need) -> str:
    """The command that installs a module; mmcv is compiled against the torch that is there."""
    if need.module == 'mmcv':
        tools = "pip install 'setuptools>=77,<82' wheel ninja packaging psutil"
        options = '--no-build-isolation --no-cache-dir'
        return f"{tools} && MMCV_WITH_OPS=1 pip install {options} '{_requirement(need)}'"
    return f"pip install '{_requirement(need)}'"


def _requirement(need: Need) -> str:
    return f'{need.distributions[0]}{need.expected}'


def _release(version: str) -> tuple[int, ...]:
    """``'2.11.0+cu130'`` -> ``(2, 11, 0)``."""
    return tuple(int(part) for part in re.findall(r'\d+', re.split(r'[^\d.]', version)[0]))
