"""The loop of docs/plain_pytorch.md, as it stands there, on scikit-learn's digits."""

import re
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

PAGE = Path(__file__).parents[1] / 'docs' / 'plain_pytorch.md'


@pytest.fixture(scope='module')
def train():
    (code,) = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)
    names = {}
    exec(compile(code, str(PAGE), 'exec'), names)
    return names['train']


@pytest.fixture
def digits():
    images, labels = load_digits(return_X_y=True)
    images, labels = torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(labels)
    train, val = (images[:1200], labels[:1200]), (images[1200:], labels[1200:])

    def batches():
        generator = torch.Generator().manual_seed(0)
        while True:
            chosen = torch.randint(len(train[0]), (32,), generator=generator)
            yield train[0][chosen], train[1][chosen]

    def accuracy(model):
        with torch.no_grad():
            return (model(val[0]).argmax(1) == val[1]).float().mean().item()

    return batches, accuracy


def net(width):
    torch.manual_seed(width)
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))


@pytest.fixture
def teacher(digits):
    batches, _ = digits
    model = net(8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _, (images, labels) in zip(range(100), batches(), strict=False):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return model


def test_the_student_passes_the_teacher_and_the_gate_closes(train, digits, teacher):
    batches, accuracy = digits
    student = net(64)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    stop = train(student, teacher, batches(), accuracy, optimizer, iters=200)
    assert 0.2 < stop.reference < 0.95  # the teacher knows something, and not all
    assert stop.closed and len(stop.history) == 10
    assert accuracy(student) > stop.reference
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def test_the_teacher_is_not_asked_after_the_gate_has_closed(train, digits, teacher):
    batches, accuracy = digits
    calls = []
    teacher.register_forward_hook(lambda _, args, __: calls.append(len(args[0])))
    student = net(64)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    stop = train(student, teacher, batches(), accuracy, optimizer, iters=200)
    assert calls.count(32) <= stop.closed_at - 1  # in the first iteration the weight is 0


def test_the_page_is_short():
    (code,) = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)
    body = code.split('def train')[1].splitlines()
    assert len([line for line in body if line.strip()]) <= 28
