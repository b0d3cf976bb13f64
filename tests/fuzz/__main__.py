"""Run all cases and write the table of outcomes."""

from __future__ import annotations

import argparse
import collections
import json
import time
from pathlib import Path

from .cases import REFUSED, SUCCESS
from .runner import run_all


def main() -> None:
    """Run them."""
    parser = argparse.ArgumentParser(prog='python -m tests.fuzz', description=__doc__)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--sample', type=int, default=0, help='run about this many')
    parser.add_argument('--only', default='', help='run the kinds that begin with this')
    parser.add_argument('--out', type=Path, help='write the counts to this JSON file')
    args = parser.parse_args()
    began = time.monotonic()
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    examples: dict[tuple[str, str], str] = {}
    for case, found in run_all(args.seed, args.only, args.sample):
        counts[case.kind][found] += 1
        if found not in (SUCCESS, REFUSED):
            examples.setdefault((case.kind, found), case.name)
    print('| kind | cases | success | clear error | defects |\n|---|---|---|---|---|')
    total = sum(counts.values(), collections.Counter())
    for kind, found in [*counts.items(), ('all', total)]:
        row = (found.total(), found[SUCCESS], found[REFUSED])
        defects = found.total() - found[SUCCESS] - found[REFUSED]
        print('|', ' | '.join([kind, *(f'{number:,}' for number in (*row, defects))]), '|')
    for (kind, what), name in examples.items():
        print(f'{counts[kind][what]:6}  {kind}: {what}, such as {name}')
    print(f'{time.monotonic() - began:.0f} s')
    if args.out:
        args.out.write_text(json.dumps(counts, indent=1) + '\n')


if __name__ == '__main__':
    main()
