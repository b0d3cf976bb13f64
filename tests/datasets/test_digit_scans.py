import numpy as np
import pytest
from sklearn.datasets import load_digits

from w2s_mm.datasets.digits import DigitScans
from w2s_mm.utils.errors import W2SError


def test_the_two_splits_are_all_scans_as_they_are():
    train, val = (DigitScans(split=split) for split in ('train', 'val'))
    assert (len(train), len(val)) == (1400, 397)
    assert train.metainfo['classes'] == tuple('0123456789')
    digits = load_digits()
    items = [dataset[index] for dataset in (train, val) for index in range(len(dataset))]
    images = np.stack([item['img'] for item in items])
    assert images.shape == (1797, 8, 8, 1) and images.dtype == np.uint8
    assert np.abs(images[..., 0] / 255 - digits.images / 16).max() < 0.5 / 255 + 1e-9
    assert [item['gt_label'] for item in items] == digits.target.tolist()


def test_an_unknown_split_is_named():
    with pytest.raises(W2SError, match="split is 'test'; expected one of"):
        DigitScans(split='test')
