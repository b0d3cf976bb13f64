import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS, METRICS, MODELS
from torch.utils.data import Dataset

from w2s_mm.generation import FID
from w2s_mm.utils.errors import W2SError

DIM = 4


@MODELS.register_module(force=True)
class ToyFeatures:
    """Means of the four quarters of an image."""

    metric = 'FID-toy'
    dim = DIM
    fingerprint = 'toy'
    calls = 0

    def __call__(self, images):
        ToyFeatures.calls += 1
        grey = images.float().mean(dim=1, keepdim=True) / 255
        return torch.nn.functional.avg_pool2d(grey, 4).flatten(1)


@DATASETS.register_module(force=True)
class ToyImages(Dataset):
    """Seeded images; a real one could draw random numbers on its way."""

    def __init__(self, count=40, seed=0, channels=1, dtype='uint8'):
        generator = torch.Generator().manual_seed(seed)
        images = torch.randint(0, 256, (count, channels, 8, 8), generator=generator)
        self.images = images.to(getattr(torch, dtype))

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        torch.rand(1)
        return {'inputs': self.images[index]}


@pytest.fixture
def make_fid(tmp_path):
    """``make_fid(...)``: a metric whose reference has been loaded for ``samples`` samples."""

    def fid(samples=30, features=None, **reference):
        metric = METRICS.build(
            dict(
                type='FID',
                reference=dict(type='ToyImages', **reference),
                features=features or dict(type='ToyFeatures'),
                cache=str(tmp_path / 'cache'),
                batch_size=16,
            )
        )
        metric.dataset_meta = {'samples': samples}
        return metric

    return fid


def sampled(images, broken=()):
    return [
        {'generated': image, 'finite': torch.tensor(index not in broken)}
        for index, image in enumerate(images)
    ]


SAMPLES = ToyImages(30, seed=5).images


def show(metric, images=SAMPLES, batch=8, **options):
    for start in range(0, len(images), batch):
        metric.process(None, sampled(images[start : start + batch], **options))


def by_numpy(images, reference):
    """FID in double precision from all features at once."""
    from scipy.linalg import sqrtm

    a, b = (ToyFeatures()(each).double().numpy() for each in (images, reference))
    one, two = (np.cov(each, rowvar=False) for each in (a, b))
    root = sqrtm(one @ two).real
    return np.square(a.mean(0) - b.mean(0)).sum() + np.trace(one + two - 2 * root)


def test_value_is_the_frechet_distance_of_all_features_at_once(make_fid):
    metric = make_fid()
    show(metric)
    expected = by_numpy(SAMPLES, ToyImages(40).images)
    assert metric.evaluate(30) == {'FID-toy': pytest.approx(expected, rel=1e-9)}


def test_value_is_torch_fidelitys_on_the_same_images(make_fid):
    library = pytest.importorskip('torch_fidelity.metric_fid')
    metric = make_fid()
    show(metric)
    features = [ToyFeatures()(each).double() for each in (SAMPLES, ToyImages(40).images)]
    statistics = [library.fid_features_to_statistics(each) for each in features]
    theirs = library.fid_statistics_to_metric(*statistics, verbose=False)
    expected = pytest.approx(theirs['frechet_inception_distance'], rel=1e-8)
    assert metric.evaluate(30)['FID-toy'] == expected


def test_an_evaluation_forgets_the_one_before(make_fid):
    metric = make_fid()
    values = []
    for images in (SAMPLES, 255 - SAMPLES, SAMPLES):
        show(metric, images)
        values.append(metric.evaluate(30)['FID-toy'])
    assert values[0] == values[2] != values[1]


def test_reference_statistics_are_computed_once_and_then_read(make_fid, tmp_path):
    ToyFeatures.calls = 0
    first = make_fid()
    assert ToyFeatures.calls == 3  # 40 images in batches of 16
    (kept,) = (tmp_path / 'cache').iterdir()
    again = make_fid()
    assert ToyFeatures.calls == 3
    show(first)
    show(again)
    assert first.evaluate(30) == again.evaluate(30)
    assert [path.name for path in (tmp_path / 'cache').iterdir()] == [kept.name]


