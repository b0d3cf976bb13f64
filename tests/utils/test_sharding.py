import pytest
from mmengine.config import Config

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.sharding import SHARDED, check_whole


@pytest.mark.parametrize('hook', ['WeakToStrongHook', 'StartHook'])
@pytest.mark.parametrize('key', ['strategy', 'model_wrapper_cfg'])
@pytest.mark.parametrize('name', [*SHARDED, 'mmengine.FSDPStrategy'])
def test_a_split_model_is_refused_with_what_to_do(hook, key, name):
    with pytest.raises(W2SError, match=rf'{key}\.type is {name.split(".")[-1]}.*\(remove {key}'):
        check_whole(Config({key: dict(type=name)}), hook)


@pytest.mark.parametrize(
    'settings',
    [{}, dict(strategy=dict(type='DDPStrategy')), dict(strategy=None), dict(model_wrapper_cfg={})],
)
def test_whole_models_are_not(settings):
    check_whole(Config(settings), 'StartHook')
