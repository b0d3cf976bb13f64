"""A study as one file: the same report comes out of it, and damaged files are refused."""

import gzip
import json
import re
import shutil

import pytest

from tests.run_files import WEIGHT
from w2s_mm.report import as_json, gather, read_archive, save_study
from w2s_mm.report.page import build_page
from w2s_mm.report.render import as_markdown
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.run_files import read_run_file

EARLY, RISING = [0.1, 0.22, 0.3], [0.05, 0.1, 0.22]


@pytest.fixture
def study(write_run):
    teacher = write_run('teachers/weak', [0.1, 0.2])
    told = {'teacher': {'checkpoint': str(teacher / 'iter_60.pth'), 'fingerprint': 'f'}}
    entry = {'iter': 1, 'grad_norm_base': 1.0, 'grad_norm_distill': 0.5, 'grad_cosine': 0.3}
    ours = [
        write_run(
            f'{name}/seed{seed}',
            EARLY,
            seed=seed,
            reference=0.25,
            closed_at=80,
            weights=[WEIGHT],
            record=told,
            gradients=[entry],
        )
        for name in ('student', 'other')
        for seed in (0, 1)
    ]
    return gather(ours, [write_run(f'base/seed{s}', RISING, seed=s, record={}) for s in (0, 1)])


def page(study):
    return as_markdown(build_page(study))


def test_the_report_of_the_file_is_that_of_the_runs(study, tmp_path):
    save_study(tmp_path / 's.json.gz', study)
    again = read_archive(tmp_path / 's.json.gz').study()
    assert page(again) == page(study) and as_json(again) == as_json(study)
    assert [run.weights for run in again.runs] == [run.weights for run in study.runs]


def test_the_same_runs_give_the_same_bytes_wherever_they_are(write_run, tmp_path):
    for name in ('ours', 'base'):
        for seed in (0, 1):
            write_run(f'a/{name}/seed{seed}', EARLY, seed=seed)
    shutil.copytree(tmp_path / 'a', tmp_path / 'b')
    for place in (tmp_path / 'a', tmp_path / 'b'):
        ours, base = ([place / f'{name}/seed{s}' for s in (0, 1)] for name in ('ours', 'base'))
        save_study(place / 's.json.gz', gather(ours, base))
    assert (tmp_path / 'a/s.json.gz').read_bytes() == (tmp_path / 'b/s.json.gz').read_bytes()


def test_the_files_of_a_run_are_kept_unchanged(study, tmp_path):
    save_study(tmp_path / 's.json.gz', study)
    kept = read_archive(tmp_path / 's.json.gz').content['groups']['main']['runs']
    assert sorted(kept) == sorted(
        [f'{n}/seed{s}' for n in ('base', 'other', 'student') for s in (0, 1)] + ['teachers/weak']
    )
    for file in (tmp_path / 'student/seed1').iterdir():
        assert kept['student/seed1'][file.name] == read_run_file(file)


def test_groups_are_added_and_chosen_by_name(study, write_run, tmp_path):
    path = tmp_path / 's.json.gz'
    save_study(path, study)
    save_study(path, gather([write_run('alone', RISING)]), 'first_try')
    archive = read_archive(path)
    assert archive.groups == ['main', 'first_try']
    assert page(archive.study()) == page(study)
    assert archive.study('first_try').runs[0].name == 'alone'
    with pytest.raises(W2SError, match="no group 'x'; it has: main, first_try"):
        archive.study('x')


