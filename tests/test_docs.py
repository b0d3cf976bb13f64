"""README.md and docs/: links, anchors, files and commands that the pages name exist."""

import re
from pathlib import Path

import pytest

from w2s_mm.__main__ import COMMANDS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md')])
# The changelog also names what is gone.
PRESENT = [path for path in PAGES if path.name != 'CHANGELOG.md']


def name(path):
    return str(path.relative_to(ROOT))


def without_code(page):
    text = re.sub(r'^```.*?^```', '', page.read_text(encoding='utf-8'), flags=re.M | re.S)
    return text.replace('`', '')


def anchors(page):
    """Anchors of a page's headings, as GitHub makes them."""
    found = []
    for title in re.findall(r'^#+ (.*)$', without_code(page), flags=re.M):
        slug = re.sub(r'[^\w\- ]', '', title.strip().lower()).replace(' ', '-')
        found.append(f'{slug}-{found.count(slug)}' if slug in found else slug)
    return found


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_relative_links_and_anchors(page):
    for link in re.findall(r'\]\(([^)\s]+)\)', without_code(page)):
        if re.match(r'\w+:', link):
            continue
        path, _, anchor = link.partition('#')
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize('page', PRESENT, ids=name)
def test_files_and_commands(page):
    text = page.read_text(encoding='utf-8')
    text = re.sub(r'<!-- w2s report: .*?<!-- end of w2s report -->', '', text, flags=re.S)
    for path in re.findall(r'\b(?:configs|tools|tests|benchmarks)/[\w/]+\.(?:py|sh)\b', text):
        assert (ROOT / path).exists(), path
    for path in re.findall(r'\bw2s_mm::([\w/]+\.py)\b', text):
        assert (ROOT / 'configs' / path).exists(), path
    for command in re.findall(r'(?:^|`)w2s ([a-z][a-z-]+)', text, flags=re.M):
        assert command in COMMANDS, command
