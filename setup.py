"""Packaging. `pip install .` installs only light dependencies and does not change the MM stack."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


def pins(name: str) -> list[str]:
    """Requirements in ``requirements/<name>.txt``, without comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [stripped for line in lines if (stripped := line.split('#')[0].strip())]


def version() -> str:
    """The version in ``w2s_mm/__init__.py``."""
    text = (ROOT / 'w2s_mm' / '__init__.py').read_text(encoding='utf-8')
    found = re.search(r"^__version__ = '([^']+)'", text, re.MULTILINE)
    if found is None:
        raise SystemExit("w2s_mm/__init__.py has no line of the form __version__ = '1.2.3'.")
    return found.group(1)


class BuildWithConfigs(build_py):
    """Ships ``configs/`` as ``.mim/configs`` in the package, as other MM packages do."""

    def run(self) -> None:
        """Copy the configs into a wheel; in an editable install, link to them."""
        super().run()
        package = ROOT / 'w2s_mm' if self.editable_mode else Path(self.build_lib, 'w2s_mm')
        target = package / '.mim' / 'configs'
        if target.is_symlink():
            target.unlink()
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.editable_mode:
            target.symlink_to(Path('..', '..', 'configs'), target_is_directory=True)
        else:
            shutil.copytree(ROOT / 'configs', target, ignore=shutil.ignore_patterns('__pycache__'))


setup(
    name='w2s_mm',
    version=version(),
    description='Weak-to-strong distillation for the MM stack: reach a target metric earlier',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['w2s_mm', 'w2s_mm.*']),
    cmdclass={'build_py': BuildWithConfigs},
    entry_points={'console_scripts': ['w2s = w2s_mm.__main__:main']},
    # torch and the MM packages are not listed, since users install them under different names and
    # from different sources. w2s_mm.commands.environment.check_environment checks the imports.
    install_requires=['matplotlib', 'numpy', 'pillow', 'safetensors', 'scikit-learn'],
    extras_require={
        name: pins(name) for name in ('detection', 'classification', 'generation', 'tests')
    },
)
