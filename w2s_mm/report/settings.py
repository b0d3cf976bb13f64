"""In which settings the two sides of a study differ."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from w2s_mm.utils.settings import DISTILLATION, START, differences

from .runs import Run
from .study import Study

_LONGEST = 160  # characters of a value on a page


@dataclass
class Difference:
    """One setting.

    Attributes:
        setting: Dotted path in the resolved config.
        baseline: Its value there; None if the baseline does not have it.
        variants: Its values by variant, only those that differ from the baseline; several where the
            runs of a variant differ, such as the teachers of several seeds.
    """

    setting: str
    baseline: Any
    variants: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def is_distillation(self) -> bool:
        """Whether it belongs to distillation or start; the type of the model does."""
        return self.setting == 'model.type' or self.setting.startswith((*DISTILLATION, START))


def config_differences(study: Study) -> tuple[list[Difference], list[str]]:
    """Compare the resolved configs of all pairs.

    Returns:
        Every difference, those of the distillation first, and the names of the runs that have no
        resolved config or no partner.
    """
    found: dict[str, Difference] = {}
    unknown = []
    partners = {run.seed: run for run in study.baseline.runs} if study.baseline else {}
    for variant in study.variants:
        for run in variant.runs:
            base = _settings(partners.get(run.seed))
            ours = _settings(run)
            if base is None or ours is None:
                unknown.append(run.name)
                continue
            for path, old, new in differences(base, ours):
                values = found.setdefault(path, Difference(path, old)).variants
                if new not in values.setdefault(variant.name, []):
                    values[variant.name].append(new)
    return sorted(found.values(), key=lambda each: not each.is_distillation), unknown


def _settings(run: Run | None) -> dict[str, Any] | None:
    return (run.record or {}).get('settings') if run else None


def learning_rate(run: Run) -> float | None:
    """The learning rate in the resolved config of a run, None where it is not known."""
    wrapper = (_settings(run) or {}).get('optim_wrapper') or {}
    return (wrapper.get('optimizer') or {}).get('lr')


def setting_text(value: Any) -> str:
    """A value of a config for a reader; ``-`` where there is none."""
    if value is None:
        return '-'
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST else f'{text[: _LONGEST - 4]} ...'
