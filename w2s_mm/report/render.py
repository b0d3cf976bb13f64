"""A report as files: one HTML file, Markdown with its pictures, JSON."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from w2s_mm.utils.errors import W2SError
from w2s_mm.utils.files import write_json

from .archive import MAIN, Archive
from .as_json import as_json
from .blocks import Block, Figure, Heading, Page, Paragraph, Table
from .page import build_page
from .plot_band import draw_band
from .plot_curves import draw
from .plot_gradients import draw_gradients
from .plot_speedups import draw_speedups
from .study import Study

_PLACE = re.compile(
    r'(?P<begin><!-- w2s report: (?P<group>\S+) -->\n).*?(?P<end><!-- end of w2s report -->)',
    re.DOTALL,
)

_HEADING = re.compile('^#+(?= )', re.MULTILINE)

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: #222; line-height: 1.5;
  font: 16px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2.2rem 1.2rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem; padding-top: .9rem; border-top: 1px solid #ddd; }
p { margin: .6rem 0; max-width: 46rem; overflow-wrap: break-word; }
p.lead { font-size: 1.08rem; padding: .7rem 1rem; background: #f4f6f8;
  border-left: 4px solid #d55e00; max-width: none; }
figure { margin: 1.6rem 0; }
figure img { width: 100%; height: auto; display: block; }
figcaption, p.caption { color: #555; font-size: .88rem; max-width: 46rem; }
figcaption { margin-top: .4rem; }
p.caption { margin: 1.6rem 0 .3rem; }
.table { overflow-x: auto; margin: 0 0 1.5rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .75rem .32rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid #e5e5e5; }
th { border-bottom: 2px solid #bbb; font-weight: 600; }
td { white-space: nowrap; }
table.facts td:last-child { white-space: normal; overflow-wrap: anywhere; }
tr.sum td { font-weight: 600; }
@media (max-width: 40rem) {
  body { font-size: 15px; } main { padding: 1.2rem .9rem 3rem; } h1 { font-size: 1.35rem; }
  table { font-size: .82rem; } th, td { padding-right: .6rem; }
}
"""


