"""Rows on which a step raises: found by halving, kept with unknown signals, recorded with the traceback."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from polars.exceptions import PanicException

from curate.errors import INPUT, UserError
from curate.personal import KINDS, masked
from curate.schema import Measured

# The side table of a step that holds them; no step may use this name.
TABLE = "failures"
SCHEMA = {"row": pl.UInt32(), "id": pl.String(), "error": pl.String(), "traceback": pl.String()}
# What is raised for the place or the recipe, never for a row: no result may depend on the machine.
_OUTSIDE = (UserError, OSError, MemoryError, ImportError)
# Characters of an error that are kept: some libraries write the whole text into it.
_SHOWN = 500
Call = Callable[[pl.DataFrame], pl.DataFrame | Measured]


def measured(call: Call, rows: pl.DataFrame, *, name: str, allowed: int) -> Measured:
    """Run a row-wise function; rows on which it raises get null signals and an entry in the table `failures`.

    Args:
        call: from n rows to n signals.
        rows: the n rows.
        name: of the function, for errors.
        allowed: when more rows than this raise, the rest is left null and not tried: the run fails in any case.

    Returns:
        The signals of n rows. The table has columns of `SCHEMA`; `row` counts from 0 in these rows.

    Raises:
        AssertionError: when the function breaks its contract.
        Exception: what the function raises also without any row, and what is not of a row (`UserError`, `OSError`, …).
    """
    whole = _tried(call, rows, name)
    if isinstance(whole, Measured):
        return whole
    none = checked(call(rows.clear()), name, 0).signals  # raises by itself where no row is to blame
    failures: list[dict[str, Any]] = []
    parts: list[Measured] = []
    ahead = [(0, rows.height)]
    while ahead:
        start, stop = ahead.pop()
        size = stop - start
        result = Measured(none.clear(size)) if len(failures) > allowed else _tried(call, rows[start:stop], name)
        if isinstance(result, Measured):
            parts.append(result)
        elif size == 1:
            failures.append({"row": start, "id": rows["id"][start], **_told(result)})
            parts.append(Measured(none.clear(1)))
        else:
            ahead += [(start + size // 2, stop), (start, start + size // 2)]
    names = dict.fromkeys(name for part in parts for name in part.tables)
    tables = {name: pl.concat([part.tables[name] for part in parts if name in part.tables]) for name in names}
    tables |= {TABLE: pl.DataFrame(failures, schema=SCHEMA)} if failures else {}
    return Measured(pl.concat([part.signals for part in parts]), tables)


def _tried(call: Call, rows: pl.DataFrame, name: str) -> Measured | BaseException:
    """Return the result, or what was raised because of a row."""
    try:
        result = call(rows)
    except _OUTSIDE:
        raise
    except (Exception, PanicException) as error:
        return error
    return checked(result, name, rows.height)


def checked(result: pl.DataFrame | Measured, name: str, height: int) -> Measured:
    """Return a step's result.

    Raises:
        AssertionError: naming the step that broke its contract.
    """
    measured = result if isinstance(result, Measured) else Measured(result)
    if measured.signals.height != height:
        raise AssertionError(f"step {name} returned {measured.signals.height} rows for {height}")
    for column in measured.signals.iter_columns():
        if column.dtype.is_float() and column.is_nan().any():
            raise AssertionError(f"step {name} returned NaN in '{column.name}'")
    return measured


def failed(result: Measured) -> pl.DataFrame:
    """Return the rows of a result on which its step raised, with columns of `SCHEMA`."""
    found = result.tables.get(TABLE)
    return pl.DataFrame(schema=SCHEMA) if found is None else found


def _told(error: BaseException) -> dict[str, str]:
    """Return an error and where it was raised: by modules, as paths differ between machines and name their users."""
    said = f"{type(error).__name__}: {error}"[:_SHOWN]
    walked = list(traceback.walk_tb(error.__traceback__))[2:]  # the first two are the calls in here and in `task`
    places = [f"  {at.f_globals.get('__name__')}, line {line}, in {at.f_code.co_name}" for at, line in walked]
    return {"error": said, "traceback": "\n".join([*places, said])}


def told(failures: Sequence[pl.DataFrame]) -> list[dict[str, Any]]:
    """Return the entries of `failures.jsonl`, personal data masked: an error may quote the text it failed on."""
    entries = pl.concat(failures).select("step", "id", "error", "traceback").to_dicts() if failures else []
    return [
        {name: masked(value, KINDS)[0] if name in ("error", "traceback") else value for name, value in entry.items()}
        for entry in entries
    ]


def facts(failures: Sequence[pl.DataFrame]) -> dict[str, Any]:
    """Return the entry of the manifest: how many rows a step raised on, and how many by step."""
    if not failures:
        return {"rows": 0, "steps": {}}
    whole = pl.concat(failures)
    steps = {name: int((whole["step"] == name).sum()) for name in whole["step"].unique(maintain_order=True)}
    return {"rows": whole["id"].n_unique(), "steps": steps}


def write(path: Path, failures: Sequence[pl.DataFrame]) -> None:
    """Write `failures.jsonl`, a line for each row and step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(entry) + b"\n" for entry in told(failures)))


def require(failures: Sequence[pl.DataFrame], *, limit: float, rows: int, recipe: str, path: Path) -> None:
    """Fail when steps raised on more rows than the recipe allows.

    Args:
        failures: frames of `SCHEMA` and `step`, the name of the step's signals.
        limit: share of rows, the recipe's `rejects`.
        rows: all rows of the run.
        recipe: its file.
        path: where the failures are written then.

    Raises:
        UserError: naming the step and the first error.
    """
    found = facts(failures)
    if not rows or found["rows"] / rows <= limit:
        return
    write(path, failures)
    first = told(failures[-1:])[0]
    what = f"steps raised on {found['rows']:,} of {rows:,} rows so far (allowed {limit:.1%}); the last is"
    what += f" '{first['step']}', on row {first['id'][:12]}: {first['error']}"
    fix = f"the tracebacks are in {path}; mend the step or the records, or raise `rejects`"
    raise UserError(recipe, what, fix, code=INPUT)
