"""Remembered answers, on the tiny RetinaNet; tests/classification has those of classifiers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from w2s_mm.core import memory
from w2s_mm.core.memory import AnswerMemory, _packed, _unpacked
from w2s_mm.utils.errors import W2SError

SIZES = ((64, 64), (64, 64))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / 'answers'


@pytest.fixture
def remembering(make_student, make_teacher, folder):
    """``remembering(...)``: a student whose teacher's answers are kept, ready to distil."""
    teacher = make_teacher()

    def ready(keep=True, **kwargs):
        arguments = {**teacher, **({'remember': str(folder)} if keep else {})}
        student = make_student(teacher=arguments, **kwargs).eval()  # no statistics of the batch
        student.prepare_teacher()
        student.set_distillation(weight=1.0, temperature=2.0)
        return student

    return ready


def distilled(student, batch):
    losses = student.loss(*batch)
    return {name: value.detach() for name, value in losses.items() if 'distill' in name}


def forgetful(student):
    """Let the teacher fail when it is asked."""

    def fail(*args, **kwargs):
        raise AssertionError('the teacher was asked')

    student.teacher.model.forward = fail
    return student


def counts(student):
    return student.teacher.memory.asked, student.teacher.memory.remembered


def test_the_teacher_is_asked_once_and_the_terms_stay_the_same(remembering, make_batch):
    student = remembering()
    batch = make_batch(student, SIZES)
    first = distilled(student, batch)
    assert counts(student) == (2, 0)
    again = distilled(forgetful(student), batch)
    assert counts(student) == (2, 2)
    assert first.keys() == again.keys() == {'loss_distill_cls', 'loss_distill_bbox'}
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert all(value > 0 for value in first.values())


def test_the_terms_are_those_of_a_teacher_that_is_asked(remembering, make_batch):
    batch = make_batch(remembering(), SIZES)
    kept, asked = distilled(remembering(), batch), distilled(remembering(keep=False), batch)
    assert all(torch.allclose(kept[name], asked[name], rtol=1e-5) for name in kept)


def test_gradients_are_those_of_a_teacher_that_is_asked(remembering, make_batch):
    found = []
    for keep in (True, False, True):
        student = remembering(keep)
        losses = student.loss(*make_batch(student, SIZES))
        sum(value for name, value in losses.items() if 'distill' in name).backward()
        found.append(student.bbox_head.retina_cls.weight.grad)
    assert torch.allclose(found[0], found[1], rtol=1e-4, atol=1e-7)
    assert torch.equal(found[0], found[2])


def test_another_run_and_another_student_find_the_answers(remembering, make_batch):
    first = remembering()
    batch = make_batch(first, SIZES)
    expected = distilled(first, batch)
    second = forgetful(remembering())
    found = distilled(second, batch)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    wider = {'neck.out_channels': 24, 'bbox_head.in_channels': 24}
    distilled(forgetful(remembering(changes=wider)), batch)


def test_an_answer_belongs_to_the_image_and_not_to_its_batch(remembering, make_batch):
    student = remembering()
    small, large = (64, 64), (96, 128)
    alone = make_batch(student, (small,))
    together = make_batch(student, (small, large))
    assert torch.equal(together[0][:1, :, :64, :64], alone[0])
    distilled(student, alone)
    distilled(student, together)
    assert counts(student) == (2, 1)
    reverse = [together[0].flip(0), together[1][::-1]]
    distilled(forgetful(student), reverse)
    assert counts(student) == (2, 3)


def test_places_follow_the_size_of_the_maps(remembering, make_batch):
    """Padded by another image, the terms are those of the image alone."""
    student = remembering()
    small = make_batch(student, ((64, 64),))
    padded = torch.nn.functional.pad(small[0], (0, 64, 0, 32)), small[1]
    first = distilled(student, small)
    before = student.teacher.memory.remembered
    second = distilled(forgetful(student), padded)
    assert before == 0 and counts(student) == (1, 1)
    # The student's own maps differ a little where its convolutions see the padding.
    assert all(torch.allclose(first[name], second[name], rtol=0.3) for name in first)


def test_other_pixels_are_asked_about(remembering, make_batch):
    student = remembering()
    images, samples = make_batch(student, SIZES)
    distilled(student, (images, samples))
    distilled(student, (images.flip(-1), samples))
    assert counts(student) == (4, 0)
    changed = images.clone()
    changed[0, 0, 0, 0] += 1e-3
    distilled(student, (changed, samples))
    assert counts(student) == (5, 1)


