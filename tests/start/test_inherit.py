"""Inherited parts of detectors: which, which not, and what is refused."""

import pytest
import torch

from w2s_mm.start import StartSource, class_layers, inherit, largest_difference, select
from w2s_mm.start.parts import check_geometry
from w2s_mm.start.source import class_counts
from w2s_mm.utils.errors import W2SError

BACKBONE = {'backbone.base_channels': 4, 'backbone.stem_channels': 4, 'neck.in_channels': [8, 16]}


@pytest.fixture
def load(save_teacher):
    def source(config):
        loaded = StartSource(**save_teacher(config))
        loaded.load()
        return loaded

    return source


def both(build, load, ours, theirs):
    return build(ours), load(theirs).model


def test_default_parts_of_a_dense_detector(build, retinanet, load):
    """A teacher with another backbone has the same neck outputs and head; laterals differ."""
    student, source = both(build, load, retinanet(), retinanet(BACKBONE))
    selection = select(student, 'inherit', None)
    assert selection.parts == ('neck.fpn_convs', 'bbox_head')
    values, missing = inherit(student.state_dict(), source.state_dict(), selection)
    assert {name.split('.')[0] for name in values} == {'neck', 'bbox_head'}
    assert missing == [] and not any('lateral' in name for name in values)
    student.load_state_dict(values, strict=False)
    feats = [torch.randn(1, 16, size, size) for size in (4, 2)]
    for a, b in zip(student.bbox_head(feats), source.bbox_head(feats), strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    assert not largest_difference(student, source).lossless


def test_default_parts_of_a_two_stage_detector(build, faster_rcnn, load):
    student, source = both(build, load, faster_rcnn(), faster_rcnn(BACKBONE))
    selection = select(student, 'inherit', None)
    assert selection.parts == ('neck.fpn_convs', 'rpn_head', 'roi_head')
    values, _ = inherit(student.state_dict(), source.state_dict(), selection)
    assert {name.split('.')[0] for name in values} == {'neck', 'rpn_head', 'roi_head'}


@pytest.mark.parametrize('family', ['ATSS', 'FCOS', 'GFL', 'RTMDet'])
def test_heads_of_other_families_are_inherited(detector, build, load, family):
    other = {'backbone.widen_factor': 0.25, 'neck.in_channels': [64, 128]}
    theirs = detector(family, BACKBONE if family != 'RTMDet' else other)
    student, source = both(build, load, detector(family), theirs)
    selection = select(student, 'inherit', None)
    check_geometry(student, source, selection)
    values, missing = inherit(student.state_dict(), source.state_dict(), selection)
    # The convolutions at the end of RTMDet's neck take the widths of its backbone.
    assert bool(missing) == (family == 'RTMDet')
    assert {n for n in student.state_dict() if n.startswith('bbox_head.')} <= set(values)


def test_all_of_an_equal_detector_is_lossless(build, retinanet, faster_rcnn, load):
    for config in (retinanet(), faster_rcnn()):
        student, source = both(build, load, config, config)
        selection = select(student, 'inherit', ['all'])
        values, _ = inherit(student.state_dict(), source.state_dict(), selection)
        assert values.keys() == student.state_dict().keys()
        assert not largest_difference(student, source).lossless
        student.load_state_dict(values)
        found = largest_difference(student, source)
        assert found.lossless and found.largest == 0 and found.scale > 0


def test_class_layers_are_found_and_left_out(build, retinanet, faster_rcnn, load):
    """Also where both models have equally many classes, which are others."""
    for config, layers in (
        (retinanet(), {'bbox_head.retina_cls'}),
        (faster_rcnn(), {'roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_reg'}),
    ):
        source = load(config)
        names = class_layers(source.read_config())
        assert names == {f'{layer}.{kind}' for layer in layers for kind in ('weight', 'bias')}
        student = build(config)
        selection = select(student, 'inherit', None)
        values, _ = inherit(student.state_dict(), source.model.state_dict(), selection, names)
        assert not names & values.keys() and len(values) > 3


def test_class_counts():
    config = dict(head=[dict(num_classes=3), dict(inner=dict(num_classes=4))], num_classes=None)
    assert class_counts(config) == {3, 4} and class_counts(dict(a=1)) == set()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            {'bbox_head.anchor_generator.ratios': [0.5, 2.0]},
            r'bbox_head.prior_generator differs .*ratios: .*2.0.* in the student, .*1.0.* in the',
        ),
        (
            {'bbox_head.bbox_coder.target_stds': [1.0] * 4},
            r'bbox_head.bbox_coder differs .*stds: \[1.0, 1.0, 1.0, 1.0\] in the student',
        ),
    ],
)
def test_other_anchors_and_box_coders_are_refused(build, retinanet, load, change, message):
    student, source = both(build, load, retinanet(change), retinanet())
    with pytest.raises(W2SError, match=message):
        check_geometry(student, source, select(student, 'inherit', None))
    check_geometry(student, source, select(student, 'inherit', ['neck']))


def test_a_named_part_of_which_nothing_fits_is_refused(build, retinanet, load):
    student, source = both(build, load, retinanet(), retinanet(BACKBONE))
    selection = select(student, 'inherit', ['neck.lateral_convs', 'bbox_head'])
    expected = r'Nothing of neck.lateral_convs .*: \(16, 16, 1, 1\) in the student, \(16, 8, 1, 1\)'
    with pytest.raises(W2SError, match=expected):
        inherit(student.state_dict(), source.state_dict(), selection)
    whole_neck = select(student, 'inherit', ['neck'])
    _, missing = inherit(student.state_dict(), source.state_dict(), whole_neck)
    assert len(missing) == 2 and 'lateral_convs' in missing[0]
