"""Students: MMDetection's detectors with a teacher, two lines a family."""

from mmdet.models import RetinaNet
from mmengine.registry import MODELS

from w2s_mm.core.model import WeakToStrong


@MODELS.register_module()
class W2SRetinaNet(WeakToStrong, RetinaNet):
    """RetinaNet student (arXiv 1708.02002) of a frozen one-stage teacher."""
