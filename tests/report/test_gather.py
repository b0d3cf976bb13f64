import pytest

from w2s_mm.report import gather
from w2s_mm.report.gather import check_records, variant_name
from w2s_mm.utils.errors import W2SError

CURVE = [0.1, 0.22, 0.3]


@pytest.mark.parametrize(
    ('path', 'seed', 'name'),
    [
        ('x/student_seed0', 0, 'student'),
        ('x/student_12', 12, 'student'),
        ('x/student-seed-3', 3, 'student'),
        ('x/student/seed0', 0, 'student'),
        ('x/student/0', 0, 'student'),
        ('x/student1', 1, 'student'),
        ('x/student/budget0.5/seed0', 0, 'student'),
        ('x/student_budget0.75_seed0', 0, 'student'),
        ('x/ours', 0, 'ours'),
        ('x/retinanet_r50', 0, 'retinanet_r50'),
        ('x/ours_7', None, 'ours_7'),
    ],
)
def test_runs_that_differ_in_their_seed_alone_are_one_variant(path, seed, name):
    assert variant_name(path, seed) == name


def test_variants_and_targets_come_from_the_runs(write_run):
    dirs = [write_run(f'{n}/seed{s}', CURVE, seed=s) for n in ('a', 'b') for s in (0, 1)]
    study = gather(dirs, [write_run('base', CURVE)])
    assert [(v.name, len(v.runs)) for v in study.variants] == [('a', 2), ('b', 2)]
    assert study.baseline.name == 'base' and study.taus == [0.2]
    assert len(study.runs) == 5


def test_pairs_that_started_alike_leave_no_note(write_run):
    ours = write_run('ours', CURVE, record={})
    assert gather([ours], [write_run('base', CURVE, record={})]).notes == []


@pytest.mark.parametrize(
    ('changed', 'what'),
    [
        ({'initial_weights': 'bbbb'}, 'the initial weights: aaaa and bbbb'),
        ({'batches': ['b1', 'x', 'b3']}, 'the first batches: b1 b2 b3 and b1 x b3'),
    ],
)
def test_a_pair_that_started_otherwise_is_refused(write_run, changed, what):
    ours = write_run('ours', CURVE, record=changed)
    with pytest.raises(W2SError, match=rf'base and .*ours \(seed 0\) differ in {what}.*fair pair'):
        gather([ours], [write_run('base', CURVE, record={})])


START = {'how': 'inherit', 'parts': ['neck'], 'keep': 1.0}


@pytest.mark.parametrize(('reference', 'claim'), [(None, 'start'), (0.25, 'both')])
def test_a_run_that_a_weaker_model_started_has_other_weights_and_the_same_data(
    write_run, reference, claim
):
    started = {'initial_weights': 'bbbb', 'start': START}
    base = write_run('base', CURVE, record={})
    study = gather([write_run('ours', CURVE, reference=reference, record=started)], [base])
    assert study.notes == [] and study.runs[0].claim == 'baseline'
    assert study.variants[0].claim == claim
    assert study.label(study.variants[0]) == f'ours ({claim})'
    other = write_run('other', CURVE, record={**started, 'batches': ['x']})
    with pytest.raises(W2SError, match='differ in the first batches'):
        gather([other], [base])


def test_claims_are_shown_where_there_is_a_start(write_run):
    base, guide = write_run('base', CURVE), write_run('guide', CURVE, reference=0.25)
    study = gather([guide], [base])
    assert study.variants[0].claim == 'guide'
    assert study.label(study.variants[0]) == 'guide'


def test_equal_starts_are_compared():
    one = {'initial_weights': 'aaaa', 'batches': ['b'], 'start': START, 'seed': 0}
    with pytest.raises(W2SError, match='differ in the initial weights'):
        check_records(one, {**one, 'initial_weights': 'bbbb'}, 'a', 'b')
    check_records(
        one, {**one, 'initial_weights': 'bbbb', 'start': {**START, 'keep': 0.5}}, 'a', 'b'
    )


def test_another_seed_may_start_otherwise(write_run):
    ours = write_run('ours', CURVE, seed=1, record={'initial_weights': 'bbbb'})
    assert gather([ours], [write_run('base', CURVE, record={})]).notes == []


@pytest.mark.parametrize('record', [None, {'initial_weights': None, 'resumed': True}])
def test_what_cannot_be_checked_is_said(write_run, record):
    ours = write_run('ours', CURVE, record=record)
    (note,) = gather([ours], [write_run('base', CURVE, record={})]).notes
    assert 'could not be checked by fingerprints' in note and 'seed 0' in note


@pytest.mark.parametrize(
    ('checkpoint', 'iters', 'seconds'),
    [('iter_60.pth', 60, 6), ('epoch_1.pth', 80, 8), ('best.pth', 120, 12)],
)
def test_the_teacher_costs_what_its_run_took_up_to_the_checkpoint(
    write_run, checkpoint, iters, seconds
):
    teacher = write_run('weak', CURVE)
    told = {'teacher': {'checkpoint': str(teacher / checkpoint), 'fingerprint': 'f'}}
    (used,) = gather([write_run('ours', CURVE, record=told)]).teachers
    assert (used.run.name, used.iters, used.seconds('train_seconds')) == ('weak', iters, seconds)


def test_a_teacher_without_a_run_costs_nothing_that_is_known(write_run, tmp_path):
    told = {'teacher': {'checkpoint': str(tmp_path / 'x.pth'), 'fingerprint': 'f'}}
    assert gather([write_run('ours', CURVE, record=told)]).teachers == []
