"""A temperature that is learned against the student (CTKD) on the noisy digits.

Row:     none in the paper: its loss at a learned temperature, arXiv 2211.16231
Command: w2s train w2s_mm::signals/digits_curriculum_temperature.py --seed 0
Needs:   the teacher: w2s train w2s_mm::digits/classifier_teacher.py --seed 0
Takes:   about a minute on one CPU core (1,500 iterations of 32 images)
Gives:   work_dirs/digits_curriculum_temperature/{time_to_target,weak_to_strong}.json for
         `w2s report`; compare with configs/digits/classifier_student.py
"""

_base_ = '../digits/classifier_student.py'

# The range of temperatures is the source's. Curriculum and strength are our guess: this training is
# much shorter.
model = dict(
    distill_head=dict(
        loss=dict(
            _delete_=True,
            type='CurriculumTemperatureLoss',
            loss=dict(type='KLDistillLoss'),
            low=1.0,
            high=21.0,
            curriculum=300,
            strength=10.0,
        )
    )
)
