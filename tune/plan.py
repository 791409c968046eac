"""An ablation plan, read strictly: arms x seeds x tier, and what is decided before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator

from curate import mistakes
from curate.errors import several, suggest
from tune.statistics import CONFIRMATORY
from tune.tiers import AUTO, TIERS
from tune.tuning import Tuning

Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]

RUN, RAW, RANDOM, LONGEST, ORACLE = "run", "no filter", "random drop", "longest", "oracle drop"
BASE, SHUFFLED = "base", "shuffled answers"
# What an arm that is no replay does to the rows of another: `of` gives the size, `pool` the rows.
Control = Literal[
    "no_filter", "random_drop", "longest", "oracle", "one_template", "again", "base", "shuffled",
]  # fmt: skip
Defect = Literal[
    "label_noise", "empty_answers", "wrong_task_answers", "duplicates", "leaks", "toxic_answers",
]  # fmt: skip
_FORMS = ("without", "only", "drop", "set", "rows", "tasks", "control")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Plant(_Table):
    """Defects planted into the training data of the run before its rules see it.

    Three records in ten is the share at which a filter's worth was seen with three seeds of a small model; leaks name a
    share of the evaluation items instead.
    """

    defect: Defect
    share: Number = Field(default=0.3, gt=0, le=1)


class Arm(_Table):
    """One mix: the run's recipe with one change, or rows of another arm.

    `without` leaves a rule out, `only` leaves all others out, `drop` lets a rule drop that only flags, `set` overrides
    values of the recipe (thresholds, templates per record, steps), `rows` takes so many rows, `tasks` so many tasks.
    """

    name: str = Field(pattern=r"^[\w][\w .,%+-]*$", max_length=60)  # it becomes the name of a folder
    without: str | None = None
    only: str | None = None
    drop: str | None = None
    set: tuple[str, ...] | None = Field(default=None, min_length=1)
    rows: Whole | None = Field(default=None, ge=1)
    tasks: Whole | None = Field(default=None, ge=1)
    control: Control | None = None
    of: str = RUN
    pool: str = RAW

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = [form for form in _FORMS if getattr(self, form) is not None]
        if self.name != RUN and len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(_FORMS)}")
        return self


class Contrast(_Table):
    """Two arms compared; a rise from the second to the first is an improvement."""

    arm: str
    against: str = RUN


class Plan(_Table):
    """What is run and how it is judged, fixed before anything is trained."""

    name: str = Field(pattern=r"^[\w][\w .-]*$", max_length=100)
    why: str = Field(min_length=1)
    run: str | None = None
    tier: str = AUTO
    minutes: Number = Field(default=5.0, gt=0)  # what a person waits for
    seeds: Whole | None = Field(default=None, ge=2)
    seed: Whole = 0
    metric: str | None = None
    # Half of what one seed moves the accuracy of small models (0.017 to 0.026): less than that nobody would notice.
    margin: Number = Field(default=0.01, gt=0)
    evaluation_share: Number = Field(default=0.3, gt=0, lt=1)
    items: Whole = Field(default=500, ge=1)  # evaluation items of a source: 500 tell 10 points apart at one seed
    tuning: Tuning = Tuning()
    plant: Plant | None = None
    arms: tuple[Arm, ...] = ()
    contrasts: tuple[Contrast, ...] = ()

    @property
    def whole(self) -> tuple[Arm, ...]:
        """Return all arms: the controls that no plan may leave out, and the plan's own."""
        always = [Arm(name=RUN), Arm(name=RAW, control="no_filter")]
        always += [Arm(name=RANDOM, control="random_drop"), Arm(name=LONGEST, control="longest")]
        always += [Arm(name=ORACLE, control="oracle")] if self.plant else []
        always += [Arm(name=BASE, control="base"), Arm(name=SHUFFLED, control="shuffled")]
        own = {arm.name: arm for arm in self.arms}
        return (*(own.pop(arm.name, arm) for arm in always), *own.values())

    @property
    def confirmatory(self) -> tuple[Contrast, ...]:
        """Return the contrasts that share the error; all others are told as exploratory."""
        if self.contrasts:
            return self.contrasts
        first = [Contrast(arm=RUN, against=RAW), Contrast(arm=RUN, against=RANDOM)]
        first += [Contrast(arm=ORACLE, against=RAW)] if self.plant else []
        own = [Contrast(arm=arm.name) for arm in self.arms if arm.name not in (RUN, RAW, RANDOM, ORACLE)]
        return (*(own if own and not self.plant else [*first, *own]),)[:CONFIRMATORY]


_MODELS: dict[str, type[BaseModel]] = {"": Plan, "plant": Plant, "tuning": Tuning, "arms": Arm, "contrasts": Contrast}


def load_plan(path: str | Path) -> Plan:
    """Read a plan file.

    Raises:
        UserError: all mistakes at once.
    """
    path = Path(path)
    missing, folder = "see rules/ablations/ for examples", "for a run add --rule R"
    data = mistakes.read_toml(path, kind="plan", missing=missing, folder=folder)
    return parse(data, file=str(path))


def parse(data: Mapping[str, Any], *, file: str) -> Plan:
    """Validate the data of a plan.

    Raises:
        UserError: with every mistake, each with the place and the near match.
    """
    if unfit := [f"{mistakes.place(at, data)}: {text}" for at, text in mistakes.unfit(data)]:
        raise several(file, unfit)
    try:
        plan = Plan.model_validate(data)
    except ValidationError as error:
        raise several(file, mistakes.of_form(error, data, models=_MODELS)) from None
    if found := list(_problems(plan)):
        raise several(file, found)
    return plan


def _problems(plan: Plan) -> Iterator[str]:
    """Yield what is wrong though its form is right."""
    names = [arm.name for arm in plan.whole]
    for twice in sorted({arm.name for arm in plan.arms if [one.name for one in plan.arms].count(arm.name) > 1}):
        yield f"two arms are called '{twice}'; give each its own name"
    if plan.tier != AUTO and plan.tier not in TIERS:
        yield f"tier: unknown '{plan.tier}'; {suggest(plan.tier, (AUTO, *TIERS))}"
    if len(plan.contrasts) > CONFIRMATORY:
        yield f"contrasts: {len(plan.contrasts)} of at most {CONFIRMATORY}; the others are told as exploratory anyway"
    named = [(f"arm '{arm.name}', {key}", getattr(arm, key)) for arm in plan.arms for key in ("of", "pool")]
    for place, contrast in enumerate(plan.contrasts, start=1):
        named += [(f"contrast {place}", contrast.arm), (f"contrast {place}", contrast.against)]
        if contrast.arm == contrast.against:
            yield f"contrast {place}: '{contrast.arm}' is compared with itself"
    yield from (f"{place}: no arm '{name}'; {suggest(name, names)}" for place, name in named if name not in names)
    if plan.plant is None and any(arm.control == "oracle" for arm in plan.arms):
        yield "an oracle drop needs planted defects; add [plant]"
