import math

from w2s_mm.report import Crossing, crossing, load_run
from w2s_mm.report.curves import band, mean_run


def test_the_mean_goes_as_far_as_every_seed(write_run):
    runs = [
        load_run(write_run('a', [0.1, 0.2, 0.3])),
        load_run(write_run('b', [0.3, 0.4], seed=1, finished=False)),
    ]
    mean = mean_run(runs)
    assert mean.times('iter') == [40, 80]
    assert mean.values == [0.2, (0.2 + 0.4) / 2]
    assert not mean.finished and mean.seed is None
    assert band(runs) == [(0.1, 0.3), (0.2, 0.4)]


def test_one_run_is_its_own_mean(write_run):
    run = load_run(write_run('a', [0.1, 0.2]))
    assert mean_run([run]) is run


def test_a_seed_that_broke_down_reaches_no_target_in_the_mean(write_run):
    runs = [load_run(write_run(n, v)) for n, v in (('a', [0.3, 0.5]), ('b', [math.nan, 0.5]))]
    assert crossing(mean_run(runs), 0.2) == Crossing(80, reached=True)


def test_the_mean_clock_is_the_mean_of_the_clocks(write_run):
    runs = [load_run(write_run(n, [0.1, 0.3])) for n in 'ab']
    assert crossing(mean_run(runs), 0.2, 'train_seconds') == Crossing(8, reached=True)
