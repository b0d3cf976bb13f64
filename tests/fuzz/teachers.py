"""Checkpoints of teachers: hostile, damaged and unusual."""

from __future__ import annotations

import builtins
import io
import json
import os
import pickle
import random
import runpy
import shutil
import struct
import subprocess
import tarfile
import timeit
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from tests.hooks.toy import ToyNet
from w2s_mm.core.teacher import FrozenTeacher

from .cases import TRAP, Case, Defect

CONFIG = {'type': 'ToyNet', 'width': 4}
GIB = 1 << 30
FORMATS = ('zip', 'legacy', 'safetensors')


def state(seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights that fit :data:`CONFIG`."""
    torch.manual_seed(seed)
    return dict(ToyNet(4).state_dict())


def whole_checkpoint() -> dict[str, Any]:
    """What MMEngine writes."""
    net = ToyNet(4)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.ones(2, 3, 2, 2)).sum().backward()
    optimizer.step()
    return {
        'meta': {'epoch': 3, 'iter': np.int64(12), 'dataset_meta': {'classes': ('toy',)}},
        'state_dict': net.state_dict(),
        'optimizer': optimizer.state_dict(),
        'best': np.float64(0.5),
        'curve': np.arange(3.0),
    }


def written(content: Any, form: str = 'zip') -> bytes:
    """A checkpoint as bytes."""
    if form == 'safetensors':
        return save({k: v.contiguous() for k, v in content.items()})
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=form == 'zip')
    return file.getvalue()


def use(path: Path) -> None:
    """Load a teacher and run it, as before a training run."""
    teacher = FrozenTeacher(CONFIG, str(path))
    teacher.load()
    model = teacher.model
    for name, value in model.state_dict().items():
        if not torch.isfinite(value).all():
            raise Defect(f'NaN or infinity in {name.split(".")[-1]} was accepted')
    with torch.no_grad():
        model(torch.ones(2, 3, 2, 2), mode='tensor')


def teacher_case(kind: str, name: str, make: Callable[[Path], bytes], form: str = 'zip') -> Case:
    """A case of a file with these bytes."""
    file = 'c.safetensors' if form == 'safetensors' else 'c.pth'

    def written_to(folder: Path) -> Callable[[], None]:
        path = folder / file
        path.write_bytes(make(folder))
        return partial(use, path)

    return Case(f'teacher: {kind}', f'{form}, {name}', written_to, file)


def all_cases(seed: int, scale: float = 1.0) -> Iterator[Case]:
    """All cases of teachers."""
    yield from code()
    yield from damaged(seed, scale)
    yield from mutated_pickles(seed, scale)
    yield from mutated_headers(seed, scale)
    yield from bombs()
    yield from tensors(seed)
    yield from layouts(seed)


# ------------------------------------------------------------------------------------------- code


class Calls:
    """Pickled as the call of a function."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


def _callers(folder: Path) -> dict[str, Any]:
    """Objects that create the trap when they are unpickled, by what they call."""
    trap = folder / TRAP
    python = f'open({str(trap)!r}, "w").close()'
    shell = f'touch {trap}'
    script = folder / 'script.py'
    script.write_text(python)
    inner = pickle.dumps(Calls(os.system, shell))
    return {
        'os.system': Calls(os.system, shell),
        'eval': Calls(builtins.eval, python),
        'exec': Calls(builtins.exec, python),
        'open': Calls(builtins.open, str(trap), 'w'),
        'compile': Calls(builtins.exec, Calls(builtins.compile, python, 'x', 'exec')),
        'import': Calls(getattr, Calls(builtins.__import__, 'os'), 'system'),
        'map': Calls(builtins.list, Calls(builtins.map, os.system, [shell])),
        'subprocess.call': Calls(subprocess.call, shell.split()),
        'subprocess.Popen': Calls(subprocess.Popen, shell.split()),
        'shutil.copyfile': Calls(shutil.copyfile, str(script), str(trap)),
        'runpy': Calls(runpy.run_path, str(script)),
        'timeit': Calls(timeit.timeit, python, 'pass', timeit.default_timer, 1),
        'Path.touch': Calls(Path.touch, trap),
        'pickle.loads': Calls(pickle.loads, inner),
        'torch storage': Calls(torch.storage._load_from_bytes, inner),
        'numpy object array': np.array([Calls(os.system, shell)], dtype=object),
    }


def _opcodes(folder: Path) -> dict[str, bytes]:
    """The same, written by hand."""
    shell = f'touch {folder / TRAP}'
    text = b'X' + struct.pack('<I', len(shell)) + shell.encode()
    short = bytes([len(shell)])
    return {
        'GLOBAL': b'cos\nsystem\n(' + text + b'tR.',
        'GLOBAL posix': b'cposix\nsystem\n(' + text + b'tR.',
        'GLOBAL builtin': b'c__builtin__\neval\n(' + text + b'tR.',
        'GLOBAL dotted': b'cos\npath.os.system\n(' + text + b'tR.',
        'GLOBAL mmengine': b'cmmengine.logging.history_buffer\nHistoryBuffer.update\n(' + text,
        'INST': b"(S'" + shell.encode() + b"'\nios\nsystem\n.",
        'OBJ': b'(cos\nsystem\n' + text + b'o.',
        'STACK_GLOBAL': b'\x80\x04\x8c\x02os\x8c\x06system\x93\x8c'
        + short
        + shell.encode()
        + b'\x85R.',
        'NEWOBJ': b'\x80\x02cos\nsystem\n(' + text + b't\x81.',
        'NEWOBJ_EX': b'\x80\x04cos\nsystem\n(' + text + b't}\x92.',
        'BUILD': b'\x80\x02ccollections\nOrderedDict\n)R}X\x0c\x00\x00\x00__setstate__cos\nsystem\n'
        b'sb' + text + b'b.',
        'EXT1': b'\x80\x02\x82\x01.',
        'PERSID': b'Pos.system\n.',
        'BINPERSID': text + b'Q.',
        'getattr of HistoryBuffer': b'cbuiltins\ngetattr\n(cmmengine.logging.history_buffer\n'
        b'HistoryBuffer\nX\x08\x00\x00\x00__init__tR' + text + b'\x85R.',
        'getattr, then call': b'cbuiltins\ngetattr\n(cbuiltins\ngetattr\nX\x04\x00\x00\x00evaltR('
        + text
        + b'tR.',
    }


_PLACES: dict[str, Callable[[Any], Any]] = {
    'alone': lambda evil: evil,
    'in meta': lambda evil: {'state_dict': state(), 'meta': evil},
    'as a weight': lambda evil: {**state(), 'body.1.weight': evil},
    'as state_dict': lambda evil: {'state_dict': evil},
    'deep inside': lambda evil: {'state_dict': state(), 'x': [{'y': (1, [evil])}]},
}


def code() -> Iterator[Case]:
    """Pickles that would run code."""
    for form in ('zip', 'legacy'):
        for caller in _CALLERS:
            for place, put in _PLACES.items():

                def make(folder: Path, caller: str = caller, put: Any = put, form: str = form):
                    return written(put(_callers(folder)[caller]), form)

                yield teacher_case('runs code', f'{caller} {place}', make, form)
    for opcode in _OPCODES:
        for form in ('zip', 'raw', 'tar'):

            def make(folder: Path, opcode: str = opcode, form: str = form) -> bytes:
                return _with_pickle(_opcodes(folder)[opcode], form)

            yield teacher_case('runs code', opcode, make, form)


_CALLERS = (
    'os.system', 'eval', 'exec', 'open', 'compile', 'import', 'map', 'subprocess.call',
    'subprocess.Popen', 'shutil.copyfile', 'runpy', 'timeit', 'Path.touch', 'pickle.loads',
    'torch storage', 'numpy object array',
)  # fmt: skip
_OPCODES = (
    'GLOBAL', 'GLOBAL posix', 'GLOBAL builtin', 'GLOBAL dotted', 'GLOBAL mmengine', 'INST', 'OBJ',
    'STACK_GLOBAL', 'NEWOBJ', 'NEWOBJ_EX', 'BUILD', 'EXT1', 'PERSID', 'BINPERSID',
    'getattr of HistoryBuffer', 'getattr, then call',
)  # fmt: skip


def _with_pickle(pickled: bytes, form: str) -> bytes:
    """A file whose pickle is this one."""
    if form == 'raw':
        return pickled
    if form == 'tar':  # torch before 0.1.10
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode='w') as tar:
            for name in ('storages', 'tensors', 'pickle'):
                info = tarfile.TarInfo(name)
                info.size = len(pickled)
                tar.addfile(info, io.BytesIO(pickled))
        return file.getvalue()
    return rezipped(written(state()), {'data.pkl': pickled})


