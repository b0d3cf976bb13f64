"""A smaller ResNet on the noisy digits, a teacher trained on the labels of other classes.

Row:     none in the paper; a teacher that a student should not follow
Command: w2s train w2s_mm::mismatch/digits_classifier_permuted_teacher.py --seed 0
Needs:   nothing: the digits come with scikit-learn
Takes:   about half a minute on one CPU core (800 iterations of 64 images)
Gives:   work_dirs/digits_classifier_permuted_teacher/iter_800.pth,
         a teacher that takes each class for the next; give it to digits/classifier_student.py
         with --teachers of w2s compare
"""

_base_ = './digits_classifier_shuffled_teacher.py'

train_dataloader = _base_.train_dataloader
train_dataloader.dataset.pipeline[1].how = 'permuted'
