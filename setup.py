"""Packaging: `pip install .` brings light dependencies only and leaves an MM stack as it is."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def pins(name: str) -> list[str]:
    """Requirements of ``requirements/<name>.txt``, comments left out."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [stripped for line in lines if (stripped := line.split('#')[0].strip())]


def version() -> str:
    """The version that ``w2s_mm/__init__.py`` states."""
    text = (ROOT / 'w2s_mm' / '__init__.py').read_text(encoding='utf-8')
    found = re.search(r"^__version__ = '([^']+)'", text, re.MULTILINE)
    if found is None:
        raise SystemExit("w2s_mm/__init__.py has no line of the form __version__ = '1.2.3'.")
    return found.group(1)


setup(
    name='w2s_mm',
    version=version(),
    description='Weak-to-strong distillation for the MM stack: reach a target metric earlier',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['w2s_mm', 'w2s_mm.*']),
    # torch and the MM packages are not listed: under which names and from where they come is the
    # user's choice. w2s_mm.commands.environment.check_environment looks at what is importable.
    install_requires=['matplotlib', 'numpy', 'pillow', 'safetensors', 'scikit-learn'],
    extras_require={
        name: pins(name) for name in ('detection', 'classification', 'generation', 'tests')
    },
)
