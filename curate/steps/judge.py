"""Have answers scored by a model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from curate import endpoint, judging
from curate.doubts import Doubt
from curate.endpoint import Endpoint, Refused
from curate.judging import PROMPT, Judge
from curate.records import excerpt
from curate.schema import Measured

_UNREAD = {"id": pl.String, "answer": pl.String}


def judge(
    rows: pl.DataFrame,
    *,
    url: str,
    model: str,
    network: Path | None,
    prompt: str = PROMPT,
    temperature: float = 0.0,
    least: int = 1,
    most: int = 5,
    figures: Path | None = None,
    timeout: float = 60.0,
    parallel: int = 4,
) -> Measured:
    """Have answers scored by a model behind an OpenAI-compatible endpoint; needs `--allow-network`.

    Prompt and response are sent, so it has no `column`. Answers are kept in the cache: none is asked for twice. A key
    is taken from the environment variable CURATE_API_KEY and written nowhere. Its scores may drop rows only with
    `figures` that are good enough.

    Args:
        rows: instruction rows.
        url: of the API, such as http://localhost:8000/v1.
        model: its name there.
        network: where answers are kept.
        prompt: by what it judges; correct, complete, clear and to the point by default.
        temperature: of its answers; 0 by default, so that it contradicts itself least.
        least: lowest score.
        most: highest score.
        figures: what `curate trust` measured of this judge: whether it agrees with itself, and what length and order
            do to its scores.
        timeout: seconds for one answer; a minute by default, for models on a processor.
        parallel: questions at a time.

    Signals:
        score (f64): from `least` to `most`; null where prompt or response is null, or the reply is no such number.

    Tables:
        unread: id, answer (its beginning): replies that are no score.
    """
    one = Judge(url, model, prompt, temperature, least, most)
    endpoint.require(url)
    known = rows.select("id", "prompt", "response").drop_nulls()
    asked = [one.question(request, answer) for request, answer in known.select("prompt", "response").iter_rows()]
    answers: list[str] = []
    for answer in Endpoint(url, model, temperature, network, timeout, parallel).answers(asked) if network else ():
        if isinstance(answer, Refused):
            raise answer  # the row is to blame, and the others' answers are kept
        answers.append(answer)
    scores = [one.parsed(answer) for answer in answers]
    told = known.select("id", score=pl.Series(scores, dtype=pl.Float64))
    unread = [
        (row, excerpt(answer)) for row, answer, score in zip(known["id"], answers, scores, strict=True) if score is None
    ]
    joined = rows.select("id").join(told, on="id", how="left", maintain_order="left")
    return Measured(joined.select("score"), {"unread": pl.DataFrame(unread, schema=_UNREAD, orient="row")})


def identity(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the manifest says of the judge: model, prompt, temperature, scale, and their hash."""
    return of(arguments).identity()


def doubt(arguments: Mapping[str, Any]) -> Doubt | None:
    """Tell why its scores may not drop rows: there are no figures, or they are not good enough."""
    return judging.doubt(of(arguments), arguments.get("figures"))


def of(arguments: Mapping[str, Any]) -> Judge:
    """Return the judge that a recipe's arguments describe."""
    names = ("url", "model", "prompt", "temperature", "least", "most")
    return Judge(**{name: arguments[name] for name in names if name in arguments})
