import builtins
import copy
import pickle
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from w2s_mm.utils.checkpoint import load_checkpoint, load_weights, named
from w2s_mm.utils.errors import W2SError

STATE = {'weight': torch.arange(6.0).reshape(2, 3), 'steps': torch.tensor(7)}


class CreatesFile:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return builtins.open, (self.path, 'w')


class OldStyle:
    """An object beside the weights, as old training codes saved them."""


def same(state):
    return state.keys() == STATE.keys() and all(torch.equal(state[k], STATE[k]) for k in STATE)


def save(path, content, **kwargs):
    torch.save(content, path, **kwargs)
    return str(path)


@pytest.mark.parametrize(
    'content', [STATE, {'state_dict': STATE}, {'model': STATE, 'epoch': 3}], ids=repr
)
def test_weights_are_found_where_people_put_them(tmp_path, content):
    assert same(load_checkpoint(save(tmp_path / 'c.pth', content))['state_dict'])


def test_file_format_before_torch_1_6(tmp_path):
    path = save(tmp_path / 'c.pth', STATE, _use_new_zipfile_serialization=False)
    assert same(load_checkpoint(path)['state_dict'])


def test_safetensors(tmp_path):
    from safetensors.torch import save_file

    save_file(STATE, tmp_path / 'c.safetensors')
    assert same(load_checkpoint(str(tmp_path / 'c.safetensors'))['state_dict'])


def test_mmengine_checkpoint_loads_without_running_code(tmp_path):
    hub = MessageHub.get_instance('test_mmengine_checkpoint')
    for step in range(3):
        hub.update_scalar('train/loss', np.float64(step))
        hub.update_scalar('train/lr', torch.tensor(0.1))
    hub.update_info('iter', np.int64(3))
    optimizer = torch.optim.AdamW(nn.Linear(2, 2).parameters())
    content = {
        'meta': {'epoch': np.int64(1), 'dataset_meta': {'classes': ('a', 'b')}, 'time': 'today'},
        'state_dict': STATE,
        'message_hub': hub.state_dict(),
        'optimizer': optimizer.state_dict(),
        'best': np.float32(0.5),
        'flag': np.bool_(True),
        'curve': np.arange(4.0),
    }
    loaded = load_checkpoint(save(tmp_path / 'c.pth', content))
    assert same(loaded['state_dict'])
    assert loaded['meta']['dataset_meta']['classes'] == ('a', 'b')
    assert loaded['best'] == np.float32(0.5)
    np.testing.assert_array_equal(loaded['curve'], content['curve'])


@pytest.mark.parametrize('zipped', [True, False])
def test_hidden_code_is_refused_and_does_not_run(tmp_path, zipped):
    trap = tmp_path / 'trap'
    content = {'state_dict': STATE, 'meta': CreatesFile(trap)}
    path = save(tmp_path / 'c.pth', content, _use_new_zipfile_serialization=zipped)
    with pytest.raises(W2SError, match='run arbitrary code') as refusal:
        load_checkpoint(path)
    assert not trap.exists()
    assert f'{builtins.open.__module__}.open' in str(refusal.value)
    assert 'weights_only=False' in str(refusal.value)
    assert 'safe_globals' not in str(refusal.value)  # torch's advice, not ours


def test_getattr_in_a_checkpoint_reaches_nothing(tmp_path):
    class Reaches:
        def __reduce__(self):
            return getattr, (torch.Tensor, 'add')

    content = {'state_dict': STATE, 'meta': Reaches()}
    assert load_checkpoint(save(tmp_path / 'c.pth', content))['meta'] is None


def test_old_file_loads_when_trusted(tmp_path):
    path = save(tmp_path / 'c.pth', {'state_dict': STATE, 'args': OldStyle()})
    with pytest.raises(W2SError, match=r'OldStyle.*weights_only=False'):
        load_checkpoint(path)
    assert isinstance(load_checkpoint(path, weights_only=False)['args'], OldStyle)


@pytest.mark.parametrize('extra', [np.array(['a', 'b']), np.float16(1)], ids=['str', 'float16'])
def test_unusual_numpy_data_is_no_damage(tmp_path, extra):
    """It loads, or the message says how to load it; the file is whole."""
    path = save(tmp_path / 'c.pth', {'state_dict': STATE, 'extra': extra})
    try:
        load_checkpoint(path)
    except W2SError as refusal:
        assert 'weights_only=False' in str(refusal)
        assert 'truncated' not in str(refusal)


