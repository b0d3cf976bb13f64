"""Every loss between softmax logits, through a whole classifier."""

import pytest
import torch

from tests import contracts
from tests.contracts import StudentContracts
from tests.losses.signals import SIGNALS
from w2s_mm.core.adapters import adapter_state
from w2s_mm.utils.errors import W2SError

EACH = pytest.mark.parametrize('signal', SIGNALS)


def head(signal):
    return {'loss': SIGNALS[signal][0]}


@EACH
class TestStudents(StudentContracts):
    TERMS = frozenset({'kl'})

    @pytest.fixture
    def twins(self, classifier, build, make_student, make_batch, signal):
        student = make_student(distill_head=head(signal))
        torch.manual_seed(0)
        plain = build(classifier()).train()
        return student, plain, make_batch(plain)


@EACH
@pytest.mark.parametrize('mixed', [False, True])
def test_term_equals_the_reference_on_the_logits_of_the_batch(
    signal, mixed, make_student, make_batch
):
    mix = {'train_cfg': {'augments': {'type': 'Mixup', 'alpha': 1.0}}} if mixed else None
    student = make_student(mix, distill_head=head(signal)).eval()
    student.prepare_teacher()
    inputs, samples = make_batch(student)
    student.set_distillation(1.5, 3.0)
    term = student.loss(inputs, samples)['loss_distill_kl']
    with torch.no_grad():
        sides = [model(inputs).double().numpy() for model in (student, student.teacher.model)]
    labels = [(sample.gt_score.argmax() if mixed else sample.gt_label).item() for sample in samples]
    expected = 1.5 * SIGNALS[signal][1](*sides, labels, 3.0)
    assert term.item() == pytest.approx(expected, rel=1e-4)


# Correlations over a few images that an untrained model tells hardly apart amplify all rounding.
@pytest.mark.parametrize('signal', [name for name in SIGNALS if name != 'relations'])
@pytest.mark.parametrize('dtype', contracts.AMP_BOUNDS)
def test_amp_is_near_float32(signal, make_student, make_batch, dtype):
    student = make_student(distill_head=head(signal))
    contracts.assert_amp_is_near_float32(student, make_batch(student), dtype)


@EACH
def test_an_answer_that_is_not_finite_leaves_the_baselines_gradient(
    signal, make_student, make_batch
):
    """All its logits are replaced with one number: no loss may give NaN there."""
    student = make_student(distill_head=head(signal)).eval()
    student.prepare_teacher()
    batch = make_batch(student)
    baseline = contracts.step(student, batch)
    student.zero_grad()
    student.set_distillation(1.0, 2.0)
    forward = student.teacher.model.forward
    student.teacher.model.forward = lambda *a, **k: forward(*a, **k) * float('nan')
    found = contracts.step(student, batch)
    assert found.pop('loss loss_distill_kl') == 0
    contracts.assert_bitwise(found, baseline)


def test_a_loss_between_sigmoid_scores_is_refused(make_student):
    student = make_student(distill_head={'loss': {'type': 'FocalLogitDistillLoss'}})
    with pytest.raises(W2SError, match=r'distill_head\.loss: FocalLogitDistillLoss .*a sigmoid'):
        student.prepare_teacher()


def test_a_learned_temperature_is_trained_and_saved_beside_the_student(make_student, make_batch):
    loss = {'type': 'CurriculumTemperatureLoss', 'curriculum': 1}
    student = make_student(distill_head={'loss': loss})
    student.prepare_teacher()
    student.set_distillation(1.0, 4.0)
    optimizer = torch.optim.SGD(student.parameters(), lr=1.0)
    for _ in range(2):  # the first has no strength
        optimizer.zero_grad()
        student.parse_losses(student.loss(*make_batch(student)))[0].backward()
        optimizer.step()
    state = adapter_state(student.distill_heads)
    assert state['0.loss_cls.theta'] != 1
    assert state['0.loss_cls.calls'] == 2
    assert not any('theta' in name for name in student.state_dict())
