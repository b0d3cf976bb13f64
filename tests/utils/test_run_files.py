import pytest

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.run_files import last_checkpoint, read_run_file


def test_the_last_checkpoint_is_found_where_the_run_has_been_moved(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_9.pth\n')
    with pytest.raises(W2SError, match=r'has no last checkpoint \(iter_9\.pth\)'):
        last_checkpoint(tmp_path)
    (tmp_path / 'iter_9.pth').touch()
    assert last_checkpoint(tmp_path) == tmp_path / 'iter_9.pth'


def test_a_run_without_a_checkpoint_is_an_error(tmp_path):
    with pytest.raises(W2SError, match=r'has no last checkpoint\. Expected'):
        last_checkpoint(tmp_path)


@pytest.mark.parametrize(
    'text',
    ['[' * 200_000, '{"format": 1}', '{"format": 1, "metric": 5}', '[]', 'null', ''],
    ids=lambda text: text[:20],
)
def test_content_of_another_structure_is_named(tmp_path, text):
    path = tmp_path / 'time_to_target.json'
    path.write_text(text)
    with pytest.raises(W2SError, match=r'time_to_target\.json'):
        read_run_file(path)
