"""Contracts 1 to 3 on a diffusion model."""

import pytest

from tests.contracts import StudentContracts


class TestDDPM(StudentContracts):
    TERMS = frozenset({'noise'})

    @pytest.fixture
    def twins(self, ddpm, build, make_student, images):
        return make_student(), build(ddpm()), (images, None)
