"""Students: MMDetection's detectors with a teacher, two lines per family."""

from mmdet.models import (
    ATSS,
    FCOS,
    GFL,
    CascadeRCNN,
    FasterRCNN,
    MaskRCNN,
    RetinaNet,
    RTMDet,
)
from mmengine.registry import MODELS

from w2s_mm.core.student import WeakToStrong

# One stage: distilled by a DenseDistillHead.


@MODELS.register_module()
class W2SRetinaNet(WeakToStrong, RetinaNet):
    """RetinaNet student (arXiv 1708.02002) of a frozen one-stage teacher."""


@MODELS.register_module()
class W2SATSS(WeakToStrong, ATSS):
    """ATSS student (arXiv 1912.02424) of a frozen one-stage teacher; no centerness term."""


@MODELS.register_module()
class W2SFCOS(WeakToStrong, FCOS):
    """FCOS student (arXiv 1904.01355) of a frozen one-stage teacher; no centerness term."""


@MODELS.register_module()
class W2SGFL(WeakToStrong, GFL):
    """GFL student (arXiv 2006.04388) of a frozen one-stage teacher."""


@MODELS.register_module()
class W2SRTMDet(WeakToStrong, RTMDet):
    """RTMDet student (arXiv 2212.07784) of a frozen one-stage teacher."""


# Two stages: distilled by a RoIDistillHead.


@MODELS.register_module()
class W2SFasterRCNN(WeakToStrong, FasterRCNN):
    """Faster R-CNN student (arXiv 1506.01497) of a frozen two-stage teacher."""


@MODELS.register_module()
class W2SMaskRCNN(WeakToStrong, MaskRCNN):
    """Mask R-CNN student (arXiv 1703.06870): classes and boxes are distilled, masks are not."""


@MODELS.register_module()
class W2SCascadeRCNN(WeakToStrong, CascadeRCNN):
    """Cascade R-CNN student (arXiv 1712.00726): every stage is distilled, masks are not."""
