"""The console command ``w2s``, also ``python -m w2s_mm``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from w2s_mm import __version__

# Name: (module of w2s_mm.commands, description). Modules are imported only when their command runs.
COMMANDS = {
    'train': ('train', 'train a model'),
    'test': ('test', 'evaluate a checkpoint'),
    'compare': ('compare', 'train configs and a baseline with the same seeds, and report'),
    'tune': ('tune', 'try settings of a baseline and a student, equally many of each'),
    'report': ('report', 'report on existing runs'),
    'select-teacher': ('select_teacher', 'evaluate checkpoints and recommend one as the teacher'),
    'diagnose': ('diagnose', 'check whether a teacher is too weak, suitable or too strong'),
    'demo': ('demo', 'train a teacher, a baseline and a student on digit scenes, and report'),
    'export-ddpm': ('export_ddpm', 'write a trained diffusion model as a diffusers folder'),
    'digit-scenes': ('digit_scenes', 'write the digit scenes, a small detection data set'),
    'coco-split': ('coco_split', 'draw COCO train5k/val500 from the official annotation files'),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command that the first argument names.

    Args:
        argv: Arguments. Default: those of the command line.
    """
    name, *rest = (sys.argv[1:] if argv is None else list(argv)) or ['']
    if name in ('-h', '--help'):
        print(usage())
    elif name == '--version':
        print(f'w2s_mm {__version__}')
    elif name in COMMANDS:
        import_module(f'w2s_mm.commands.{COMMANDS[name][0]}').main(rest)
    elif name:
        print(
            f'error: Unknown command {name!r}; expected one of: {", ".join(COMMANDS)}.',
            file=sys.stderr,
        )
        sys.exit(2)
    else:
        print(usage(), file=sys.stderr)
        sys.exit(2)


def usage() -> str:
    """The help text, with one line per command."""
    lines = [f'  {name:<16}{what}' for name, (_, what) in COMMANDS.items()]
    return '\n'.join(
        [
            'usage: w2s COMMAND [arguments]',
            '',
            'Weak-to-strong distillation for the MM stack.',
            '',
            *lines,
            '',
            'For the arguments of a command, run: w2s COMMAND --help',
            'A config is a path, or a name such as w2s_mm::digits/retinanet_student.py.',
        ]
    )


if __name__ == '__main__':
    main()