def test_the_only_group_needs_no_name(write_run, tmp_path):
    save_study(tmp_path / 's.json.gz', gather([write_run('alone', RISING)]), 'first_try')
    assert read_archive(tmp_path / 's.json.gz').study().runs[0].name == 'alone'


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'cannot be read as a study'),
        (b'not compressed', 'cannot be read as a study'),
        (gzip.compress(b'{"kind": "w2s_mm study"')[:-9], 'cannot be read as a study'),
        (gzip.compress(b'{"kind": "w2s_mm'), 'cannot be read as a study'),
        (gzip.compress(b'\xff'), 'cannot be read as a study'),
        (gzip.compress(b'[1]'), 'is not a study'),
        (gzip.compress(b'{"format": 1}'), 'is not a study'),
        (gzip.compress(b'{"kind": "w2s_mm study", "format": 9}'), 'has format 9; this version'),
    ],
    # gzip's header contains the time, and pytest-xdist needs the same names in each process.
    ids=['empty', 'not compressed', 'cut', 'no JSON', 'no text', 'list', 'no kind', 'format 9'],
)
def test_a_file_that_is_no_study_is_refused(tmp_path, content, message):
    path = tmp_path / 's.json.gz'
    path.write_bytes(content)
    with pytest.raises(W2SError, match=f'{re.escape(str(path))} .*{message}'):
        read_archive(path)
    with pytest.raises(W2SError, match=message):  # and not overwritten
        save_study(path, gather([]))


@pytest.mark.parametrize('lost', ['taus', 'variants', 'runs'])
def test_a_damaged_group_is_refused(study, tmp_path, lost):
    save_study(tmp_path / 's.json.gz', study)
    archive = read_archive(tmp_path / 's.json.gz')
    del archive.content['groups']['main'][lost]
    with pytest.raises(W2SError, match=r"Group 'main' of .* is damaged"):
        archive.study()


def test_a_run_of_another_version_is_refused_by_name(study, tmp_path):
    save_study(tmp_path / 's.json.gz', study)
    archive = read_archive(tmp_path / 's.json.gz')
    archive.content['groups']['main']['runs']['base/seed0']['time_to_target.json']['format'] = 7
    with pytest.raises(W2SError, match=r'main/base/seed0/time_to_target\.json has format 7'):
        archive.study()


def test_another_file_name_is_refused(study, tmp_path):
    with pytest.raises(W2SError, match=r'ends with \.json\.gz'):
        save_study(tmp_path / 'study.json', study)


def packed(path, content):
    path.write_bytes(gzip.compress(json.dumps(content).encode()))
    return path


def test_a_study_that_unpacks_to_more_than_a_study_has_is_not_read(tmp_path):
    path = tmp_path / 'study.json.gz'
    path.write_bytes(gzip.compress(b' ' * (70 << 20)))
    with pytest.raises(W2SError, match=r'study\.json\.gz cannot be read .* more than 67,108,864'):
        read_archive(path)


@pytest.mark.parametrize('text', [b'[' * 200_000, b'\xff', b'[]', b''], ids=lambda t: str(t[:4]))
def test_a_study_of_other_content_is_named(tmp_path, text):
    path = tmp_path / 'study.json.gz'
    path.write_bytes(gzip.compress(text))
    with pytest.raises(W2SError, match=r'study\.json\.gz'):
        read_archive(path)


@pytest.mark.parametrize('name', ['../../escaped', 'a/b', 'a\\b', '', 'x' * 300, 'a\0b'], ids=repr)
def test_the_names_in_a_study_are_no_paths(study, tmp_path, name):
    """They are a part of the names of the report's pictures."""
    save_study(tmp_path / 'study.json.gz', study)
    content = json.loads(gzip.decompress((tmp_path / 'study.json.gz').read_bytes()))
    content['groups']['main']['variants'][0]['name'] = name
    archive = read_archive(packed(tmp_path / 'study.json.gz', content))
    with pytest.raises(W2SError, match=r'study\.json\.gz is damaged.*has the name'):
        archive.study()


@pytest.mark.parametrize(
    ('key', 'value'), [('taus', [None]), ('taus', 'x'), ('variants', [5]), ('runs', [])]
)
def test_parts_of_another_type_are_named(study, tmp_path, key, value):
    save_study(tmp_path / 'study.json.gz', study)
    content = json.loads(gzip.decompress((tmp_path / 'study.json.gz').read_bytes()))
    content['groups']['main'][key] = value
    with pytest.raises(W2SError, match=rf'study\.json\.gz is damaged.*{key}'):
        read_archive(packed(tmp_path / 'study.json.gz', content)).study()