@pytest.mark.parametrize('share', [0.0, 0.3, 0.95])
def test_statistics_that_were_cut_short_are_computed_again(make_fid, tmp_path, share):
    make_fid()
    (kept,) = (tmp_path / 'cache').iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[: int(share * len(whole))])
    ToyFeatures.calls = 0
    make_fid()
    assert ToyFeatures.calls == 3
    make_fid()
    assert ToyFeatures.calls == 3


@pytest.mark.parametrize('change', ['weights', 'pixels', 'count'])
def test_other_weights_or_images_are_another_reference(change, make_fid, tmp_path, monkeypatch):
    make_fid()
    if change == 'weights':
        monkeypatch.setattr(ToyFeatures, 'fingerprint', 'other')
    if change == 'pixels':  # the same configuration, as of a folder whose files were replaced
        init = ToyImages.__init__
        monkeypatch.setattr(ToyImages, '__init__', lambda self, **kw: init(self, seed=1, **kw))
    make_fid(**({'count': 41} if change == 'count' else {}))
    assert len(list((tmp_path / 'cache').iterdir())) == 2


def test_the_run_s_random_numbers_do_not_change(make_fid):
    state = torch.get_rng_state()
    show(make_fid())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'samples': 4}, 'from 4 samples, and the covariance of 4 features needs at least 5'),
        ({'count': 4}, 'from 4 reference images, and the covariance of 4 features needs at least'),
        ({'dtype': 'float32'}, r'reference images are torch.float32 .* expected uint8'),
    ],
)
def test_what_the_covariance_cannot_be_taken_from_is_refused_before_training(
    arguments, message, make_fid
):
    with pytest.raises(W2SError, match=message):
        make_fid(**arguments)


def test_a_validation_set_without_seeds_is_refused(make_fid):
    metric = make_fid()
    with pytest.raises(W2SError, match='SamplingSeeds'):
        metric.dataset_meta = {'classes': ('a', 'b')}


def test_samples_of_another_shape_than_the_reference_are_refused(make_fid):
    metric = make_fid(channels=3)
    with pytest.raises(W2SError, match=r'shape \(1, 8, 8\).* \(3, 8, 8\)'):
        show(metric)


def test_a_sample_that_is_not_a_number_is_an_error_and_the_next_evaluation_is_whole(make_fid):
    metric = make_fid()
    show(metric, broken=(2,))
    with pytest.raises(W2SError, match=r'4 of 30 samples contain NaN.*no checkpoint was saved'):
        metric.evaluate(30)
    show(metric)
    assert metric.evaluate(30)['FID-toy'] > 0


def test_samples_drawn_twice_are_refused_and_a_part_of_them_gives_nothing(make_fid):
    metric = make_fid()
    show(metric, torch.cat([SAMPLES, SAMPLES[:1]]))
    with pytest.raises(W2SError, match=r'31 samples were drawn for 30 seeds.*round_up=False'):
        metric.evaluate(30)
    show(metric, SAMPLES[:8])
    assert metric.evaluate(30) == {}


def test_the_standard_fid_is_the_default_and_needs_its_weights():
    with pytest.raises(W2SError, match=r'Inception weights .* do not exist'):
        FID(reference={})


def test_progress_is_told_every_few_seconds(make_fid, monkeypatch):
    told = []
    monkeypatch.setattr('w2s_mm.generation.fid.print_log', lambda text, _: told.append(text))
    metric = make_fid()
    told.clear()
    clock = iter(range(0, 1000, 6))
    monkeypatch.setattr('time.monotonic', lambda: next(clock))
    metric._start()
    show(metric)
    assert told == ['FID-toy: 16 of 30 samples', 'FID-toy: 30 of 30 samples']
