"""docs/results: every report in a page is the one that its study's file gives."""

import re
from pathlib import Path

import pytest

from w2s_mm.report import read_archive
from w2s_mm.report.render import filled_page, page_groups

RESULTS = Path(__file__).parents[1] / 'docs' / 'results'
PAGES = sorted(RESULTS.glob('*.md'))


def archive_of(page):
    return read_archive(page.with_name(f'{page.stem}.json.gz'))


@pytest.mark.parametrize(
    'page',
    [
        pytest.param(p, id=p.stem, marks=[pytest.mark.slow] * (p.stem == 'digits_ablations'))
        for p in PAGES
    ],
)
def test_the_reports_of_a_page_are_those_of_its_file(page):
    text = page.read_text()
    assert filled_page(text, archive_of(page), page.stem) == text


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_every_run_is_read_and_every_picture_is_there(page):
    archive = archive_of(page)
    assert all(archive.study(group).runs for group in archive.groups)
    text = page.read_text()
    assert set(page_groups(text)) <= set(archive.groups)
    for picture in re.findall(r'!\[[^]]*\]\(([^)]+)\)', text):
        assert (RESULTS / picture).is_file(), picture


def test_a_study_is_a_page_its_pictures_and_one_file():
    stems = {page.stem for page in PAGES}
    for path in RESULTS.iterdir():
        assert path.suffix in ('.md', '.gz', '.png'), path
        assert any(path.name.startswith(stem) for stem in stems), path
