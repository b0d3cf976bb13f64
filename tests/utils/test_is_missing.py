from w2s_mm.utils.files import is_missing


def test_a_path_without_a_file_is_missing_and_an_address_is_not(tmp_path):
    there = tmp_path / 'a.pth'
    there.write_text('')
    assert not is_missing(str(there)) and is_missing(str(tmp_path / 'b.pth'))
    assert is_missing(str(tmp_path)) and not is_missing('https://x.example/b.pth')


def test_the_home_directory_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'there.pth').write_text('')
    assert not is_missing('~/there.pth') and is_missing('~/not_there.pth')
