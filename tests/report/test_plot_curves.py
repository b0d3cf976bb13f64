import math

import pytest

from tests.run_files import WEIGHT
from w2s_mm.report import draw, gather
from w2s_mm.report.plot_gradients import draw_gradients

RISING = [0.05, 0.1, 0.15, 0.21, 0.25, 0.24]
EARLY = [0.1, 0.22, 0.3, 0.31, 0.3, 0.3]
NEVER = [0.05] * 6


@pytest.mark.parametrize('suffix', ['png', 'svg'])
@pytest.mark.parametrize('narrow', [True, False])
def test_pairs_are_drawn(write_run, tmp_path, suffix, narrow):
    told = {'reference': 0.25, 'weights': [WEIGHT]}
    ours = [write_run(f'ours{s}', EARLY, seed=s, closed_at=160, **told) for s in (0, 1)]
    base = [write_run('base0', RISING), write_run('base1', NEVER, seed=1)]
    picture = tmp_path / 'docs' / f'curves.{suffix}'
    study = gather(ours, base)
    draw(study, 0.2, picture, clock='train_seconds', suffix=suffix, narrow=narrow)
    head = picture.read_bytes()[:100]
    assert head.startswith(b'\x89PNG' if suffix == 'png' else b'<?xml')


def test_several_variants_are_drawn_into_one_picture(write_run, tmp_path):
    names = ('no_stop', 'no_warm_start', 'reverse_kl')
    ours = [
        write_run(f'{name}/seed{s}', EARLY, seed=s, reference=0.25, weights=[WEIGHT], closed_at=80)
        for name in names
        for s in (0, 1)
    ]
    base = [write_run(f'base/seed{s}', RISING, seed=s) for s in (0, 1)]
    draw(gather(ours, base), 0.2, tmp_path / 'a.svg', suffix='svg')
    draw(gather(ours[:2], base), 0.2, tmp_path / 'b.svg', suffix='svg')
    assert (tmp_path / 'a.svg').read_bytes() != (tmp_path / 'b.svg').read_bytes()


def test_an_svg_is_the_same_each_time(write_run, tmp_path):
    study = gather([write_run('ours', EARLY, reference=0.25)])
    for name in ('a.svg', 'b.svg'):
        draw(study, 0.2, tmp_path / name, suffix='svg')
    assert (tmp_path / 'a.svg').read_bytes() == (tmp_path / 'b.svg').read_bytes()


@pytest.mark.parametrize('values', [[], [math.nan], [0.1], [0.3, 0.3]])
def test_a_run_that_has_hardly_begun_is_drawn(write_run, tmp_path, values):
    ours = write_run('ours', values, finished=False, reference=0.25, weights=[WEIGHT])
    base = write_run('base', RISING)
    draw(gather([ours], [base]), 0.2, tmp_path / 'curves.png', clock='epoch')
    draw(gather([ours]), 0.2, tmp_path / 'alone.png')


def test_a_lower_metric_is_drawn(write_run, tmp_path):
    fid = {'metric': 'fid', 'rule': 'less', 'thresholds': (60,)}
    ours = write_run('ours', [90, 70, 55], reference=65, closed_at=120, **fid)
    study = gather([ours], [write_run('base', [95, 80, 70], **fid)])
    draw(study, 60, tmp_path / 'fid.png')


def test_gradient_norms_are_drawn_with_gaps_where_there_was_no_number(write_run, tmp_path):
    entry = {'grad_norm_base': 1.0, 'grad_norm_distill': 0.5, 'grad_cosine': 0.3}
    gradients = [{'iter': 1, **entry}, {'iter': 11, **entry, 'grad_norm_distill': None}]
    (run,) = gather([write_run('ours', EARLY, gradients=gradients)]).runs
    draw_gradients(run, tmp_path / 'g.png')
    assert (tmp_path / 'g.png').stat().st_size > 5000
