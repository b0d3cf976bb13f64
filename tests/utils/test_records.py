import os
import random

import pytest

from w2s_mm.utils.records import KEY_BYTES, Records

LARGE = 1 << 30


def key(number):
    return number.to_bytes(KEY_BYTES, 'little')


def store(folder, said=None, limit=LARGE):
    return Records(folder, limit, (said if said is not None else []).append)


def filled(folder, numbers, size=20):
    records = store(folder)
    for number in numbers:
        records.add(key(number), bytes([number]) * size)
    return records


def contents(folder, numbers, said=None):
    records = store(folder, said)
    return {number: records.get(key(number)) for number in numbers}


def only_file(folder):
    (path,) = folder.iterdir()
    return path


def test_nothing_is_created_before_the_first_record(tmp_path):
    records = store(tmp_path / 'a')
    assert records.get(key(1)) is None and not (tmp_path / 'a').exists()


def test_a_record_is_read_by_its_writer_and_by_who_opens_the_folder_later(tmp_path):
    records = filled(tmp_path, [1, 2])
    assert records.get(key(1)) == b'\1' * 20 and key(2) in records and len(records) == 2
    assert contents(tmp_path, [1, 2, 3]) == {1: b'\1' * 20, 2: b'\2' * 20, 3: None}


def test_processes_write_files_of_their_own(tmp_path):
    first, second = store(tmp_path), store(tmp_path)
    first.add(key(1), b'one')
    second.add(key(2), b'two')
    second.add(key(1), b'again')
    assert len(list(tmp_path.iterdir())) == 2
    found = contents(tmp_path, [1, 2])
    assert found[1] in (b'one', b'again') and found[2] == b'two'


def test_a_known_key_is_not_written_again(tmp_path):
    records = filled(tmp_path, [1])
    size = records.size
    records.add(key(1), b'other')
    assert records.size == size and records.get(key(1)) == b'\1' * 20
    assert size == sum(path.stat().st_size for path in tmp_path.iterdir())


@pytest.mark.parametrize('seed', range(5))
def test_a_file_cut_anywhere_gives_the_records_before_the_cut(tmp_path, seed):
    filled(tmp_path, range(1, 9))
    path = only_file(tmp_path)
    whole = path.read_bytes()
    for length in random.Random(seed).sample(range(len(whole)), 20):
        path.write_bytes(whole[:length])
        said = []
        found = contents(tmp_path, range(1, 9), said)
        kept = [number for number, content in found.items() if content]
        assert kept == list(range(1, len(kept) + 1)) and not said
        assert all(found[number] == bytes([number]) * 20 for number in kept)


@pytest.mark.parametrize('seed', range(5))
def test_a_flipped_bit_is_noticed(tmp_path, seed):
    filled(tmp_path, range(1, 9))
    path = only_file(tmp_path)
    whole = path.read_bytes()
    rng = random.Random(seed)
    for _ in range(20):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        found = contents(tmp_path, range(1, 9))
        assert all(content in (None, bytes([number]) * 20) for number, content in found.items())
        assert None in found.values()


def test_damage_and_foreign_files_are_said_and_the_rest_is_used(tmp_path):
    filled(tmp_path, [1, 2, 3])
    path = only_file(tmp_path)
    damaged = bytearray(path.read_bytes())
    damaged[-5] ^= 1
    path.write_bytes(damaged)
    (tmp_path / 'foreign.records').write_bytes(b'something else')
    (tmp_path / 'other.txt').write_text('not ours')
    said = []
    found = contents(tmp_path, [1, 2, 3], said)
    assert [bool(found[number]) for number in (1, 2, 3)] == [True, True, False]
    assert sorted(line.split(' ', 1)[1] for line in said) == [
        'is damaged; what follows byte 105 is ignored.',
        'is not a file of this version and is ignored.',
    ]


def test_new_records_follow_after_damage(tmp_path):
    filled(tmp_path, [1, 2])
    path = only_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    filled(tmp_path, [2])
    assert contents(tmp_path, [1, 2]) == {1: b'\1' * 20, 2: b'\2' * 20}


def test_the_limit_is_said_once_and_kept(tmp_path):
    said = []
    records = store(tmp_path, said, limit=200)
    for number in range(20):
        records.add(key(number), b'x' * 20)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 200
    assert len(said) == 1 and 'its limit: nothing more is added' in said[0]
    assert records.get(key(0)) == b'x' * 20


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    tmp_path.chmod(0o500)
    said = []
    store(tmp_path / 'a', said).add(key(1), b'x')
    assert 'cannot be written' in said[0]


def test_a_full_disk_is_said_and_records_stay_readable(tmp_path, monkeypatch):
    said = []
    records = store(tmp_path, said)
    records.add(key(1), b'one')

    class Full:
        name = records._writer.name

        def tell(self):
            return 0

        def write(self, content):
            raise OSError(28, 'No space left on device')

    monkeypatch.setattr(records, '_writer', Full())
    records.add(key(2), b'two')
    records.add(key(3), b'three')
    assert len(said) == 1 and 'No space left on device' in said[0]
    assert records.get(key(1)) == b'one' and records.get(key(2)) is None


def test_a_file_removed_meanwhile_gives_nothing(tmp_path):
    filled(tmp_path, [1])
    records = store(tmp_path)
    only_file(tmp_path).unlink()
    assert records.get(key(1)) is None and key(1) not in records
