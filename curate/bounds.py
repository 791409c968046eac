"""The gates that a recipe may set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from curate.source import Number, Table, Whole


class Disparity(Table):
    """How many times as often a rule may hit a group as all rows of their length, see `curate/parity.py`.

    `rule` is the rule's id, `by` a column of the row or a signal of texts (`bias.groups`, `task`), `group` its value.
    """

    rule: str = Field(min_length=1)
    by: str = Field(min_length=1)
    group: str = Field(min_length=1)
    max: Number = Field(default=1.25, ge=1)  # the usual bound of filter parity, see `parity.RATIO`


class Gates(Table):
    """What a finished run must satisfy; broken, the command ends with status 3."""

    max_dropped_share: Number | None = Field(default=None, ge=0, le=1)
    max_source_dropped_share: Number | None = Field(default=None, ge=0, le=1)
    min_kept: Whole | None = Field(default=None, ge=0)
    max_disparity_ratio: tuple[Disparity, ...] | None = Field(default=None, min_length=1)

    @field_validator("max_disparity_ratio", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, Mapping) else value


class Licenses(Table):
    """Which licences the rows of the mix may have, by name or by term; broken, the command ends with status 3.

    Everything may be in the mix by default: what licences allow is the user's to know.
    """

    allow: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
