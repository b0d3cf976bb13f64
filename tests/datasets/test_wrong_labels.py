"""Wrong labels of images and of objects."""

import numpy as np
import pytest

from w2s_mm.datasets.wrong_labels import WrongLabels
from w2s_mm.utils.errors import W2SError


def test_the_next_class_and_the_first_for_the_last():
    change = WrongLabels(3, 'permuted')
    assert change({'gt_label': 0, 'sample_idx': 0})['gt_label'] == 1
    found = change({'gt_bboxes_labels': np.array([0, 1, 2]), 'sample_idx': 0})['gt_bboxes_labels']
    assert found.tolist() == [1, 2, 0]


def test_random_classes_are_those_of_the_image_whatever_the_true_ones():
    change = WrongLabels(10)
    found = [change({'gt_label': 3, 'sample_idx': i})['gt_label'] for i in range(1000)]
    assert found == [change({'gt_label': 7, 'sample_idx': i})['gt_label'] for i in range(1000)]
    counts = np.bincount(found, minlength=10)
    assert counts.min() > 60 and counts.max() < 140
    assert found != [WrongLabels(10, seed=1)({'gt_label': 3, 'sample_idx': i})['gt_label']
                     for i in range(1000)]  # fmt: skip


def test_each_object_has_its_own_class_and_none_is_fine():
    change = WrongLabels(10)
    labels = np.zeros(50, dtype=np.int64)
    found = change({'gt_bboxes_labels': labels, 'sample_idx': 4})['gt_bboxes_labels']
    assert len(set(found.tolist())) > 5 and found.dtype == labels.dtype and not labels.any()
    empty = change({'gt_bboxes_labels': labels[:0], 'sample_idx': 4})['gt_bboxes_labels']
    assert empty.shape == (0,)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'classes': 1}, 'classes of WrongLabels is 1'),
        ({'how': 'swapped'}, 'how of WrongLabels'),
        ({'seed': -1}, 'seed of WrongLabels is -1'),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(W2SError, match=message):
        WrongLabels(**{'classes': 10, **arguments})
