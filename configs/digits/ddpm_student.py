"""DDPM student on the 8 px digits, guided by a teacher half as wide.

Command: python tools/train.py configs/digits/ddpm_student.py --seed 0
Needs:   the classifier that FID takes its features from, and the teacher:
         python tools/train.py configs/digits/fid_classifier.py --seed 0
         python tools/train.py configs/digits/ddpm_teacher.py --seed 0
Takes:   about 4 minutes, beside its partner on two CPU cores (1,000 iterations of 8 images)
Gives:   work_dirs/ddpm_student/{time_to_target,weak_to_strong}.json for tools/first_at.py, and
         sample grids in samples/; docs/results/digits_ddpm.md has three paired seeds
Row:     stands for nc128-rb3 <- nc64-rb2 of the paper's Table 2 (FID 60 in 1/2.67 of the steps).
"""

_base_ = './ddpm_baseline.py'

model = dict(
    type='W2SDDPM',
    teacher=dict(
        config='configs/digits/ddpm_teacher.py',
        checkpoint='work_dirs/ddpm_teacher/iter_350.pth',
    ),
    distill_head=_base_.digit_distill_head,
)
default_hooks = _base_.digit_w2s_hooks
