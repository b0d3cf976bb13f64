"""A short version of ``benchmarks/long_run.py``: nothing grows but what is appended to."""

import runpy
from pathlib import Path

import pytest

from w2s_mm.utils import run_files

VALIDATION = 400  # bytes that a validation may add to a history


@pytest.mark.slow
def test_memory_descriptors_and_files_stay_flat(tmp_path):
    script = Path(__file__).parents[1] / 'benchmarks' / 'long_run.py'
    namespace = runpy.run_path(str(script))
    found = namespace['summary'](namespace['train'](tmp_path, 160))
    begin, end = found['between']
    validations = (end - begin) / 8
    assert found['descriptors'][0] == found['descriptors'][1]
    # What is kept for each validation is plain numbers; for each iteration, nothing.
    objects = found['objects'][1] - found['objects'][0]
    assert objects <= 20 * validations
    per_iteration = found['file_bytes_per_iteration']
    ours = {name: per_iteration[name] * (end - begin) for name in found['last_sizes']}
    assert ours.pop(run_files.GRADIENT_NORMS) <= 200 * (end - begin) / 10 + 200
    for name in (run_files.TIME_TO_TARGET, run_files.WEAK_TO_STRONG):
        assert 0 < ours.pop(name) <= VALIDATION * validations
    assert ours and not any(ours.values())
