"""A report as files: HTML that needs nothing beside it, Markdown with its pictures, JSON."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path

from w2s_mm.utils.files import write_json

from .blocks import Block, Figure, Heading, Page, Paragraph, Table
from .evidence import Evidence
from .gradient_plot import draw_gradients
from .page import build_page
from .plots import draw
from .text import as_json

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


def write_report(evidence: Evidence, folder: str | Path) -> Path:
    """Write ``report.html``, ``report.md`` with its pictures, and ``report.json``.

    Args:
        evidence: What it is about.
        folder: Made if absent; what a former report left there is replaced.

    Returns:
        Path of ``report.html``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    page = build_page(evidence)
    for block in page.blocks:
        if isinstance(block, Figure):
            path = folder / f'{block.name}.png'
            if block.run is None:
                draw(evidence, block.tau, path)
            else:
                draw_gradients(block.run, path)
    write_json(folder / 'report.json', as_json(evidence))
    (folder / 'report.md').write_text(as_markdown(page))
    path = folder / 'report.html'
    path.write_text(as_html(page, evidence))
    return path


def as_markdown(page: Page) -> str:
    """The page for a repository; its pictures lie beside it."""
    parts = [f'# {page.title}']
    for block in page.blocks:
        if isinstance(block, Heading):
            parts.append(f'## {block.text}')
        elif isinstance(block, Paragraph):
            parts.append(f'**{block.text}**' if block.lead else block.text.replace('>', '\\>'))
        elif isinstance(block, Figure):
            parts.append(f'![{block.caption}]({block.name}.png)\n\n{block.caption}')
        else:
            parts.append(_markdown_table(block))
    return '\n\n'.join(parts) + '\n'


def _markdown_table(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return f'| {" | ".join(cell.replace("|", "/") for cell in cells)} |'

    rule = line(['---'] * len(table.header))
    rows = '\n'.join([line(table.header), rule, *map(line, table.rows)])
    return f'{table.caption}:\n\n{rows}'


def as_html(page: Page, evidence: Evidence) -> str:
    """The page as one file: styles and pictures inside, no script, nothing to fetch."""
    body = '\n'.join(_html(block, evidence) for block in page.blocks)
    heading = html.escape(page.title)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{heading}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n'
        f'<h1>{heading}</h1>\n{body}\n</main>\n</body>\n</html>\n'
    )


def _html(block: Block, evidence: Evidence) -> str:
    if isinstance(block, Heading):
        return f'<h2>{html.escape(block.text)}</h2>'
    if isinstance(block, Paragraph):
        return f'<p{" class=lead" if block.lead else ""}>{html.escape(block.text)}</p>'
    if isinstance(block, Table):
        return _html_table(block)
    text = html.escape(block.caption, quote=True)
    phone = ''
    if block.run is None:  # drawn anew for a phone, or its letters would be too small to read
        source = _data(evidence, block, narrow=True)
        phone = f'<source media="(max-width: 40rem)" srcset="{source}">'
    return (
        f'<figure><picture>{phone}<img alt="{text}" src="{_data(evidence, block)}"></picture>'
        f'<figcaption>{text}</figcaption></figure>'
    )


def _data(evidence: Evidence, figure: Figure, narrow: bool = False) -> str:
    kept = io.BytesIO()
    if figure.run is None:  # the page says above what the picture's title would
        draw(evidence, figure.tau, kept, narrow=narrow, titled=False, suffix='svg')
    else:
        draw_gradients(figure.run, kept, suffix='svg')
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