def write_report(study: Study, folder: str | Path) -> Path:
    """Write ``report.html``, ``report.md`` with its pictures, and ``report.json``.

    Args:
        study: What it is about.
        folder: Created if absent; the files of an earlier report are replaced.

    Returns:
        Path of ``report.html``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    page = build_page(study)
    _draw_figures(page, study, f'{folder}/')
    write_json(folder / 'report.json', as_json(study))
    (folder / 'report.md').write_text(as_markdown(page))
    path = folder / 'report.html'
    path.write_text(as_html(page, study))
    return path


def update_page(path: str | Path, archive: Archive) -> None:
    """Write the reports of a study's file into a Markdown page, and their pictures beside it.

    Each report replaces what is between two comments of the page::

        <!-- w2s report: GROUP -->
        <!-- end of w2s report -->

    Args:
        path: The page.
        archive: The study's file.

    Raises:
        W2SError: The page has no such comments, or the file no such group.
    """
    path = Path(path)
    text = path.read_text()
    groups = page_groups(text)
    if not groups:
        raise W2SError(
            f'{path} has no place for a report. Add two lines: <!-- w2s report: '
            f'{archive.groups[0]} --> and <!-- end of w2s report -->'
        )
    path.write_text(filled_page(text, archive, path.stem))
    for group in groups:
        study = archive.study(group)
        _draw_figures(build_page(study), study, str(path.with_name(_prefix(path.stem, group))))


def page_groups(text: str) -> list[str]:
    """The groups whose reports are in a Markdown page."""
    return [match['group'] for match in _PLACE.finditer(text)]


def filled_page(text: str, archive: Archive, stem: str) -> str:
    """The text of a Markdown page with the reports of a study's file in their places.

    The title of a report is one level below the heading above it.

    Args:
        text: Of the page.
        archive: The study's file.
        stem: What the names of the pictures begin with.
    """
    explained = False

    def report(match: re.Match[str]) -> str:
        nonlocal explained
        page = build_page(archive.study(match['group']), explained=not explained)
        explained = True  # once a page
        above = _HEADING.findall(_PLACE.sub('', text[: match.start()]))  # not in other reports
        level = len(above[-1]) + 1 if above else 1
        inside = as_markdown(page, level, _prefix(stem, match['group']))
        return f'{match["begin"]}\n{inside}\n{match["end"]}'

    return _PLACE.sub(report, text)


def _prefix(stem: str, group: str) -> str:
    return f'{stem}_' if group == MAIN else f'{stem}_{group}_'


def _draw_figures(page: Page, study: Study, prefix: str) -> None:
    """Draw the figures of a page, into files whose names begin with ``prefix``."""
    for block in page.blocks:
        if isinstance(block, Figure):
            _draw(study, block, Path(f'{prefix}{block.name}.png'), 'png')


def _draw(
    study: Study,
    figure: Figure,
    out: Path | BinaryIO,
    suffix: str,
    narrow: bool = False,
    titled: bool = True,
) -> None:
    if figure.run is not None:
        draw_gradients(figure.run, out, suffix)
    elif figure.kind == 'speedups':
        draw_speedups(study, figure.tau, out, suffix, narrow)
    elif figure.kind == 'band':
        draw_band(study, figure.tau, out, suffix, narrow)
    else:
        draw(study, figure.tau, out, narrow=narrow, titled=titled, suffix=suffix)


def as_markdown(page: Page, level: int = 1, prefix: str = '') -> str:
    """The page as Markdown.

    Args:
        page: What to write.
        level: Of its title among headings.
        prefix: What the names of its pictures begin with.
    """
    parts = [f'{"#" * level} {page.title}']
    for block in page.blocks:
        if isinstance(block, Heading):
            parts.append(f'{"#" * level}# {block.text}')
        elif isinstance(block, Paragraph):
            parts.append(f'**{block.text}**' if block.lead else block.text.replace('>', '\\>'))
        elif isinstance(block, Figure):
            parts.append(f'![{block.caption}]({prefix}{block.name}.png)\n\n{block.caption}')
        else:
            parts.append(_markdown_table(block))
    return '\n\n'.join(parts) + '\n'


def _markdown_table(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return f'| {" | ".join(cell.replace("|", "/") for cell in cells)} |'

    rule = line(['---'] * len(table.header))
    rows = '\n'.join([line(table.header), rule, *map(line, table.rows)])
    return f'{table.caption}:\n\n{rows}'


def as_html(page: Page, study: Study) -> str:
    """The page as one file: styles and pictures inside, no script, nothing to fetch."""
    body = '\n'.join(_html(block, study) for block in page.blocks)
    heading = html.escape(page.title)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{heading}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n'
        f'<h1>{heading}</h1>\n{body}\n</main>\n</body>\n</html>\n'
    )


def _html(block: Block, study: Study) -> str:
    if isinstance(block, Heading):
        return f'<h2>{html.escape(block.text)}</h2>'
    if isinstance(block, Paragraph):
        return f'<p{" class=lead" if block.lead else ""}>{html.escape(block.text)}</p>'
    if isinstance(block, Table):
        return _html_table(block)
    text = html.escape(block.caption, quote=True)
    phone = ''
    if block.run is None:  # drawn again for a phone, where its letters would be too small
        source = _data(study, block, narrow=True)
        phone = f'<source media="(max-width: 40rem)" srcset="{source}">'
    return (
        f'<figure><picture>{phone}<img alt="{text}" src="{_data(study, block)}"></picture>'
        f'<figcaption>{text}</figcaption></figure>'
    )


def _data(study: Study, figure: Figure, narrow: bool = False) -> str:
    kept = io.BytesIO()
    _draw(study, figure, kept, 'svg', narrow, titled=False)  # the page has the title
    return 'data:image/svg+xml;base64,' + base64.b64encode(kept.getvalue()).decode()


def _html_table(table: Table) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        summed = ' class="sum"' if cells[0] in ('mean curve', 'median') and tag == 'td' else ''
        inside = ''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)
        return f'<tr{summed}>{inside}</tr>'

    header = row(table.header, 'th') if any(table.header) else ''
    kind = '' if header else ' class="facts"'
    rows = '\n'.join(row(cells, 'td') for cells in table.rows)
    return (
        f'<p class="caption">{html.escape(table.caption)}</p><div class="table"><table{kind}>'
        f'<thead>{header}</thead><tbody>\n{rows}\n</tbody></table></div>'
    )
