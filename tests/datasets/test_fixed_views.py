"""Views of an image: few, fixed, and drawn with the pipeline's own random numbers."""

import random

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import TRANSFORMS, DefaultScope

from w2s_mm.datasets.fixed_views import FixedViews
from w2s_mm.utils.errors import W2SError


@TRANSFORMS.register_module()
class DrawNumbers:
    """Draws from all three generators that transforms use."""

    def __call__(self, results):
        results['drawn'] = random.random(), np.random.rand(), float(torch.rand(()))
        return results


def views_of(image, transform, count=40):
    return {transform({'sample_idx': image})['drawn'] for _ in range(count)}


def test_an_image_has_that_many_views():
    transform = FixedViews([{'type': 'DrawNumbers'}], views=3)
    assert len(views_of(0, transform)) == 3
    assert len(views_of(0, transform) | views_of(1, transform)) == 6


def test_views_are_those_of_every_run_and_of_the_seed():
    one, same, other = (FixedViews([{'type': 'DrawNumbers'}], seed=seed) for seed in (0, 0, 1))
    assert views_of(5, one) == views_of(5, same)
    assert not views_of(5, one) & views_of(5, other)


def test_which_view_is_drawn_by_the_pipelines_generator_and_no_other_is_touched():
    transform = FixedViews([{'type': 'DrawNumbers'}], views=1000)

    def two():
        np.random.seed(3)
        first = transform({'sample_idx': 0})['drawn']
        return first, transform({'sample_idx': 0})['drawn']

    random.seed(1)
    torch.manual_seed(1)
    found = two()
    after = random.random(), float(torch.rand(()))
    random.seed(1)
    torch.manual_seed(1)
    assert after == (random.random(), float(torch.rand(())))
    assert two() == found and found[0] != found[1]


def test_the_generators_are_restored_after_an_error():
    transform = FixedViews([{'type': 'DrawNumbers'}])
    transform.transforms = lambda results: 1 / 0
    random.seed(1)
    with pytest.raises(ZeroDivisionError):
        transform({'sample_idx': 0})
    after = random.random()
    random.seed(1)
    assert after == random.random()


def test_transforms_of_mmpretrain_give_equal_pixels():
    crops = Config({'t': [{'type': 'RandomResizedCrop', 'scale': 8}, {'type': 'RandomFlip',
                           'prob': 0.5}]}).t  # fmt: skip
    import mmpretrain.datasets.transforms  # noqa: F401

    with DefaultScope.overwrite_default_scope('mmpretrain'):
        transform = FixedViews(list(crops), views=2)
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    seen = {
        transform({'sample_idx': 7, 'img': image.copy(), 'img_shape': (32, 32)})['img'].tobytes()
        for _ in range(30)
    }
    assert len(seen) == 2


def test_a_data_set_without_numbers_is_refused():
    with pytest.raises(W2SError, match=r'needs the number of the image.*found img\. Derive'):
        FixedViews([{'type': 'DrawNumbers'}])({'img': 1})


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'views': 0}, 'views of FixedViews is 0'),
        ({'seed': -1}, 'seed of FixedViews is -1'),
        ({'transforms': [3]}, 'transforms of FixedViews'),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(W2SError, match=message):
        FixedViews(**{'transforms': [{'type': 'DrawNumbers'}], **arguments})
