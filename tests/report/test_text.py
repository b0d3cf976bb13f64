from w2s_mm.report import as_text, gather

RISING = [0.05, 0.1, 0.15, 0.21, 0.25, 0.24]
EARLY = [0.1, 0.22, 0.3, 0.31, 0.3, 0.3]
NEVER = [0.05] * 6


def told(study, **options):
    return as_text(study, study.variants[0], 0.2, **options)


def test_table_shows_both_sides_with_ap_in_percent(write_run):
    ours = [
        write_run(f'ours_seed{s}', EARLY, seed=s, reference=0.25, closed_at=160) for s in (0, 1)
    ]
    base = [write_run(f'base_seed{s}', c, seed=s) for s, c in enumerate([RISING, NEVER])]
    lines = told(gather(ours, base)).splitlines()
    assert lines[0] == 'first@AP50 20 in iterations'
    rows = [' '.join(line.split()) for line in lines[4:6]]
    assert rows[0] == '0 160 80 2.00x 24.0 / 30.0 25.0 / 31.0 160'
    assert rows[1] == '1 > 240 80 > 3.00x 5.0 / 30.0 5.0 / 31.0 160'
    assert lines[7:10] == [
        'Mean curve of 2 seeds: > 240 / 80, > 3.00x.',
        'Median speedup >= 2.50x of 2 pairs (2.00x, > 3.00x); mean final AP50 14.5 / 30.0.',
        'Faster: 2 of 2, p = 0.5. 95% interval of the mean ratio: -. Final AP50, paired '
        'difference: +15.5 (-105.2 to +136.2).',
    ]
    assert '"> T"' in lines[10]
    assert ' '.join(lines[14].split()).startswith('the target 20.0 > 240 80 > 3.00x >= 2.50x')
    assert ' '.join(lines[15].split()).startswith("the teacher's level 25.0 > 240 120 > 2.00x")


def test_table_without_baselines_names_the_runs(write_run):
    runs = [write_run(f'run_seed{s}', c, seed=s) for s, c in enumerate([RISING, []])]
    text = told(gather(runs), clock='epoch', sustained=True)
    assert text.startswith('first@AP50 20 in epochs, 2 validations in a row')
    rows = [' '.join(line.split()) for line in text.splitlines()]
    assert 'run_seed0 0 2.00 24.0 25.0 -' in rows
    assert 'run_seed1 1 - - - -' in rows


def test_no_common_seed_is_said(write_run):
    study = gather([write_run('ours', EARLY)], [write_run('base', RISING, seed=1)])
    assert 'nothing to compare' in told(study)


def test_one_pair_is_called_one_pair(write_run):
    study = gather([write_run('ours', EARLY)], [write_run('base', RISING)])
    assert 'One pair of runs does not show' in told(study)
