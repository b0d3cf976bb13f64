"""RetinaNet on the digit scenes, a teacher trained on the labels of other classes.

Row:     none in the paper; a teacher that a student should not follow
Command: w2s train w2s_mm::mismatch/digits_retinanet_permuted_teacher.py --seed 0
Needs:   the digit scenes: w2s digit-scenes
Takes:   about 3 minutes on one CPU core (1,500 iterations of 16 images)
Gives:   work_dirs/digits_retinanet_permuted_teacher/iter_1500.pth,
         a teacher that takes each class for the next; give it to digits/retinanet_student.py
         with --teachers of w2s compare
"""

_base_ = './digits_retinanet_shuffled_teacher.py'

train_dataloader = _base_.train_dataloader
train_dataloader.dataset.pipeline[3].how = 'permuted'
