"""A DDPM on the 8 px digits, the baseline: the student without a teacher.

Row:     stands for the nc128-rb3 baseline of the paper's Table 2 (FID 60 after 16k steps)
Command: w2s train w2s_mm::digits/ddpm_baseline.py --seed 0
Needs:   the classifier that FID takes its features from:
         w2s train w2s_mm::digits/fid_classifier.py --seed 0
Takes:   about 3 minutes on one CPU core (2,000 iterations of 8 images)
Gives:   work_dirs/ddpm_baseline/time_to_target.json, and sample grids in samples/
"""

_base_ = '../_base_/digit_diffusion.py'

model = dict(
    type='DDPM',
    data_preprocessor=dict(type='ImgDataPreprocessor', mean=[127.5], std=[127.5]),
    unet=dict(
        type='ImprovedDDPMUNet', channels=32, blocks=1, image_size=8, in_channels=1, dropout=0.0
    ),
    noise_schedule='cosine',
    steps=1000,
    # The predicted noise even where the image is clipped, unlike improved DDPM: the reports in
    # docs/results were measured so.
    sampling=dict(method='ddim', steps=10, use_clipped_model_output=False),
)
