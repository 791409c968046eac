"""A step tried on no rows: what it says of its arguments, and which signals it will give, before any data is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import catalog
from curate.measure import CLUSTER, STATE
from curate.recipe import Recipe, Use
from curate.schema import ROW, Measured
from curate.task import strings

_TYPES: dict[str, pl.DataType] = {
    "bool": pl.Boolean(),
    "str": pl.String(),
    "list[str]": pl.List(pl.String),
    "u32": pl.UInt32(),
    "i64": pl.Int64(),
    "f64": pl.Float64(),
}
_KINDS = {dtype: kind for kind, dtype in _TYPES.items()}


def signals(use: Use, *, recipe: Recipe, known: Mapping[str, str]) -> dict[str, str]:
    """Return the types of a step's signals, by name.

    Args:
        use: the step and its arguments.
        recipe: resolves paths.
        known: types of the signals measured before, by full name.

    Raises:
        UserError: when an argument has the right type and a value that the step cannot use.
    """
    info = catalog.describe(use.step)
    arguments = catalog.resolved(info, use.arguments, resolve=recipe.resolve)
    rows = pl.DataFrame(schema=ROW)
    named = {name: _TYPES[known[name]] for name in strings(arguments) if known.get(name) in _TYPES}
    rows = rows.hstack(pl.DataFrame(schema=named))
    if info.kind == "row-wise":
        found = _call(use.step, use.step, rows, arguments)
    else:
        state = _call(use.step, "state", rows, arguments)
        found = _call(
            use.step,
            "decide",
            rows.select(*STATE, *named, pl.lit(None, pl.String).alias(CLUSTER)).hstack(state),
            arguments,
        )
    return {name: _KINDS.get(dtype, "f64") for name, dtype in found.schema.items()}


def _call(step: str, function: str, rows: pl.DataFrame, arguments: Mapping[str, Any]) -> pl.DataFrame:
    """Call one function of a step with what it asks for, all of it empty."""
    empty = pl.DataFrame(schema=ROW)
    given: dict[str, Any] = {"seed": 0, "heldout": empty, "vectors": _no_vectors, "texts": lambda ids: empty}
    given |= {
        "workers": 1,
        "shards": None,
        "network": None,
        "rescore": partial(catalog.rescore, vectors=_no_vectors),
        **arguments,
    }
    accepted = catalog.accepts(step, function)
    result: pl.DataFrame | Measured = catalog.function(step, function)(
        rows, **{name: value for name, value in given.items() if name in accepted}
    )
    return result.signals if isinstance(result, Measured) else result


def _no_vectors(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    return np.zeros((len(texts), 1), dtype=np.float32)
