import hashlib

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from w2s_mm.generation import ClassifierFeatures, InceptionFeatures, features
from w2s_mm.utils.errors import W2SError

CLASSIFIER = dict(
    default_scope='mmpretrain',
    data_preprocessor=dict(num_classes=3, mean=[127.5] * 3, std=[127.5] * 3),
    model=dict(
        type='ImageClassifier',
        backbone=dict(
            type='ResNet_CIFAR',
            depth=18,
            stem_channels=4,
            base_channels=4,
            num_stages=1,
            strides=(1,),
            dilations=(1,),
            out_indices=(0,),
        ),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=3, in_channels=4),
    ),
)


@pytest.fixture
def classifier(tmp_path):
    """Arguments of ClassifierFeatures; the weights are in a file."""
    torch.manual_seed(4)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        import mmpretrain.models  # noqa: F401  (registers them)

        model = MODELS.build(Config(CLASSIFIER).model)
    path = tmp_path / 'classifier.pth'
    torch.save({'state_dict': model.state_dict()}, path)
    return dict(name='tiny', config=CLASSIFIER, checkpoint=str(path)), model.eval()


def test_a_classifiers_features_are_what_its_head_is_given(classifier):
    arguments, model = classifier
    images = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    state = torch.get_rng_state()
    extract = ClassifierFeatures(**arguments)
    found = extract(images)
    assert torch.equal(torch.get_rng_state(), state)
    assert extract.metric == 'FID-tiny'
    assert extract.dim == 4 and found.shape == (5, 4) and not found.requires_grad
    expected = model.neck(model.backbone(images / 127.5 - 1))[-1]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_a_grey_image_has_the_features_of_the_same_in_colour(classifier):
    extract = ClassifierFeatures(**classifier[0])
    grey = torch.randint(0, 256, (3, 1, 8, 8), dtype=torch.uint8)
    assert torch.equal(extract(grey), extract(grey.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'name': ''}, "features.name is ''; expected text"),
        ({'checkpoint': 'no/such.pth'}, r'FID-tiny .* not exist: no/such.pth.* Type: make it'),
        ({'config': 'no/such.py'}, 'features.config not found: no/such.py'),
        (
            {'config': dict(type='ImgDataPreprocessor')},
            'does not fit the ImgDataPreprocessor of features.config',
        ),
    ],
)
def test_a_classifier_that_is_missing_or_does_not_fit_is_named(classifier, changes, message):
    arguments = {**classifier[0], 'how_to_make': 'Type: make it', **changes}
    with pytest.raises(W2SError, match=message):
        ClassifierFeatures(**arguments)


def test_absent_inception_weights_are_told_with_address_place_and_what_runs_without():
    with pytest.raises(W2SError) as refused:
        InceptionFeatures(weights='nowhere/weights.pth')
    message = str(refused.value)
    assert 'not exist: nowhere/weights.pth' in message
    assert features.INCEPTION_FILE in message and 'github.com/toshas/torch-fidelity' in message
    assert 'ClassifierFeatures' in message and 'w2s_mm::digits/ddpm_baseline.py' in message


def test_another_file_is_no_standard_fid(tmp_path):
    path = tmp_path / features.INCEPTION_FILE
    path.write_bytes(b'not the weights')
    begins = hashlib.sha256(b'not the weights').hexdigest()[:8]
    with pytest.raises(W2SError, match=f'begins with {begins}; expected 6726825d'):
        InceptionFeatures(str(path))


@pytest.mark.slow
def test_inception_features_are_torch_fidelitys_of_the_same_images(tmp_path, monkeypatch):
    library = pytest.importorskip('torch_fidelity.feature_extractor_inceptionv3')
    network = library.FeatureExtractorInceptionV3
    path = tmp_path / 'random.pth'
    with monkeypatch.context() as fresh:  # the real weights are not in the repository
        fresh.setattr(network, 'load_state_dict', lambda self, state: None)
        torch.save({}, path)
        torch.manual_seed(0)
        theirs = network('any', ['2048'], feature_extractor_weights_path=str(path))
    torch.save(theirs.state_dict(), path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(features, 'INCEPTION_SHA256', found[:8])
    extract = InceptionFeatures(str(path))
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    assert (extract.metric, extract.dim, extract.fingerprint) == ('FID', 2048, found)
    assert torch.equal(extract(images), theirs(images)[0])
    assert extract(images[:, :1]).shape == (2, 2048)
