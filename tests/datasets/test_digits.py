import numpy as np
import pytest
from mmengine.registry import DATASETS, DefaultScope
from sklearn.datasets import load_digits

from w2s_mm.datasets.digits import NoisyDigits
from w2s_mm.utils.errors import W2SError


def images(**settings):
    return np.stack([sample['img'] for sample in NoisyDigits(**settings)])


def test_all_scans_in_the_usual_order_and_none_in_both_splits():
    train, val = NoisyDigits('train'), NoisyDigits('val')
    assert (len(train), len(val)) == (1400, 397)
    labels = [int(data[i]['gt_label']) for data in (train, val) for i in range(len(data))]
    assert labels == load_digits().target.tolist()
    assert train.metainfo['classes'] == tuple('0123456789')


@pytest.mark.parametrize('size', [8, 16, 32])
def test_images_are_of_the_size_asked_for(size):
    sample = NoisyDigits('val', size=size)[0]
    assert sample['img'].shape == (size, size, 3) and sample['img'].dtype == np.uint8


def test_same_seed_same_images():
    first = images(split='val')
    assert np.array_equal(first, images(split='val'))
    assert not np.array_equal(first, images(split='val', seed=1))


def test_more_draws_add_images_and_keep_the_first():
    one, three = (NoisyDigits('val', draws=draws) for draws in (1, 3))
    assert len(three) == 3 * len(one) == 1191
    images = [three.get_data_info(i)['img'] for i in (0, 397, 794)]
    assert (images[0] == one.get_data_info(0)['img']).all()
    assert (images[0] != images[1]).any() and (images[1] != images[2]).any()
    assert three.get_data_info(397)['gt_label'] == one.get_data_info(0)['gt_label']


def test_without_noise_it_is_the_scan_in_ink_on_paper():
    drawn = images(split='val', size=8, noise=0.0)[..., 0].astype(float)
    scans = load_digits().images[1400:] / 16
    for image, scan in zip(drawn, scans, strict=True):
        assert image[scan == 0].std() < 1  # paper
        assert np.corrcoef(image.ravel(), scan.ravel())[0, 1] > 0.9  # white is cut off


def test_noise_has_the_strength_asked_for():
    quiet, loud = (images(split='val', noise=noise).astype(float) for noise in (0.0, 20.0))
    inside = (quiet > 80) & (quiet < 175)  # where nothing is cut off
    assert (loud - quiet)[inside].std() == pytest.approx(20, rel=0.05)


def test_packed_as_a_model_takes_it():
    import mmpretrain.datasets  # noqa: F401  (registers the transform)

    with DefaultScope.overwrite_default_scope('mmpretrain'):
        data = DATASETS.build(
            {'type': 'NoisyDigits', 'split': 'val', 'pipeline': [{'type': 'PackInputs'}]}
        )
    sample = data[3]
    assert sample['inputs'].shape == (3, 16, 16)
    assert sample['data_samples'].gt_label.tolist() == [int(load_digits().target[1403])]


@pytest.mark.parametrize(
    ('settings', 'match'),
    [
        ({'split': 'test'}, "split is 'test'"),
        ({'split': 'val', 'size': 4}, 'size is 4'),
        ({'split': 'val', 'noise': -1.0}, 'noise is -1'),
        ({'split': 'val', 'seed': -1}, 'seed is -1'),
    ],
)
def test_arguments_out_of_range_are_named(settings, match):
    with pytest.raises(W2SError, match=match):
        NoisyDigits(**settings)