@pytest.mark.parametrize(
    'change', [dict(score_thr=0.3), dict(box=None), dict(seed=2), dict(dtype='bfloat16')]
)
def test_other_settings_and_other_teachers_have_other_answers(
    remembering, make_student, make_teacher, make_batch, folder, change
):
    student = remembering()
    batch = make_batch(student, SIZES)
    distilled(student, batch)
    seed, dtype = change.pop('seed', None), change.pop('dtype', None)
    teacher = make_teacher(seed=seed) if seed else {}
    other = remembering(**change) if change else None
    if other is None:
        base = remembering()
        arguments = teacher or {
            'config': base.teacher.config,
            'checkpoint': base.teacher.checkpoint,
        }
        other = make_student(teacher={**arguments, 'dtype': dtype, 'remember': str(folder)})
        other.prepare_teacher()
        other.set_distillation(1.0, 2.0)
    distilled(other, batch)
    assert counts(other) == (2, 0)
    assert len(list(folder.iterdir())) == 2


def test_answers_with_nan_are_not_kept(remembering, make_batch):
    student = remembering()
    batch = make_batch(student, SIZES)
    student.teacher.model.bbox_head.retina_cls.bias.data.fill_(torch.nan)
    assert not any(value for value in distilled(student, batch).values())
    distilled(student, batch)
    assert counts(student) == (4, 0)


def test_an_image_without_confident_priors_is_remembered_too(remembering, make_batch):
    student = remembering(score_thr=0.999999)
    batch = make_batch(student, SIZES)
    assert not any(distilled(student, batch).values())
    assert not any(distilled(forgetful(student), batch).values())


def test_damage_is_said_and_the_teacher_asked_again(remembering, make_batch, folder):
    student = remembering()
    batch = make_batch(student, SIZES)
    expected = distilled(student, batch)
    (path,) = folder.rglob('*.records')
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
    again, said = remembering(), []
    again.teacher.memory._say = said.append
    found = distilled(again, batch)
    assert counts(again) == (2, 0) and any('is damaged' in line for line in said)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_pipeline_with_too_many_ways_is_said_and_given_up(
    remembering, make_batch, monkeypatch, folder
):
    monkeypatch.setattr(memory, '_PATIENCE', 6)
    student, said = remembering(), []
    student.teacher.memory._say = said.append
    for seed in range(20):
        distilled(student, make_batch(student, ((32, 32),), seed=seed))
    assert sum('more ways than can be remembered' in line for line in said) == 1
    size = sum(path.stat().st_size for path in folder.rglob('*.records'))
    looked_up = counts(student)
    distilled(student, make_batch(student, ((32, 32),), seed=99))
    assert counts(student) == looked_up  # no time is lost on keys either
    assert sum(path.stat().st_size for path in folder.rglob('*.records')) == size


def test_few_ways_are_not_given_up(remembering, make_batch, monkeypatch):
    monkeypatch.setattr(memory, '_PATIENCE', 6)
    student = remembering()
    for seed in range(30):
        distilled(student, make_batch(student, ((32, 32),), seed=seed % 4))
    assert counts(student) == (4, 26)


def test_keys_do_not_depend_on_the_images_before(tmp_path):
    image, large = torch.randn(3, 5, 7), torch.randn(3, 300, 300)
    first = AnswerMemory(tmp_path, 1, print)._keys([image])
    other = AnswerMemory(tmp_path, 1, print)
    other._keys([large])
    assert other._keys([large, image])[1:] == first
    assert other._keys([image.reshape(3, 7, 5)]) != first


def test_heads_that_need_the_teacher_are_refused(make_rcnn_student, save_teacher, faster_rcnn):
    teacher = save_teacher(faster_rcnn())
    student = make_rcnn_student(teacher={**teacher, 'remember': 'somewhere'})
    with pytest.raises(W2SError, match=r'RoIDistillHead needs the teacher.*remember'):
        student.prepare_teacher()


@pytest.mark.parametrize('arguments', [dict(remember=''), dict(remember=5), dict(remember_mb=0)])
def test_arguments_out_of_range_are_refused(make_student, make_teacher, arguments):
    with pytest.raises(W2SError, match=f'model.teacher.{next(iter(arguments))}'):
        make_student(teacher={**make_teacher(), **arguments})


def test_the_memory_goes_with_the_teacher(remembering):
    student = remembering()
    student.end_distillation()
    assert student.teacher.memory is None


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(['logits', 'cells', 'score']),
            st.tuples(
                st.sampled_from([torch.float32, torch.bfloat16, torch.int16, torch.float16]),
                st.lists(st.integers(0, 3), max_size=3),
            ),
            max_size=3,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_tensors_come_back_as_they_were(kinds):
    parts = [
        {name: torch.randint(-99, 99, shape).to(dtype) for name, (dtype, shape) in each.items()}
        for each in kinds
    ]
    back = _unpacked(_packed(parts))
    for ours, theirs in zip(back, parts, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            assert ours[name].dtype == value.dtype and torch.equal(ours[name], value)
