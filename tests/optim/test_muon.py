import copy
import io
import math

import pytest
import torch
from mmengine.optim import AmpOptimWrapper, LinearLR, MultiStepLR, OptimWrapper
from mmengine.registry import OPTIMIZERS
from torch import nn

from w2s_mm.optim.muon import QUINTIC, MuonWithAdamW, orthogonalized, update_scale
from w2s_mm.utils.errors import W2SError

SHAPES = [(7, 7), (4, 24), (24, 4), (1, 5)]
MODES = ['original', 'match_rms_adamw']
CONV = (6, 4, 3, 3)
torch_muon = pytest.mark.skipif(
    not hasattr(torch.optim, 'Muon'), reason='torch.optim.Muon is there from torch 2.9 on'
)


def lifted(singular_values, steps):
    a, b, c = QUINTIC
    x = singular_values
    for _ in range(steps):
        x = a * x + b * x**3 + c * x**5
    return x


def muon(*parameters, **settings):
    return MuonWithAdamW([dict(params=list(parameters), use_muon=True)], **settings)


def weight(*shape, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return nn.Parameter(torch.randn(shape, generator=generator).to(dtype))


def walk(optimizer, *parameters, steps=4, first=0):
    """Steps along gradients that depend on the number of the step alone."""
    for step in range(first, first + steps):
        for index, parameter in enumerate(parameters):
            generator = torch.Generator().manual_seed(1000 * step + index)
            gradient = torch.randn(parameter.shape, generator=generator)
            parameter.grad = gradient.to(parameter.dtype)
        optimizer.step()


class Net(nn.Module):
    """A bit of each: convolution and linear weight for Muon, the rest for AdamW."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.hidden = nn.Linear(6, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        x = self.norm(self.conv(x)).relu().mean((2, 3))
        return self.head(self.hidden(x).relu())

    def optimizer(self, **settings):
        matrices = [self.conv.weight, self.hidden.weight]
        rest = [p for p in self.parameters() if not any(p is m for m in matrices)]
        groups = [dict(params=matrices, use_muon=True), dict(params=rest, use_muon=False)]
        return MuonWithAdamW(groups, **{'weight_decay': 0.1, 'adamw_lr': 1e-2, **settings})


def batch(number, size=8):
    generator = torch.Generator().manual_seed(number)
    labels = torch.arange(size) % 2
    return torch.randn(size, 3, 6, 6, generator=generator) + labels.view(-1, 1, 1, 1), labels


def loss_of(net, number, size=8):
    images, labels = batch(number, size)
    return nn.functional.cross_entropy(net(images), labels)


def weights_of(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


def assert_same(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


# The orthogonalisation


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('steps', [1, 5])
def test_singular_values_follow_the_quintic_and_the_vectors_stay(shape, steps):
    matrix = weight(*shape).detach().double()
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    expected = u @ torch.diag(lifted(s / s.norm(), steps)) @ vh
    torch.testing.assert_close(orthogonalized(matrix, steps, torch.float64), expected)


@pytest.mark.parametrize('shape', [(16, 16), (8, 72), (72, 8)])
def test_published_precision_brings_singular_values_near_one(shape):
    u, _, vh = torch.linalg.svd(weight(*shape).detach(), full_matrices=False)
    ill_conditioned = u @ torch.diag(torch.logspace(-2, 0, u.shape[1])) @ vh
    values = torch.linalg.svdvals(orthogonalized(ill_conditioned).float())
    assert values.min() > 0.65 and values.max() < 1.25


@pytest.mark.parametrize('shape', SHAPES)
def test_orthogonalisation_commutes_with_scale_transposition_and_rotation(shape):
    matrix = weight(*shape).detach().double()
    rotation = torch.linalg.qr(weight(shape[0], shape[0], seed=1).detach().double()).Q

    def orthogonal(x):
        return orthogonalized(x, dtype=torch.float64)

    expected = orthogonal(matrix)
    torch.testing.assert_close(orthogonal(1e3 * matrix), expected)
    torch.testing.assert_close(orthogonal(matrix.mT), expected.mT)
    torch.testing.assert_close(orthogonal(rotation @ matrix), rotation @ expected)


def test_no_gradient_gives_no_direction():
    assert_same(orthogonalized(torch.zeros(3, 5)), torch.zeros(3, 5, dtype=torch.bfloat16))


def test_update_scale_by_shape():
    assert update_scale(64, 16, 'original') == 2
    assert update_scale(16, 64, 'original') == 1
    assert update_scale(64, 16, 'match_rms_adamw') == update_scale(16, 64, 'match_rms_adamw')
    assert update_scale(64, 16, 'match_rms_adamw') == pytest.approx(0.2 * 8)


# Both halves against torch's


@torch_muon
@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('nesterov', [True, False])
def test_matrices_move_as_with_the_muon_of_torch(shape, mode, nesterov):
    settings = dict(lr=0.03, weight_decay=0.2, adjust_lr_fn=mode, nesterov=nesterov)
    ours, theirs = weight(*shape), weight(*shape)
    walk(muon(ours, **settings), ours)
    walk(torch.optim.Muon([theirs], **settings), theirs)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@torch_muon
@pytest.mark.parametrize('mode', MODES)
def test_convolution_moves_as_its_flattened_weight_with_the_muon_of_torch(mode):
    settings = dict(lr=0.03, weight_decay=0.2, adjust_lr_fn=mode)
    ours, theirs = weight(*CONV), nn.Parameter(weight(*CONV).detach().flatten(1))
    walk(muon(ours, **settings), ours)
    optimizer = torch.optim.Muon([theirs], **settings)
    for step in range(4):
        generator = torch.Generator().manual_seed(1000 * step)
        theirs.grad = torch.randn(CONV, generator=generator).flatten(1)
        optimizer.step()
    torch.testing.assert_close(ours.flatten(1), theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize('mode', MODES)
def test_memory_layout_changes_nothing(mode):
    plain = weight(*CONV)
    last = nn.Parameter(weight(*CONV).detach().to(memory_format=torch.channels_last))
    walk(muon(plain, adjust_lr_fn=mode), plain)
    walk(muon(last, adjust_lr_fn=mode), last)
    assert_same(plain.detach(), last.detach().contiguous())


def test_first_step_is_the_formula():
    w = weight(6, 4)
    before, gradient = w.detach().clone(), weight(6, 4, seed=3).detach()
    w.grad = gradient.clone()
    muon(w, lr=0.1, weight_decay=0.5, momentum=0.9).step()
    mean = 0.1 * gradient
    direction = orthogonalized(0.9 * mean + 0.1 * gradient).float()
    expected = (1 - 0.1 * 0.5) * before - 0.1 * math.sqrt(6 / 4) * direction
    torch.testing.assert_close(w.detach(), expected, rtol=0, atol=1e-2 * 0.1)


def test_the_rest_moves_exactly_as_with_the_adamw_of_torch():
    ours, theirs = [weight(5), weight(*CONV)], [weight(5), weight(*CONV)]
    settings = dict(betas=(0.8, 0.9), eps=1e-6, weight_decay=0.2)
    groups = [dict(params=ours, use_muon=False)]
    optimizer = MuonWithAdamW(
        groups, adamw_lr=0.01, weight_decay=0.2, adamw_betas=(0.8, 0.9), adamw_eps=1e-6
    )
    walk(optimizer, *ours)
    walk(torch.optim.AdamW(theirs, lr=0.01, **settings), *theirs)
    assert_same([p.detach() for p in ours], [p.detach() for p in theirs])


def test_own_weight_decay_of_adamw_overrides_the_common_one():
    decays = [
        [group['weight_decay'] for group in Net().optimizer(**settings).param_groups]
        for settings in ({}, dict(adamw_weight_decay=0.0))
    ]
    assert decays == [[0.1, 0.1], [0.1, 0.0]]


# In training


def test_config_finds_it_beside_the_muon_of_torch():
    assert OPTIMIZERS.get('MuonWithAdamW') is MuonWithAdamW
    assert OPTIMIZERS.get('Muon') is getattr(torch.optim, 'Muon', None)


@pytest.mark.parametrize('mode', MODES)
def test_training_lowers_the_loss(mode):
    net = Net()
    optimizer = net.optimizer(lr=0.02, adjust_lr_fn=mode)
    first = loss_of(net, 0, size=64).item()
    for _ in range(40):
        optimizer.zero_grad()
        loss = loss_of(net, 0, size=64)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * first


def test_parameters_without_gradient_are_left_alone():
    net = Net()
    optimizer = net.optimizer()
    before = weights_of(net)
    net.hidden.weight.grad = torch.ones_like(net.hidden.weight)
    net.head.bias.grad = torch.ones_like(net.head.bias)
    optimizer.step()
    moved = {name for name, value in weights_of(net).items() if not value.equal(before[name])}
    assert moved == {'hidden.weight', 'head.bias'}
    assert set(optimizer.state) == {net.hidden.weight, net.head.bias}


def test_closure_is_evaluated_with_gradients():
    net = Net()
    optimizer = net.optimizer()
    expected = loss_of(copy.deepcopy(net), 0).detach()

    def closure():
        optimizer.zero_grad()
        loss = loss_of(net, 0)
        loss.backward()
        return loss

    assert_same(optimizer.step(closure).detach(), expected)
    assert loss_of(net, 0) < expected


def wrapped(net, **kwargs):
    return OptimWrapper(net.optimizer(), **kwargs)


def schedules(wrapper):
    return [
        LinearLR(wrapper, start_factor=0.1, by_epoch=False, begin=0, end=3),
        MultiStepLR(wrapper, milestones=[5], gamma=0.5, by_epoch=False),
    ]


def train(net, wrapper, schedulers, iterations):
    for iteration in iterations:
        wrapper.update_params(loss_of(net, iteration))
        for scheduler in schedulers:
            scheduler.step()


def test_schedulers_move_both_halves_alike():
    net = Net()
    wrapper = wrapped(net)
    schedulers = schedules(wrapper)
    factors = []
    for iteration in range(7):
        muon_lr, adamw_lr = (group['lr'] for group in wrapper.optimizer.param_groups)
        assert muon_lr / 0.02 == pytest.approx(adamw_lr / 1e-2)
        factors.append(round(muon_lr / 0.02, 3))
        train(net, wrapper, schedulers, [iteration])
    assert factors == [0.1, 0.55, 1, 1, 1, 0.5, 0.5]


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_resumed_run_equals_the_uninterrupted_one(dtype):
    def fresh():
        torch.manual_seed(3)
        net = Net().to(dtype)
        wrapper = wrapped(net, accumulative_counts=2)
        return net, wrapper, schedules(wrapper)

    def run(net, wrapper, schedulers, iterations):
        for iteration in iterations:
            images, labels = batch(iteration)
            wrapper.update_params(nn.functional.cross_entropy(net(images.to(dtype)), labels))
            for scheduler in schedulers:
                scheduler.step()

    whole = fresh()
    run(*whole, range(12))
    first = fresh()
    run(*first, range(6))
    file = io.BytesIO()
    torch.save(
        [first[0].state_dict(), first[1].state_dict(), [s.state_dict() for s in first[2]]], file
    )
    file.seek(0)
    weights, state, positions = torch.load(file, weights_only=True)
    net, wrapper, schedulers = fresh()
    net.load_state_dict(weights)
    wrapper.load_state_dict(state)
    for scheduler, position in zip(schedulers, positions, strict=True):
        scheduler.load_state_dict(position)
    run(net, wrapper, schedulers, range(6, 12))

    assert_same(net.state_dict(), whole[0].state_dict())
    assert wrapper.get_lr() == whole[1].get_lr()
    for ours, theirs in zip(net.parameters(), whole[0].parameters(), strict=True):
        ours, theirs = wrapper.optimizer.state[ours], whole[1].optimizer.state[theirs]
        assert_same(dict(ours), dict(theirs))


def test_accumulated_gradients_are_those_of_one_batch():
    torch.manual_seed(0)
    parts = Net().eval()  # batch norm would see the parts one by one
    at_once = copy.deepcopy(parts)
    wrapper = wrapped(parts, accumulative_counts=2)
    before = weights_of(parts)
    wrapper.update_params(loss_of(parts, 0))
    assert_same(weights_of(parts), before)
    wrapper.update_params(loss_of(parts, 1))
    wrapped(at_once).update_params((loss_of(at_once, 0) + loss_of(at_once, 1)) / 2)
    torch.testing.assert_close(parts.state_dict(), at_once.state_dict(), rtol=0, atol=1e-3)


def test_gradients_of_both_halves_are_clipped_together():
    net = Net()
    seen = []
    wrapper = wrapped(net, clip_grad=dict(max_norm=0.01))
    step = wrapper.optimizer.step
    wrapper.optimizer.step = lambda: (seen.extend(p.grad.clone() for p in net.parameters()), step())
    wrapper.update_params(loss_of(net, 0))
    assert torch.cat([g.flatten() for g in seen]).norm() == pytest.approx(0.01, rel=1e-3)


def test_loss_scaler_skips_the_step_that_overflowed_and_only_that():
    net = Net()
    optimizer = net.optimizer()
    scaler = torch.amp.GradScaler('cpu', init_scale=4.0)
    for overflow in (True, False):
        before = weights_of(net)
        optimizer.zero_grad()
        with torch.autocast('cpu', torch.bfloat16):
            loss = loss_of(net, 0)
        scaler.scale(loss).backward()
        if overflow:
            net.conv.weight.grad[0, 0, 0, 0] = math.inf
        scaler.step(optimizer)
        scaler.update()
        assert net.conv.weight.equal(before['conv.weight']) == overflow
        assert net.head.weight.equal(before['head.weight']) == overflow
    assert all(p.isfinite().all() for p in net.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason='AmpOptimWrapper wants a GPU')
@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
def test_amp_wrapper_of_mmengine_trains_it(dtype):
    net = Net().cuda()
    wrapper = AmpOptimWrapper(optimizer=net.optimizer(), dtype=dtype)
    before = weights_of(net)
    for number in range(3):
        images, labels = (x.cuda() for x in batch(number))
        with wrapper.optim_context(net):
            loss = nn.functional.cross_entropy(net(images), labels)
        wrapper.update_params(loss)
    after = weights_of(net)
    assert not after['conv.weight'].equal(before['conv.weight'])
    assert all(value.isfinite().all() for value in after.values())


def test_bfloat16_weights_stay_bfloat16():
    w, bias = weight(*CONV, dtype=torch.bfloat16), weight(6, dtype=torch.bfloat16)
    optimizer = MuonWithAdamW(
        [dict(params=[w], use_muon=True), dict(params=[bias], use_muon=False)], adamw_lr=0.1
    )
    walk(optimizer, w, bias)
    for parameter in (w, bias):
        assert parameter.dtype == torch.bfloat16 and parameter.isfinite().all()
        assert not parameter.equal(weight(*parameter.shape, dtype=torch.bfloat16))
    assert optimizer.state[w]['momentum_buffer'].dtype == torch.bfloat16


# What is refused


@pytest.mark.parametrize(
    'name, value',
    [
        ('lr', -0.1),
        ('lr', math.nan),
        ('lr', '0.1'),
        ('adamw_lr', math.inf),
        ('weight_decay', -1),
        ('adamw_weight_decay', -1),
        ('momentum', 1.0),
        ('ns_steps', 0),
        ('ns_steps', 2.5),
        ('adjust_lr_fn', 'rms'),
        ('adamw_betas', (0.9, 1.0)),
        ('adamw_betas', 0.9),
        ('adamw_eps', 0.0),
    ],
)
def test_bad_setting_is_named(name, value):
    with pytest.raises(W2SError, match=rf'optimizer\.{name} is .*; expected'):
        Net().optimizer(**{name: value})


def test_bad_setting_of_a_group_is_named():
    group = dict(params=[weight(2, 2)], use_muon=True, momentum=2)
    with pytest.raises(W2SError, match=r'optimizer\.momentum is 2'):
        MuonWithAdamW([group])


def test_unsorted_parameters_are_sent_to_the_constructor():
    for unsorted in (Net().parameters(), [dict(params=[weight(2, 2)])]):
        with pytest.raises(W2SError, match="constructor='MuonConstructor'"):
            MuonWithAdamW(unsorted)


def test_vector_is_refused_for_muon():
    with pytest.raises(W2SError, match=r'shape \(5,\) has use_muon=True'):
        muon(weight(5))


def test_state_of_another_optimizer_is_refused():
    net = Net()
    other = torch.optim.SGD([dict(params=g['params']) for g in net.optimizer().param_groups], 0.1)
    with pytest.raises(W2SError, match=r'\[None, None\]; expected \[True, False\].*load_from'):
        net.optimizer().load_state_dict(other.state_dict())
