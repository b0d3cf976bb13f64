"""Students: MMDetection's detectors with a teacher, two lines per family."""

from mmdet.models import (
    ATSS,
    DDOD,
    FCOS,
    FOVEA,
    FSAF,
    GFL,
    NASFCOS,
    PAA,
    TOOD,
    YOLACT,
    YOLOF,
    YOLOX,
    CascadeRCNN,
    FasterRCNN,
    MaskRCNN,
    RetinaNet,
    RTMDet,
    SingleStageDetector,
    VFNet,
)
from mmdet.models.dense_heads import SSDHead
from mmengine.registry import MODELS

from w2s_mm.core.student import WeakToStrong

# MMDetection reads `loss_cls` of a head when it predicts, and SSDHead has none: no SSD could be
# evaluated (issue 11780 of MMDetection).
if not hasattr(SSDHead, 'loss_cls'):
    SSDHead.loss_cls = None

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


@MODELS.register_module()
class W2SFSAF(WeakToStrong, FSAF):
    """FSAF student (arXiv 1903.00621) of a frozen one-stage teacher."""


@MODELS.register_module()
class W2SFOVEA(WeakToStrong, FOVEA):
    """FoveaBox student (arXiv 1904.03797) of a frozen one-stage teacher."""


@MODELS.register_module()
class W2SPAA(WeakToStrong, PAA):
    """PAA student (arXiv 2007.08103) of a frozen one-stage teacher; no IoU term."""


@MODELS.register_module()
class W2SDDOD(WeakToStrong, DDOD):
    """DDOD student (arXiv 2107.02963) of a frozen one-stage teacher; no IoU term."""


@MODELS.register_module()
class W2SYOLOF(WeakToStrong, YOLOF):
    """YOLOF student (arXiv 2103.09460) of a frozen one-stage teacher."""


@MODELS.register_module()
class W2SNASFCOS(WeakToStrong, NASFCOS):
    """NAS-FCOS student (arXiv 1906.04423) of a frozen one-stage teacher; no centerness term."""


@MODELS.register_module()
class W2SVFNet(WeakToStrong, VFNet):
    """VFNet student (arXiv 2008.13367): the refined boxes are distilled, the initial are not."""


@MODELS.register_module()
class W2STOOD(WeakToStrong, TOOD):
    """TOOD student (arXiv 2108.07755) of a frozen one-stage teacher."""


@MODELS.register_module()
class W2SYOLOX(WeakToStrong, YOLOX):
    """YOLOX student (arXiv 2107.08430): class scores times objectness are distilled."""


@MODELS.register_module()
class W2SSingleStageDetector(WeakToStrong, SingleStageDetector):
    """SSD student (arXiv 1512.02325), and any one-stage detector without a class of its own."""


@MODELS.register_module()
class W2SYOLACT(WeakToStrong, YOLACT):
    """YOLACT student (arXiv 1904.02689): classes and boxes are distilled, masks are not."""


# Two stages: distilled by a RoIDistillHead.


@MODELS.register_module()
class W2SFasterRCNN(WeakToStrong, FasterRCNN):
    """Faster R-CNN student (arXiv 1506.01497) of a frozen two-stage teacher."""


@MODELS.register_module()
class W2SMaskRCNN(WeakToStrong, MaskRCNN):
    """Mask R-CNN student (arXiv 1703.06870): classes and boxes are distilled, masks on request."""


@MODELS.register_module()
class W2SCascadeRCNN(WeakToStrong, CascadeRCNN):
    """Cascade R-CNN student (arXiv 1712.00726): every stage is distilled, masks on request."""
