import copy

import pytest
import torch
from mmdet.models import DetDataPreprocessor
from torch.overrides import TorchFunctionMode

from w2s_mm.core.preprocess import Renormalize
from w2s_mm.utils.errors import W2SError

IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
CAFFE = dict(mean=[103.53, 116.28, 123.675], std=[1.0, 1.0, 1.0])
LOOKS = {
    'rgb': dict(**IMAGENET, bgr_to_rgb=True, pad_size_divisor=32),
    'caffe, bgr': dict(**CAFFE, pad_size_divisor=32),
    'rgb_to_bgr': dict(**IMAGENET, rgb_to_bgr=True, pad_size_divisor=32),
    'other pad value': dict(**IMAGENET, bgr_to_rgb=True, pad_size_divisor=32, pad_value=0.7),
    'one mean for all': dict(mean=[127.5], std=[127.5], bgr_to_rgb=True, pad_size_divisor=32),
    'unnormalised': dict(bgr_to_rgb=True, pad_size_divisor=32, pad_value=114),
    'unnormalised bgr': dict(pad_size_divisor=32),
}
SIZES = ((40, 64), (64, 33), (64, 64))


@pytest.mark.parametrize('teacher', LOOKS)
@pytest.mark.parametrize('student', LOOKS)
def test_teacher_sees_what_its_own_preprocessor_makes(student, teacher, make_raw):
    student = DetDataPreprocessor(**LOOKS[student])
    teacher = DetDataPreprocessor(**LOOKS[teacher])
    ours = student(make_raw(SIZES), True)
    theirs = teacher(make_raw(SIZES), True)['inputs']
    before = ours['inputs'].clone()
    seen = Renormalize(student, teacher)(ours['inputs'], ours['data_samples'])
    torch.testing.assert_close(seen, theirs, rtol=1e-4, atol=1e-4)
    assert torch.equal(ours['inputs'], before)  # the student's own batch is untouched


@pytest.mark.parametrize('look', LOOKS)
def test_equal_preprocessors_cost_nothing(look, make_raw):
    student, teacher = (DetDataPreprocessor(**LOOKS[look]) for _ in range(2))
    batch = student(make_raw(SIZES), True)
    renormalize = Renormalize(student, teacher)
    assert renormalize(batch['inputs'], batch['data_samples']) is batch['inputs']


def test_padding_is_exactly_the_teachers(make_raw):
    student = DetDataPreprocessor(**LOOKS['rgb'])
    teacher = DetDataPreprocessor(**LOOKS['unnormalised'])
    batch = student(make_raw(SIZES), True)
    seen = Renormalize(student, teacher)(batch['inputs'], batch['data_samples'])
    assert (seen[0, :, 40:] == 114).all()
    assert (seen[1, :, :, 33:] == 114).all()
    assert not (seen[2] == 114).all(0).any()


@pytest.mark.parametrize('samples', [None, ()])
def test_without_samples_every_image_fills_its_place(samples, make_raw):
    student = DetDataPreprocessor(**LOOKS['rgb'])
    teacher = DetDataPreprocessor(**LOOKS['caffe, bgr'])
    inputs = student(make_raw(), True)['inputs']
    theirs = teacher(make_raw(), True)['inputs']
    seen = Renormalize(student, teacher)(inputs, samples)
    torch.testing.assert_close(seen, theirs, rtol=1e-4, atol=1e-4)


def test_precision_follows_the_batch(make_raw):
    student = DetDataPreprocessor(**LOOKS['rgb'])
    teacher = DetDataPreprocessor(**LOOKS['caffe, bgr'])
    inputs = student(make_raw(), True)['inputs'].bfloat16()
    assert Renormalize(student, teacher)(inputs, None).dtype == torch.bfloat16


def test_constants_are_copied_to_the_device_once_and_follow_it():
    renormalize = Renormalize(*(DetDataPreprocessor(**LOOKS[k]) for k in ('rgb', 'caffe, bgr')))
    copies = []

    class Counting(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            if func in (torch.Tensor.to, torch.tensor, torch.as_tensor):
                copies.append(func)
            return func(*args, **(kwargs or {}))

    for device, dtype in (('cpu', torch.float32), ('meta', torch.float32), ('meta', torch.half)):
        images = torch.zeros(1, 3, 4, 4, device=device, dtype=dtype)
        for first in (True, False):
            copies.clear()
            with Counting():
                seen = renormalize(images, None)
            assert first or not copies
            assert seen.device == images.device and seen.dtype == dtype


@pytest.mark.parametrize(('ours', 'theirs'), [(1, 32), (32, 64), (48, 32)])
def test_padding_the_student_lacks_is_refused(ours, theirs):
    student = DetDataPreprocessor(**IMAGENET, pad_size_divisor=ours)
    teacher = DetDataPreprocessor(**IMAGENET, pad_size_divisor=theirs)
    with pytest.raises(W2SError, match=rf'multiple of {theirs}.*student.*multiple of {ours}') as e:
        Renormalize(student, teacher)
    assert f'pad_size_divisor={theirs}' in str(e.value)


def test_more_padding_than_the_teacher_needs_is_fine():
    student = DetDataPreprocessor(**IMAGENET, pad_size_divisor=64)
    teacher = DetDataPreprocessor(**IMAGENET, pad_size_divisor=32)
    inputs = torch.zeros(1, 3, 64, 64)
    assert Renormalize(student, teacher)(inputs, None) is inputs


def test_deepcopy_of_a_batch_is_not_needed(make_raw):
    """Samples keep their fields: the teacher's view changes pixels only."""
    student = DetDataPreprocessor(**LOOKS['rgb'])
    batch = student(make_raw(SIZES), True)
    before = copy.deepcopy([s.metainfo for s in batch['data_samples']])
    Renormalize(student, DetDataPreprocessor(**LOOKS['caffe, bgr']))(
        batch['inputs'], batch['data_samples']
    )
    assert [s.metainfo for s in batch['data_samples']] == before


@pytest.mark.parametrize('channels', [1, 3])
def test_images_of_one_channel_stay_so(channels):
    from mmengine.model import ImgDataPreprocessor

    pixels = {'inputs': [torch.rand(channels, 8, 8) * 255 for _ in range(2)]}
    student = ImgDataPreprocessor(mean=[127.5], std=[127.5])
    teacher = ImgDataPreprocessor(mean=[0.0], std=[255.0])
    seen = Renormalize(student, teacher)(student(copy.deepcopy(pixels))['inputs'], None)
    theirs = teacher(copy.deepcopy(pixels))['inputs']
    assert seen.shape == (2, channels, 8, 8)
    torch.testing.assert_close(seen, theirs, rtol=1e-5, atol=1e-6)