@pytest.mark.parametrize('weights_only', [True, False])
@pytest.mark.parametrize('zipped', [True, False])
def test_truncated_file(tmp_path, weights_only, zipped):
    path = tmp_path / 'c.pth'
    weights = {f'layer{i}.weight': torch.ones(20, 20) for i in range(20)}
    save(path, {'state_dict': weights}, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(W2SError, match=r'bytes.*truncated'):
        load_checkpoint(str(path), weights_only=weights_only)


@pytest.mark.parametrize('weights_only', [True, False])
@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
@pytest.mark.parametrize(
    'content',
    [b'', b'hello\n' * 50, b'<!DOCTYPE html><html>Not Found</html>', bytes(range(256)) * 4],
    ids=['empty', 'text', 'web page', 'noise'],
)
def test_not_a_checkpoint(tmp_path, content, suffix, weights_only):
    path = tmp_path / f'c.{suffix}'
    path.write_bytes(content)
    with pytest.raises(W2SError, match='not a checkpoint') as refusal:
        load_checkpoint(str(path), weights_only=weights_only)
    assert str(path) in str(refusal.value)
    assert f'{len(content):,} bytes' in str(refusal.value)


def test_plain_pickle_is_not_a_checkpoint(tmp_path):
    path = tmp_path / 'c.pkl'
    path.write_bytes(pickle.dumps({'state_dict': {'weight': np.ones(2)}}))
    with pytest.raises(W2SError, match='not a checkpoint'):
        load_checkpoint(str(path))


def test_absent_file_is_named(tmp_path):
    with pytest.raises(W2SError, match=r'not found: .*nothing\.pth'):
        load_checkpoint(str(tmp_path / 'nothing.pth'))


def test_unreachable_address_is_named():
    with pytest.raises(W2SError, match=r'http://127\.0\.0\.1:1/c\.pth could not be downloaded'):
        load_checkpoint('http://127.0.0.1:1/c.pth')


@pytest.mark.parametrize('address', ['nonsense://c.pth', 'torchvision://no_such_model'])
def test_address_nobody_understands_is_named(address):
    with pytest.raises(W2SError, match=address):
        load_checkpoint(address)


def test_web_address_is_fetched_once(tmp_path, monkeypatch):
    fetched = []

    def download(source, target):
        fetched.append(source)
        save(target, STATE)

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    for _ in range(2):
        assert same(load_checkpoint('https://example.org/a/c.pth')['state_dict'])
    assert fetched == ['https://example.org/a/c.pth']


def test_a_query_is_no_part_of_the_file_name(tmp_path, monkeypatch):
    from safetensors.torch import save_file

    weights = {'w': torch.ones(2)}
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setattr(
        torch.hub, 'download_url_to_file', lambda source, target: save_file(weights, target)
    )
    loaded = load_checkpoint('https://example.org/model.safetensors?download=true')
    assert torch.equal(loaded['state_dict']['w'], weights['w'])


def test_two_addresses_with_one_file_name_are_two_files(tmp_path, monkeypatch):
    def download(source, target):
        save(target, {source: STATE['steps']})

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    for address in ('https://example.org/a/epoch_12.pth', 'https://example.org/b/epoch_12.pth'):
        assert list(load_checkpoint(address)['state_dict']) == [address]


def test_what_is_beside_the_weights_is_read_without_them(tmp_path, monkeypatch):
    """A resumed run is checked on every rank, and its checkpoint may have gigabytes of weights."""
    weights = {'w': torch.ones(1 << 18), 'v': torch.ones(1 << 18)}
    path = save(tmp_path / 'c.pth', {'state_dict': weights, 'meta': {'seed': 3}})
    read = []
    record = torch._C.PyTorchFileReader.get_storage_from_record
    monkeypatch.setattr(
        torch._C.PyTorchFileReader,
        'get_storage_from_record',
        lambda self, name, *rest: read.append(name) or record(self, name, *rest),
    )
    load_checkpoint(path)
    assert len(read) == 2  # that is how weights are read
    read.clear()
    assert load_checkpoint(path, mmap=True)['meta'] == {'seed': 3}
    assert not read


@pytest.mark.parametrize('weights_only', [True, False])
def test_only_new_files_can_be_mapped_and_old_ones_are_read(tmp_path, weights_only):
    path = save(tmp_path / 'c.pth', STATE, _use_new_zipfile_serialization=False)
    assert same(load_checkpoint(path, weights_only=weights_only, mmap=True)['state_dict'])


FETCH = """
import sys, torch
from w2s_mm.utils.checkpoint import load_checkpoint
torch.hub.set_dir(sys.argv[1])
print('ready', flush=True)
print(sorted(load_checkpoint(sys.argv[2])['state_dict']))
"""


@pytest.mark.slow
def test_processes_that_need_one_file_at_once_download_it_once(tmp_path):
    """All ranks of a run, and all runs of a comparison, start together."""
    content = Path(save(tmp_path / 'c.pth', STATE)).read_bytes()
    begun, rest = threading.Event(), threading.Event()
    requests = []

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_response(200)
            self.send_header('Content-Length', str(len(content)))
            self.end_headers()
            self.wfile.write(content[:100])
            begun.set()
            rest.wait(1800)
            self.wfile.write(content[100:])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub = tmp_path / 'hub'
    command = [sys.executable, '-c', FETCH, str(hub)]
    command.append(f'http://127.0.0.1:{server.server_port}/a/c.pth')

    def start():
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    processes = [start()]
    try:
        assert begun.wait(1800)
        assert not list(hub.rglob('*-c.pth'))  # no part of a file under its name
        processes.append(start())
        for process in processes:
            assert process.stdout.readline() == 'ready\n'
        time.sleep(0.5)  # for their requests, if they make any; a late one weakens the test only
        rest.set()
        for process in processes:
            out, errors = process.communicate(timeout=1800)
            assert out == "['steps', 'weight']\n", errors
    finally:
        rest.set()
        server.shutdown()
        for process in processes:
            process.kill()
    assert requests == ['/a/c.pth']
    assert [path.suffix for path in hub.rglob('*.*')].count('.pth') == 1


def test_a_copy_that_fails_leaves_nothing_under_the_name(tmp_path, monkeypatch):
    @contextmanager
    def local(address):
        yield save(tmp_path / 'remote.pth', STATE)

    def half(source, target):
        Path(target).write_bytes(Path(source).read_bytes()[:50])
        raise OSError('the disk is full')

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setattr('w2s_mm.utils.checkpoint.get_local_path', local)
    with monkeypatch.context() as failing:
        failing.setattr('shutil.copyfile', half)
        with pytest.raises(W2SError, match='the disk is full'):
            load_checkpoint('s3://bucket/c.pth')
    assert same(load_checkpoint('s3://bucket/c.pth')['state_dict'])


@pytest.mark.parametrize(
    'content',
    [
        [1, 2],
        {},
        {'state_dict': {}},
        {'state_dict': [torch.ones(1)]},
        {'model': 'retinanet', 'epoch': 3},
        {'epoch': 3},
    ],
    ids=repr,
)
def test_no_weights_inside(tmp_path, content):
    with pytest.raises(W2SError, match=r'no state dict|expected a dict') as refusal:
        load_checkpoint(save(tmp_path / 'c.pth', content))
    assert 'c.pth' in str(refusal.value)


def test_whole_module_inside(tmp_path):
    path = save(tmp_path / 'c.pth', {'model': nn.Linear(1, 1)})
    with pytest.raises(W2SError, match='no state dict'):
        load_checkpoint(path, weights_only=False)


def net():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def test_weights_go_in_whole():
    source, target = net(), net()
    load_weights(target, source.state_dict(), 'c.pth')
    for name, value in target.state_dict().items():
        assert torch.equal(value, source.state_dict()[name])


def test_prefix_of_a_ddp_wrapper_is_dropped():
    source, target = net(), net()
    load_weights(target, {f'module.{k}': v for k, v in source.state_dict().items()}, 'c.pth')
    assert torch.equal(target[0].weight, source[0].weight)


def test_batch_counters_may_be_missing_as_in_torchvisions_files():
    source, target = net(), net()
    state = source.state_dict()
    del state['1.num_batches_tracked']
    load_weights(target, state, 'c.pth')
    assert torch.equal(target[0].weight, source[0].weight)


def test_every_disagreement_is_named_and_nothing_is_loaded():
    target = net()
    before = copy.deepcopy(target.state_dict())
    state = net().state_dict()
    del state['0.bias']
    state['head.weight'] = torch.ones(1)
    state['0.weight'] = torch.ones(5, 2)
    with pytest.raises(W2SError) as refusal:
        load_weights(target, state, 'c.pth')
    message = str(refusal.value)
    assert 'c.pth' in message and 'Sequential' in message
    assert '1 missing in the file: 0.bias' in message
    assert '1 unexpected in the file: head.weight' in message
    assert '0.weight: file (5, 2), model (3, 2)' in message
    for name, value in target.state_dict().items():
        assert torch.equal(value, before[name])


def test_long_lists_are_cut():
    assert named(list('abc')) == 'a, b, c'
    assert named([str(i) for i in range(10)]) == '0, 1, 2, 3, 4, 5, 6, 7 and 2 more'


def rezipped(path, method=zipfile.ZIP_DEFLATED, **replaced):
    """Write the members of a checkpoint again, some of them replaced."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w', method) as archive:
        for name, content in members.items():
            archive.writestr(name, replaced.get(Path(name).stem, content))


def test_zip_bomb_is_refused_unread(tmp_path, monkeypatch):
    path = save(tmp_path / 'c.pth', STATE)
    rezipped(path, data=bytes(10_000_000))
    monkeypatch.setattr(torch, 'load', None)
    with pytest.raises(W2SError, match=r'c\.pth.*compressed'):
        load_checkpoint(path)


def test_members_that_share_their_bytes_are_refused(tmp_path):
    path = save(tmp_path / 'c.pth', {**STATE, 'more': torch.zeros(2000)})
    with zipfile.ZipFile(path, 'a') as archive:
        largest = max(archive.infolist(), key=lambda member: member.file_size)
        for number in range(20):
            again = copy.copy(largest)
            again.filename = f'c/data/{10 + number}'
            archive.filelist.append(again)
        archive._didModify = True
    with pytest.raises(W2SError, match='would need'):
        load_checkpoint(path)


@pytest.mark.parametrize('zipped', [True, False])
def test_bytearray_which_fills_any_memory_is_refused(tmp_path, zipped):
    class Fills:
        def __reduce__(self):
            return bytearray, (1 << 40,)

    content = {'state_dict': STATE, 'meta': Fills()}
    path = save(tmp_path / 'c.pth', content, _use_new_zipfile_serialization=zipped)
    with pytest.raises(W2SError, match='bytearray'):
        load_checkpoint(path)


@pytest.mark.parametrize(
    'error', [AssertionError('x'), TypeError('x'), MemoryError(), SystemError('x')], ids=repr
)
def test_any_error_of_the_reader_is_damage(tmp_path, monkeypatch, error):
    """All four were seen with single bits flipped."""

    def load(*args, **kwargs):
        raise error

    path = save(tmp_path / 'c.pth', STATE)
    monkeypatch.setattr(torch, 'load', load)
    with pytest.raises(W2SError, match=r'c\.pth cannot be read'):
        load_checkpoint(path)


@pytest.mark.parametrize('key', [1, None, b'weight', ('weight',)], ids=repr)
def test_keys_that_are_no_text(tmp_path, key):
    with pytest.raises(W2SError, match='no state dict of tensors'):
        load_checkpoint(save(tmp_path / 'c.pth', {key: torch.ones(1)}))


@pytest.mark.parametrize(
    'weight',
    [
        torch.ones(2, 3, dtype=torch.int8),
        torch.ones(2, 3, dtype=torch.complex64),
        torch.ones(2, 3, dtype=torch.bool),
        torch.ones(2, 3).to_sparse(),
        torch.ones(2, 3, device='meta'),
        torch.quantize_per_tensor(torch.ones(2, 3), 0.1, 0, torch.qint8),
        torch.nested.nested_tensor([torch.ones(3)] * 2),
    ],
    ids=['int8', 'complex', 'bool', 'sparse', 'meta', 'quantised', 'nested'],
)
def test_weights_of_another_type_are_refused(weight):
    model = nn.Linear(3, 2, bias=False)
    with pytest.raises(W2SError, match='1 of a different type: weight: file'):
        load_weights(model, {'weight': weight}, 'c.pth')


@pytest.mark.parametrize('dtype', [torch.float64, torch.float16, torch.bfloat16])
def test_weights_of_another_precision_are_converted(dtype):
    model = nn.Linear(3, 2, bias=False)
    load_weights(model, {'weight': torch.full((2, 3), 0.5, dtype=dtype)}, 'c.pth')
    assert torch.equal(model.weight, torch.full((2, 3), 0.5))


@pytest.mark.parametrize('value', [float('nan'), float('inf'), 1e300])
@pytest.mark.parametrize('name', ['0.weight', '1.bias', '1.running_var'])
def test_weights_that_are_not_finite_are_refused(name, value):
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    state = {key: each.double() for key, each in model.state_dict().items()}
    state[name].view(-1)[0] = value
    with pytest.raises(W2SError, match=rf'c\.pth has NaN or infinity in 1 of 7 weights: {name}'):
        load_weights(model, state, 'c.pth')


def test_infinity_in_other_buffers_is_no_damage():
    model = nn.Linear(1, 1, bias=False)
    model.register_buffer('mask', torch.tensor([0.0, -float('inf')]))
    load_weights(model, dict(model.state_dict()), 'c.pth')


def test_names_from_a_file_are_short_and_printable():
    told = named(['a' * 1_000_000, 'b\x1b[2J\n'])
    assert len(told) < 300
    assert told.isprintable()
