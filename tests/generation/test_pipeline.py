import json

import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from mmengine.registry import MODELS

from w2s_mm.generation import DiffusersDDPM, export_pipeline, load_pipeline
from w2s_mm.generation.pipeline import pipeline_weights
from w2s_mm.utils.errors import W2SError


def seeded():
    return torch.Generator().manual_seed(3)


@pytest.fixture
def trained(ddpm, build):
    return build(ddpm()).eval()


@pytest.fixture
def folder(trained, tmp_path):
    export_pipeline(trained, tmp_path / 'pipeline')
    return tmp_path / 'pipeline'


@pytest.mark.parametrize('method', ['ddim', 'ancestral'])
@pytest.mark.parametrize(
    'changes',
    [
        {},
        {'noise_schedule': 'linear'},
        {'unet': {'learned_variance': False}},
        {'rescale_timesteps': False},
        {'steps': 300, 'sampling': dict(steps=4, use_clipped_model_output=False)},
    ],
    ids=str,
)
def test_a_folder_gives_the_samples_of_the_model_it_was_written_from(
    method, changes, ddpm, build, tmp_path
):
    model = build(ddpm(**changes)).eval()
    export_pipeline(model, tmp_path / 'pipeline')
    again = load_pipeline(tmp_path / 'pipeline', sampling=model.sampling)
    samples = [each.sample(3, seeded(), method, 7) for each in (model, again)]
    assert torch.equal(*samples)
    assert samples[0].std() > 0.1


@pytest.mark.parametrize('rescale', [True, False])
def test_diffusers_own_pipeline_gives_the_ancestral_samples(rescale, ddpm, build, tmp_path):
    trained = build(ddpm(rescale_timesteps=rescale)).eval()
    folder = tmp_path / 'pipeline'
    export_pipeline(trained, folder)
    pipeline = DDPMPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(2, seeded(), num_inference_steps=7, output_type='np').images
    ours = (trained.sample(2, seeded(), 'ancestral', 7) / 2 + 0.5).permute(0, 2, 3, 1)
    torch.testing.assert_close(torch.from_numpy(theirs), ours, rtol=0, atol=1e-6)


def test_rescaled_steps_are_a_table_in_the_folder(trained, folder):
    """As diffusers' sinusoids have no scale in their config; the weights are otherwise the same."""
    network = UNet2DModel.from_pretrained(folder / 'unet')
    assert network.config.time_embedding_type == 'learned'
    t = torch.arange(50)
    assert torch.equal(network.time_proj(t), trained.unet.time_proj(t))
    weights = network.state_dict()
    del weights['time_proj.weight']
    ours = trained.unet.state_dict()
    assert weights.keys() == ours.keys()
    assert all(torch.equal(weights[name], ours[name]) for name in ours)


def test_steps_that_are_not_rescaled_are_sinusoids_in_the_folder(ddpm, build, tmp_path):
    export_pipeline(build(ddpm(rescale_timesteps=False)), tmp_path / 'pipeline')
    written = json.loads((tmp_path / 'pipeline/unet/config.json').read_text())
    assert written['time_embedding_type'] == 'positional'


def test_a_folder_may_be_the_teacher(folder, trained, make_student, images):
    student = make_student(
        dict(
            config=dict(type='DiffusersDDPM', folder=str(folder), sampling=dict(steps=4)),
            checkpoint=pipeline_weights(folder),
        )
    )
    student.prepare_teacher()
    x_t, t = torch.randn(2, 1, 8, 8), torch.tensor([1, 40])
    found = student.teacher.model(x_t, mode='tensor', timesteps=t)
    torch.testing.assert_close(found, trained(x_t, timesteps=t), rtol=1e-4, atol=1e-5)
    student.set_distillation(0.2, 1.0)
    assert student.loss(images, None)['loss_distill_noise'] > 0


def test_a_plain_folder_with_its_files_at_the_top_is_read_too(trained, folder, tmp_path):
    flat = tmp_path / 'flat'
    trained.unet.save_pretrained(flat)
    (flat / 'scheduler_config.json').write_text(
        (folder / 'scheduler/scheduler_config.json').read_text()
    )
    again = load_pipeline(flat)
    assert torch.equal(again.sample(1, seeded(), steps=3), trained.sample(1, seeded(), steps=3))


def test_what_is_there_already_is_not_written_over(trained, folder):
    before = {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}
    with pytest.raises(W2SError, match='already exists'):
        export_pipeline(trained, folder)
    assert {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()} == before


def write(tmp_path, scheduler, network=None):
    (tmp_path / 'unet').mkdir()
    written = json.loads(UNet2DModel(32, 1, 1, block_out_channels=(32,) * 4).to_json_string())
    (tmp_path / 'unet/config.json').write_text(json.dumps({**written, **(network or {})}))
    DDPMScheduler(**scheduler).save_pretrained(tmp_path / 'scheduler')
    return str(tmp_path)


def test_the_schedule_of_the_first_ddpm_is_ours(tmp_path):
    """As in the DDPM checkpoints that people have: 1,000 steps, linear from 1e-4 to 0.02."""
    model = MODELS.build(dict(type='DiffusersDDPM', folder=write(tmp_path, {})))
    assert (model.diffusion.schedule, model.diffusion.steps) == ('linear', 1000)
    assert not model.learned_variance


@pytest.mark.parametrize(
    ('scheduler', 'network', 'message'),
    [
        ({'prediction_type': 'v_prediction'}, None, "predicts 'v_prediction', the student epsilon"),
        ({'beta_end': 0.03}, None, r"'linear' with beta from 0.0001 to 0.03 in 1000 steps; exp"),
        ({'beta_schedule': 'scaled_linear'}, None, "is 'scaled_linear'.*'squaredcos_cap_v2'"),
        ({}, {'_class_name': 'UNet2DConditionModel'}, 'a UNet2DConditionModel; expected a UNet2D'),
        ({}, {'sample_size': None}, 'sample_size'),
    ],
)
def test_a_model_that_answers_something_else_is_refused(scheduler, network, message, tmp_path):
    with pytest.raises(W2SError, match=message):
        DiffusersDDPM(write(tmp_path, scheduler, network))


def test_a_folder_that_is_none_and_one_that_is_damaged_are_named(folder, tmp_path):
    with pytest.raises(W2SError, match=r'not a pipeline folder .* no unet/config.json'):
        DiffusersDDPM(str(tmp_path / 'nothing'))
    (folder / 'unet/diffusion_pytorch_model.safetensors').unlink()
    with pytest.raises(W2SError, match=r'no unet/diffusion_pytorch_model.safetensors'):
        load_pipeline(folder)
    (folder / 'unet/config.json').write_text('{')
    with pytest.raises(W2SError, match=r'config.json cannot be read'):
        load_pipeline(folder)
