"""Pipeline folders of diffusers: export of a trained model, and models loaded from a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from mmengine.registry import MODELS

from w2s_mm.utils import checks
from w2s_mm.utils.checkpoint import load_checkpoint, load_weights
from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import is_file
from w2s_mm.utils.state_dicts import drop_prefix

from .ddpm import DDPM
from .diffusion import GaussianDiffusion, NoiseSchedule
from .sampling import DIFFUSERS_SCHEDULES, ancestral_scheduler

WEIGHTS = ('diffusion_pytorch_model.safetensors', 'diffusion_pytorch_model.bin')


def export_pipeline(model: DDPM, folder: str | Path) -> None:
    """Save a model as a folder for ``diffusers.DDPMPipeline.from_pretrained``.

    The pipeline gives exactly the samples of the method ``'ancestral'``. diffusers gives a network
    the step itself, and its config has no scale for it: where a model rescales its steps, the
    network in the folder has their embeddings as a table (``time_embedding_type`` ``'learned'``,
    ``time_proj.weight``).

    Args:
        model: A trained model, or student; its teacher is ignored.
        folder: A folder that does not exist or is empty.

    Raises:
        W2SError: The folder is not empty.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise W2SError(f'{folder} already exists. Delete it, or give another folder.')
    scheduler = ancestral_scheduler(model.diffusion, model.learned_variance)
    unet = model.unet
    if getattr(unet.time_proj, 'scale', 1) != 1:
        unet = _with_table(unet, model.diffusion.steps)
    DDPMPipeline(unet=unet, scheduler=scheduler).save_pretrained(folder)


def _with_table(unet: Any, steps: int) -> UNet2DModel:
    """The same network, with a table of its embeddings of the steps 0 to ``steps`` - 1."""
    config = dict(unet.config)
    config.pop('_use_default_values', None)  # diffusers would replace these by its defaults again
    config |= {'time_embedding_type': 'learned', 'num_train_timesteps': steps}
    again: Any = UNet2DModel.from_config(config)
    table = unet.time_proj(torch.arange(steps, device=unet.device))
    again.load_state_dict({**unet.state_dict(), 'time_proj.weight': table})
    return again


def load_pipeline(folder: str | Path, **kwargs: Any) -> DiffusersDDPM:
    """Load the model in a pipeline folder, with its weights, for sampling.

    Args:
        folder: As in :class:`DiffusersDDPM`.
        **kwargs: Arguments of :class:`DiffusersDDPM`.
    """
    model = DiffusersDDPM(str(folder), **kwargs)
    weights = pipeline_weights(folder)
    load_weights(model, load_checkpoint(weights)['state_dict'], weights, config=str(folder))
    return model.eval()


def pipeline_weights(folder: str | Path) -> str:
    """Path of the weights in a pipeline folder.

    Raises:
        W2SError: There are none.
    """
    return str(_find(folder, 'unet', *WEIGHTS))


@MODELS.register_module()
class DiffusersDDPM(DDPM):
    """The model in a pipeline folder of diffusers, for use as a teacher.

    Its state dict has diffusers' keys, so the folder's weights load without conversion::

        teacher=dict(
            config=dict(type='DiffusersDDPM', folder='FOLDER'),
            checkpoint='FOLDER/unet/diffusion_pytorch_model.safetensors')

    Args:
        folder: Has ``unet/config.json`` and ``scheduler/scheduler_config.json``, or both files
            at its top level, as in older folders.
        sampling: As in :class:`DDPM`.
        data_preprocessor: As in :class:`DDPM`; by default the images are on [-1, 1], as in
            diffusers.

    Raises:
        W2SError: Files are missing or damaged, or the model is not a ``UNet2DModel`` that predicts
            the noise under a linear or cosine schedule.
    """

    def __init__(
        self,
        folder: str,
        sampling: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        checks.text('folder', folder)
        network = _read(_find(folder, 'unet', 'config.json'))
        kind = network.get('_class_name')
        if kind != 'UNet2DModel':
            raise W2SError(f'The network in {folder} is a {kind}; expected a UNet2DModel.')
        schedule, steps = _noise_schedule(folder)
        super().__init__(
            unet=UNet2DModel.from_config(network),
            noise_schedule=schedule,
            steps=steps,
            rescale_timesteps=False,  # diffusers gives the network the step itself
            sampling=sampling,
            data_preprocessor=data_preprocessor
            or {'type': 'mmengine.ImgDataPreprocessor', 'mean': [127.5], 'std': [127.5]},
        )
        drop_prefix(self, 'unet')


def _find(folder: str | Path, part: str, *names: str) -> Path:
    """The first of these files below ``folder/part`` or ``folder``."""
    places = [Path(folder) / below / name for below in (part, '') for name in names]
    for path in places:
        if is_file(path):
            return path
    raise W2SError(
        f'{folder} is not a pipeline folder of diffusers: it has no {part}/{names[0]} (looked for '
        f'{places[0].absolute()}). Expected the output of DDPMPipeline.save_pretrained or of '
        f'`w2s export-ddpm`.'
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise W2SError(f'{path} cannot be read ({error}). Copy or download it again.') from error
    return content if isinstance(content, dict) else {}


def _noise_schedule(folder: str) -> tuple[NoiseSchedule, int]:
    """Name and number of steps of the noise schedule, if it is a supported one."""
    config = _read(_find(folder, 'scheduler', 'scheduler_config.json'))
    prediction = config.get('prediction_type', 'epsilon')
    if prediction != 'epsilon':
        raise W2SError(
            f'The model in {folder} predicts {prediction!r}, the student epsilon (the noise). '
            f'Choose a teacher whose prediction_type is epsilon.'
        )
    scheduler = DDPMScheduler.from_config(config)
    steps = scheduler.config.num_train_timesteps
    schedule: NoiseSchedule
    for schedule in ('linear', 'cosine'):
        if scheduler.config.beta_schedule != DIFFUSERS_SCHEDULES[schedule]:
            continue
        betas = GaussianDiffusion(schedule, steps).betas.float()
        if torch.allclose(betas, scheduler.betas, rtol=1e-4, atol=1e-7):
            return schedule, steps
    raise W2SError(
        f'The noise schedule in {folder} is {scheduler.config.beta_schedule!r} with beta from '
        f'{scheduler.config.beta_start:g} to {scheduler.config.beta_end:g} in {steps} steps; '
        f"expected 'linear' with {0.1 / steps:g} to {20 / steps:g}, or 'squaredcos_cap_v2'."
    )
