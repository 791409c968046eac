"""A source in a recipe: its files, how its records become rows, and what happens to their texts."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from curate import clean, personal
from curate.errors import suggest

Scalar = str | bool | int | float
# A number written as a text, or true for 1, is a slip of the pen and no number.
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]


class Table(BaseModel):
    """A table of a recipe: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Cleaning(Table):
    """What happens to the texts of a source while it is read; a list in the recipe names the repairs alone.

    Nothing is masked by default: a mask changes what rows say, and flagging comes first.
    """

    repairs: tuple[str, ...] = clean.DEFAULT
    mask: tuple[str, ...] = ()

    @field_validator("repairs", "mask")
    @classmethod
    def _known(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        what, known = ("repair", clean.REPAIRS) if info.field_name == "repairs" else ("kind", personal.KINDS)
        for name in names:
            if name not in known:
                raise ValueError(f"unknown {what} '{name}'; {suggest(name, known)}")
        return names


class Cut(Table):
    """Spans that the step `substring` of an earlier run (under another name) found, cut out of a source's records.

    Nothing stands in for them by default, as a placeholder would recur itself; every record is cut by default, as the
    first one is no better than the others. Places are those of whole contents: without `infer_template` in both runs.
    """

    spans: str = Field(min_length=1)  # its table of matches
    by: str = ""
    keep_first: Flag = False


class Source(Table):
    """One set of files and how its records become rows."""

    name: str = Field(pattern=r"^[^\s/\\][^/\\\x00-\x1f]*$")
    path: str = Field(min_length=1)
    task: str | None = None
    cluster: str | None = Field(default=None, pattern=r"^\w+$")  # of tasks, see `curate/clusters.py`
    format: Literal["auto", "alpaca", "sharegpt", "messages", "prompt_completion"] | None = None
    fields: dict[str, str] = {}
    constants: dict[str, str] = {}  # slots that are the same for every record, such as the languages of a translation
    labels: dict[str, str] = {}
    license: str | None = None
    lang: str | None = None
    split: Literal["train", "heldout"] = "train"
    limit: Whole | None = Field(default=None, ge=1)
    key: str | None = None
    records: str | None = None
    header: Flag | None = None
    clean: Cleaning = Cleaning()
    cut: Cut | None = None
    # Whether the contents of instruction data do without the text that many different records share. True unless it is
    # switched off: ordinary data has none (0 words of gsm8k, Alpaca and the seeds of self-instruct), while of a mix
    # made with templates it keeps records apart that share a template alone.
    infer_template: Flag | None = None

    @property
    def infers_template(self) -> bool:
        """Tell whether template text is looked for."""
        return self.format is not None and self.infer_template is not False

    @model_validator(mode="after")
    def _task_or_format(self) -> Self:
        if (self.task is None) == (self.format is None):
            raise ValueError("name either `task` (raw task data) or `format` (instruction data), not both or neither")
        for name in ("labels", "constants"):
            if self.format is not None and getattr(self, name):
                raise ValueError(f"`{name}` goes with `task`, not with `format`")
        if self.task is not None and self.infer_template is not None:
            raise ValueError("`infer_template` goes with `format`, not with `task`, whose templates are known")
        return self

    @field_validator("clean", mode="before")
    @classmethod
    def _named_repairs(cls, value: Any) -> Any:
        return {"repairs": value} if isinstance(value, list | tuple) else value

    @field_serializer("clean")
    def _as_written(self, value: Cleaning) -> Any:
        return value.model_dump(mode="json") if value.mask else list(value.repairs)
