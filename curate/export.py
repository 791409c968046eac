"""The mix in the formats of trainers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import UserError, suggest
from curate.folders import make
from curate.rundir import RunDir, write_text

Turn = Mapping[str, Any]
SHAREGPT = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}


def export(run: RunDir, *, form: str, out: Path) -> dict[str, Any]:
    """Write the mix as JSONL and as a folder that `datasets.load_dataset` reads.

    Args:
        run: a finished run.
        form: a name of `FORMS`.
        out: a new or empty folder; gets `train.jsonl`, `data/train-00000-of-00001.parquet` and a card.

    Returns:
        JSON data: rows, files, and rows left out because the form cannot hold them.

    Raises:
        UserError: an unknown form, or a mix that has no row the form can hold.
    """
    if form not in FORMS:
        raise UserError(f"--to {form}", "unknown format", suggest(form, FORMS))
    mix = run.mix(["messages", "meta", "copies"])
    records: list[dict[str, Any]] = []
    left_out = 0
    for messages, meta, copies in mix.iter_rows():
        record = FORMS[form](messages, orjson.loads(meta or "{}"))
        left_out += copies if record is None else 0
        records += [record] * copies if record is not None else []
    if not records:
        raise UserError(str(run.path), f"no row of the mix fits the format {form}", "export as messages")
    make(out / "data")
    write_text(out / "train.jsonl", "".join(orjson.dumps(record).decode() + "\n" for record in records))
    # page index and content-defined chunking are what the hub calls optimised Parquet
    parquet = out / "data" / "train-00000-of-00001.parquet"
    columns = [_storable(record) for record in records]
    names = list(dict.fromkeys(name for record in columns for name in record))  # pyarrow asks the first record only
    table = pa.Table.from_pylist([{name: record.get(name) for name in names} for record in columns])
    pq.write_table(table, parquet, write_page_index=True, use_content_defined_chunking=True)
    write_text(out / "README.md", _card(run, form))
    files = ["train.jsonl", "data/train-00000-of-00001.parquet", "README.md"]
    return {"rows": len(records), "left_out": left_out, "format": form, "files": files, "folder": str(out)}


def _storable(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record for Parquet: what varies in shape from row to row becomes a JSON string."""
    kept = dict(record)
    if "messages" in kept:
        plain = ("role", "content")
        kept["messages"] = [
            {"role": turn["role"], "content": _text(turn.get("content"))} | _json_rest(turn, plain)
            for turn in kept["messages"]
        ]
    return kept | _json_rest({name: kept[name] for name in ("tools",) if name in kept}, ())


def _text(content: Any) -> Any:
    """Return content as one text; a list of text parts, as OpenAI writes them, as its lines."""
    return "\n".join(part["text"] for part in content) if isinstance(content, list) else content


def _json_rest(turn: Mapping[str, Any], plain: Sequence[str]) -> dict[str, str]:
    rest = {name: value for name, value in turn.items() if name not in plain}
    return {name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in rest.items()}


def _messages(messages: Sequence[Turn], meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return OpenAI-style messages; tool calls and names come back from `meta` as they were read."""
    extras = meta.get("turns", {})
    turns = [
        {"role": turn["role"], "content": turn["content"], **extras.get(str(number), {})}
        for number, turn in enumerate(messages)
    ]
    return {"messages": turns, **({"tools": meta["tools"]} if "tools" in meta else {})}


def _alpaca(messages: Sequence[Turn], meta: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return instruction, input, output, system, history; None when a turn is a tool's or turns do not alternate."""
    system = messages[0]["content"] if messages[0]["role"] == "system" else ""
    turns = messages[1:] if messages[0]["role"] == "system" else messages
    if [turn["role"] for turn in turns] != ["user", "assistant"] * (len(turns) // 2):
        return None
    texts = [turn["content"] for turn in turns]
    history = [list(pair) for pair in zip(texts[:-2:2], texts[1:-2:2], strict=True)]
    return {"instruction": texts[-2], "input": "", "output": texts[-1], "system": system, "history": history}


def _sharegpt(messages: Sequence[Turn], meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return conversations of from and value."""
    return {"conversations": [{"from": SHAREGPT[turn["role"]], "value": turn["content"]} for turn in messages]}


def _prompt_completion(messages: Sequence[Turn], meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return prompt and completion: plain strings for one exchange, lists of messages where there is more."""
    plain = [{"role": turn["role"], "content": turn["content"]} for turn in messages]
    last = max(number for number, turn in enumerate(plain) if turn["role"] == "assistant")
    return {"prompt": plain[:last], "completion": [plain[last]]}


FORMS: dict[str, Callable[[Sequence[Turn], Mapping[str, Any]], dict[str, Any] | None]] = {
    "messages": _messages,
    "alpaca": _alpaca,
    "sharegpt": _sharegpt,
    "prompt-completion": _prompt_completion,
}


def _card(run: RunDir, form: str) -> str:
    """Return the card that tells `datasets` where the rows lie."""
    manifest = run.manifest
    head = (
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*.parquet\n---\n"
    )
    return f"{head}# {manifest['name']} as {form}\n\nMade by curatune, recipe hash `{manifest['recipe_sha256']}`.\n"
