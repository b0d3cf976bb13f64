from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from w2s_mm.generation import SampleGridHook
from w2s_mm.generation.sample_grid import grid
from w2s_mm.utils.errors import W2SError


class Shown:
    def __init__(self):
        self.pictures = []

    def add_image(self, name, image, step=0):
        self.pictures.append((name, image, step))


def outputs(values, channels=1):
    return [
        SimpleNamespace(generated=torch.full((channels, 8, 8), value, dtype=torch.uint8))
        for value in values
    ]


def validate(hook, runner, *batches):
    hook.before_val_epoch(runner)
    for index, batch in enumerate(batches):
        hook.after_val_iter(runner, index, None, outputs(batch))
    hook.after_val_epoch(runner, {})


def test_the_first_samples_of_every_validation_are_written_and_shown(tmp_path):
    hook = SampleGridHook(count=4, columns=2, smallest=8)
    runner = SimpleNamespace(work_dir=str(tmp_path), iter=40, visualizer=Shown())
    validate(hook, runner, [10, 20, 30], [40, 50], [60])
    runner.iter = 80
    validate(hook, runner, [1, 2, 3, 4])
    assert sorted(path.name for path in (tmp_path / 'samples').iterdir()) == [
        'iter_000040.png',
        'iter_000080.png',
    ]
    picture = np.asarray(Image.open(tmp_path / 'samples/iter_000040.png'))
    assert picture.shape == (2 * 10 + 2, 2 * 10 + 2, 3)
    assert [picture[y, x, 0] for y in (5, 15) for x in (5, 15)] == [10, 20, 30, 40]
    assert [(name, step) for name, _, step in runner.visualizer.pictures] == [
        ('samples', 40),
        ('samples', 80),
    ]
    assert (runner.visualizer.pictures[0][1] == picture).all()


def test_small_images_are_enlarged_without_blur():
    image = torch.arange(64, dtype=torch.uint8).view(1, 8, 8)
    picture = grid([image], columns=1, smallest=30)  # 4 times is the first to reach it
    assert picture.shape == (32, 32, 3)
    assert (picture[::4, ::4, 1] == image[0].numpy()).all()
    assert (picture[:4, :4] == 0).all() and (picture[:4, 4:8] == 1).all()


def test_colour_stays_colour():
    image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    image[2] = 200
    assert grid([image, image], 1, 8)[5, 5].tolist() == [0, 0, 200]


@pytest.mark.parametrize('name', ['count', 'columns', 'smallest'])
def test_an_argument_out_of_range_is_named(name):
    with pytest.raises(W2SError, match=f'{name} of SampleGridHook is 0'):
        SampleGridHook(**{name: 0})