def rezipped(content: bytes, replaced: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A checkpoint with some members replaced, with correct checksums."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, 'w', method) as new:
        folder = old.namelist()[0].split('/')[0]
        for name in old.namelist():
            member = name.removeprefix(folder + '/')
            new.writestr(name, replaced.get(member, old.read(name)))
        for member in set(replaced) - {n.removeprefix(folder + '/') for n in old.namelist()}:
            new.writestr(f'{folder}/{member}', replaced[member])
    return file.getvalue()


# ----------------------------------------------------------------------------------------- damage


def _content(form: str, whole: bool) -> Any:
    return whole_checkpoint() if whole and form != 'safetensors' else state()


def damaged(seed: int, scale: float) -> Iterator[Case]:
    """Files that are cut, have flipped bits, or bytes of something else."""
    for form in FORMATS:
        for index in range(round(600 * scale)):

            def cut(_: Path, form: str = form, index: int = index) -> bytes:
                rng = random.Random(f'{seed} cut {form} {index}')
                content = written(_content(form, index % 2 == 1), form)
                return content[: rng.randrange(len(content))]

            yield teacher_case('truncated', f'{index}', cut, form)
        for index in range(round(1000 * scale)):

            def flip(_: Path, form: str = form, index: int = index) -> bytes:
                rng = random.Random(f'{seed} flip {form} {index}')
                content = bytearray(written(_content(form, index % 2 == 1), form))
                for _ in range(rng.choice((1, 1, 2, 8, 64))):
                    place = rng.randrange(len(content))
                    content[place] ^= 1 << rng.randrange(8)
                return bytes(content)

            yield teacher_case('bits flipped', f'{index}', flip, form)
        for index in range(round(100 * scale)):

            def noise(_: Path, form: str = form, index: int = index) -> bytes:
                rng = random.Random(f'{seed} noise {form} {index}')
                content = bytearray(written(_content(form, index % 2 == 1), form))
                start = rng.randrange(len(content))
                stop = min(start + rng.randrange(1, 4096), len(content))
                content[start:stop] = rng.choice((rng.randbytes(stop - start), b'\0', b''))
                return bytes(content)

            yield teacher_case('part replaced', f'{index}', noise, form)


def mutated_pickles(seed: int, scale: float) -> Iterator[Case]:
    """Pickles with changed bytes, in archives with correct checksums."""
    for index in range(round(1500 * scale)):

        def make(_: Path, index: int = index) -> bytes:
            rng = random.Random(f'{seed} pickle {index}')
            whole = written(_content('zip', index % 2 == 1))
            with zipfile.ZipFile(io.BytesIO(whole)) as archive:
                name = next(n for n in archive.namelist() if n.endswith('data.pkl'))
                pickled = bytearray(archive.read(name))
            for _ in range(rng.choice((1, 1, 2, 4))):
                place = rng.randrange(len(pickled))
                change = rng.randrange(4)
                if change == 0:
                    pickled[place] = rng.randrange(256)
                elif change == 1:
                    del pickled[place : place + rng.randrange(1, 9)]
                elif change == 2:
                    pickled[place:place] = rng.choice(
                        (b'\x85R', b'}b', b'a', b'0', b')R', b'N', b'Q')
                    )
                else:
                    other = rng.randrange(len(pickled))
                    pickled[place : place + 8] = pickled[other : other + 8]
            return rezipped(whole, {'data.pkl': bytes(pickled)})

        yield teacher_case('pickle changed', f'{index}', make)


ODD: tuple[Any, ...] = (
    None, -1, 0, 1, 2.5, 1 << 40, 1 << 62, 1 << 70, '', 'F32', 'F8_E4M3', 'nope', [], [0], [[]],
    {}, {'a': 1}, [1 << 40, 1 << 40], True, [0, 1 << 50], [-1, -1], [8, 0], 1e400,
)  # fmt: skip


def mutated_headers(seed: int, scale: float) -> Iterator[Case]:
    """Safetensors whose header was changed."""
    for index in range(round(900 * scale)):

        def make(_: Path, index: int = index) -> bytes:
            rng = random.Random(f'{seed} header {index}')
            content = written(state(), 'safetensors')
            size = struct.unpack('<Q', content[:8])[0]
            header, payload = json.loads(content[8 : 8 + size]), content[8 + size :]
            tensors = [name for name in header if name != '__metadata__']
            name = rng.choice(tensors)
            change = rng.randrange(7)
            if change == 0:
                header[name][rng.choice(('dtype', 'shape', 'data_offsets'))] = rng.choice(ODD)
            elif change == 1:
                header[name] = rng.choice(ODD)
            elif change == 2:
                header[rng.choice(('', 'x' * 100_000, '\n\x1b[2J', name + '\0'))] = header.pop(name)
            elif change == 3:
                header['__metadata__'] = rng.choice(ODD)
            elif change == 4:
                size = rng.choice((0, 1, size + 1, len(content), 1 << 33, (1 << 63) + 5))
                return struct.pack('<Q', size & (1 << 64) - 1) + content[8:]
            elif change == 5:
                header = rng.choice(ODD)
            else:
                header[name]['dtype'] = rng.choice(('F64', 'F16', 'I32', 'BOOL', 'U8', 'F8_E5M2'))
            text = json.dumps(header).encode()
            if rng.random() < 0.1:
                text = b'[' * 50_000 + text
            return struct.pack('<Q', len(text)) + text + payload

        yield teacher_case('header changed', f'{index}', make, 'safetensors')


# ------------------------------------------------------------------------------------------ bombs


def bombs() -> Iterator[Case]:
    """Small files that would need much memory."""
    zeros = bytes(128 << 20)

    def member(name: str) -> Callable[[Path], bytes]:
        return lambda _: rezipped(written(state()), {name: zeros}, zipfile.ZIP_DEFLATED)

    for name in (
        'data.pkl',
        'data/0',
        'data/3',
        'version',
        'byteorder',
        'extra',
        '.format_version',
    ):
        yield teacher_case('bomb', f'zip member {name}', member(name))

    def padded(_: Path) -> bytes:
        pickled = pickle.dumps({'x': bytes(128 << 20), 'state_dict': {}}, 2)
        return rezipped(written(state()), {'data.pkl': pickled}, zipfile.ZIP_DEFLATED)

    yield teacher_case('bomb', 'pickled bytes', padded)

    def lying(field: str, value: int) -> Callable[[Path], bytes]:
        def make(_: Path) -> bytes:
            content = bytearray(written(state()))
            place = content.rfind(b'PK\x01\x02')  # last entry of the directory
            offset = {'compressed': 20, 'size': 24}[field]
            content[place + offset : place + offset + 4] = struct.pack('<I', value)
            return bytes(content)

        return make

    for field in ('compressed', 'size'):
        for value in (1 << 31, (1 << 32) - 2, 1 << 28, 0, 1):
            yield teacher_case('bomb', f'{field} {value:,}', lying(field, value))

    def claims(shape: tuple[int, ...], form: str) -> Callable[[Path], bytes]:
        def make(_: Path) -> bytes:
            told = dict(state())
            told['body.1.weight'] = torch.ones(1).expand(shape)
            return written(told, form)

        return make

    for shape in ((1 << 40,), (1 << 20, 1 << 20), (4, 12), (1 << 31, 12), (4, 12, 1 << 30)):
        for form in ('zip', 'legacy'):
            yield teacher_case('bomb', f'a number expanded to {shape}', claims(shape, form), form)

    def storage(count: int) -> Callable[[Path], bytes]:
        def make(_: Path) -> bytes:
            content = written({'w': torch.zeros(77)}, 'legacy')
            return content.replace(b'K\x4d', b'\x8a\x06' + count.to_bytes(6, 'little'))

        return make

    for count in (1 << 28, 1 << 32, 1 << 40, 1 << 45):
        yield teacher_case('bomb', f'storage of {count:,}', storage(count), 'legacy')

    def array(count: int, function: Any) -> Callable[[Path], bytes]:
        def make(_: Path) -> bytes:
            content = {
                'state_dict': state(),
                'meta': Calls(function, *_array_args(function, count)),
            }
            return written(content)

        return make

    for count in (1 << 28, 1 << 33, 1 << 45, 1 << 62):
        yield teacher_case('bomb', f'bytearray of {count:,}', array(count, bytearray))
        reconstruct = np.array([1]).__reduce__()[0]
        yield teacher_case('bomb', f'array of {count:,}', array(count, reconstruct))
    header = {'w': {'dtype': 'F32', 'shape': [1 << 34], 'data_offsets': [0, 1 << 36]}}
    text = json.dumps(header).encode()
    yield teacher_case(
        'bomb', 'claims 64 GiB', lambda _: struct.pack('<Q', len(text)) + text, 'safetensors'
    )
    for length in (90 << 20, 99_999_999, 1 << 40):
        yield teacher_case(
            'bomb',
            f'header of {length:,}',
            lambda _, length=length: struct.pack('<Q', length) + b' ' * 1000,
            'safetensors',
        )

    def many(_: Path) -> bytes:
        return written({**state(), **{f'k{i}' * 50: torch.zeros(1) for i in range(4000)}})

    yield teacher_case('bomb', '4,000 long keys', many)

    def deep(form: str) -> Callable[[Path], bytes]:
        def make(_: Path) -> bytes:
            return _with_pickle(b'\x80\x02' + b']' * 50_000 + b'a' * 49_999 + b'.', form)

        return make

    for form in ('zip', 'raw'):
        yield teacher_case('bomb', 'lists in lists', deep(form), form)


def _array_args(function: Any, count: int) -> tuple[Any, ...]:
    return (count,) if function is bytearray else (np.ndarray, (count,), b'b')


# ---------------------------------------------------------------------------------------- tensors

DTYPES = (
    'float64', 'float16', 'bfloat16', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'bool',
    'complex64', 'complex32', 'float8_e4m3fn', 'float8_e5m2',
)  # fmt: skip


def _special(value: torch.Tensor) -> dict[str, Callable[[], Any]]:
    """What could be in the place of a weight."""
    plain = value.float()
    flat = plain.reshape(-1, 1) if plain.dim() < 2 else plain
    return {
        'quantised': lambda: torch.quantize_per_tensor(plain, 0.1, 0, torch.qint8),
        'quantised by channel': lambda: torch.quantize_per_channel(
            flat, torch.ones(len(flat)), torch.zeros(len(flat)), 0, torch.qint8
        ),
        'sparse': lambda: plain.to_sparse(),
        'sparse CSR': lambda: flat.to_sparse_csr(),
        'meta': lambda: plain.to('meta'),
        'nested': lambda: torch.nested.nested_tensor([plain, plain]),
        'nested, jagged': lambda: torch.nested.nested_tensor([flat, flat], layout=torch.jagged),
        'transposed': lambda: flat.t().contiguous().t().reshape(plain.shape),
        'every other': lambda: torch.cat([plain.reshape(-1)] * 2)[::2].reshape(plain.shape),
        'expanded': lambda: torch.ones(()).expand(plain.shape),
        'a parameter': lambda: torch.nn.Parameter(plain),
        'conjugated': lambda: torch.complex(plain, plain).conj(),
        'negated': lambda: torch.complex(plain, plain).conj().imag,
        'empty': lambda: plain.new_zeros(0),
        'a scalar': lambda: torch.tensor(1.0),
        'a string': lambda: 'weights',
        'a list': lambda: plain.tolist(),
        'an array': lambda: plain.numpy(),
        'a number': lambda: 1.0,
        'None': lambda: None,
        'a storage': lambda: plain.untyped_storage(),
    }


def tensors(seed: int) -> Iterator[Case]:
    """Weights of other types, and with values that are not finite."""
    keys = list(state())
    for key in keys:
        for dtype in DTYPES:
            for form in FORMATS:
                if form == 'safetensors' and dtype in ('complex32',):
                    continue

                def typed(_: Path, key: str = key, dtype: str = dtype, form: str = form) -> bytes:
                    told = state()
                    told[key] = told[key].to(getattr(torch, dtype))
                    return written(told, form)

                yield teacher_case('dtype', f'{dtype} {key}', typed, form)
        for name in _special(torch.ones(2, 2)):

            def special(_: Path, key: str = key, name: str = name) -> bytes:
                told = state()
                told[key] = _special(told[key])[name]()
                return written(told)

            yield teacher_case('type', f'{name} {key}', special)
        for value in ('nan', 'inf', '-inf', '1e300'):
            for count in (1, 10**9):
                for form in FORMATS:

                    def broken(
                        _: Path, key: str = key, value: str = value, count: int = count,
                        form: str = form,
                    ) -> bytes:  # fmt: skip
                        told = state()
                        if not told[key].is_floating_point():
                            told[key] = told[key].double()
                        wide = told[key].double().reshape(-1)
                        wide[:count] = float(value)
                        told[key] = wide.reshape(told[key].shape)
                        return written(told, form)

                    yield teacher_case('NaN and infinity', f'{count} {value} {key}', broken, form)
    for dtype in DTYPES:

        def whole(_: Path, dtype: str = dtype) -> bytes:
            return written({k: v.to(getattr(torch, dtype)) for k, v in state().items()})

        yield teacher_case('dtype', f'{dtype} throughout', whole)


# ---------------------------------------------------------------------------------------- layouts


def layouts(seed: int) -> Iterator[Case]:
    """State dicts with other keys, shapes and nesting."""
    made: dict[str, Callable[[], Any]] = {
        'empty': dict,
        'empty inside': lambda: {'state_dict': {}},
        'a list': lambda: [state()],
        'a tensor': lambda: torch.ones(3),
        'None': lambda: None,
        'a number': lambda: 5,
        'text': lambda: 'weights',
        'bytes': lambda: b'weights',
        'a set': lambda: {1, 2},
        'model': lambda: {'model': state()},
        'model, state_dict': lambda: {'model': {'state_dict': state()}},
        'nested twice': lambda: {'state_dict': {'state_dict': state()}},
        'ema only': lambda: {'ema_state_dict': state()},
        'ema and state': lambda: {'ema_state_dict': state(1), 'state_dict': state()},
        'timm ema': lambda: {'state_dict_ema': state(), 'epoch': 1},
        'generator and ema': lambda: {'model_ema': state(), 'optimizer': {}},
        'module.': lambda: {f'module.{k}': v for k, v in state().items()},
        'module. twice': lambda: {f'module.module.{k}': v for k, v in state().items()},
        'module. in part': lambda: {
            (f'module.{k}' if i % 2 else k): v for i, (k, v) in enumerate(state().items())
        },
        '_orig_mod.': lambda: {f'_orig_mod.{k}': v for k, v in state().items()},
        'teacher.': lambda: {f'teacher.{k}': v for k, v in state().items()},
        'OrderedDict': lambda: OrderedDict(state()),
        'number keys': lambda: {i: v for i, v in enumerate(state().values())},
        'tuple keys': lambda: {(k, 1): v for k, v in state().items()},
        'None key': lambda: {**state(), None: torch.ones(1)},
        'bytes keys': lambda: {k.encode(): v for k, v in state().items()},
        'huge key': lambda: {**state(), 'k' * 1_000_000: torch.ones(1)},
        'escape codes in a key': lambda: {**state(), '\x1b[2J\x07\n\r\0': torch.ones(1)},
        'surrogates in a key': lambda: {**state(), '\ud800': torch.ones(1)},
        'aliases': lambda: {**state(), 'head.1.bias': state()['body.1.bias'][:1]},
        'itself inside': _recursive,
        'metadata': lambda: {**state(), '_metadata': {}},
        'classes a number': lambda: _with_classes(5),
        'classes a tensor': lambda: _with_classes(torch.ones(3)),
        'classes text': lambda: _with_classes('toy'),
        'classes of lists': lambda: _with_classes([['toy']]),
        'dataset_meta a list': lambda: {'state_dict': state(), 'meta': {'dataset_meta': [1]}},
        'meta a list': lambda: {'state_dict': state(), 'meta': [1, 2]},
        'meta a tensor': lambda: {'state_dict': state(), 'meta': torch.ones(2)},
        'meta text': lambda: {'state_dict': state(), 'meta': 'v1'},
        'meta an array': lambda: {'state_dict': state(), 'meta': np.ones(2)},
    }  # fmt: skip
    for name, content in made.items():
        for form in ('zip', 'legacy'):

            def make(_: Path, content: Any = content, form: str = form) -> bytes:
                return written(content(), form)

            yield teacher_case('layout', name, make, form)
    for form in FORMATS:
        for index in range(100):

            def keys(_: Path, index: int = index, form: str = form) -> bytes:
                rng = random.Random(f'{seed} keys {form} {index}')
                told = state()
                for _ in range(rng.choice((0, 1, 3))):
                    told.pop(rng.choice(list(told)))
                    if not told:
                        break
                for number in range(rng.choice((0, 1, 10, 1000))):
                    told[f'unknown.{number}'] = torch.zeros(rng.randrange(3))
                for key in rng.sample(list(told), min(rng.randrange(3), len(told))):
                    shape = [rng.randrange(4) for _ in range(rng.randrange(5))]
                    told[key] = torch.zeros(shape)
                return written(told, form)

            yield teacher_case('keys and shapes', f'{index}', keys, form)


def _with_classes(classes: Any) -> Any:
    return {'state_dict': state(), 'meta': {'dataset_meta': {'classes': classes}}}


def _recursive() -> Any:
    content: dict[str, Any] = {'state_dict': state()}
    content['self'] = content
    return content
