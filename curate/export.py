"""The mix in the formats of trainers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import UserError, suggest
from curate.folders import make, workshop
from curate.rundir import RunDir

Turn = Mapping[str, Any]
JSONL, PARQUET, REPAIRS = "train.jsonl", "data/train-00000-of-00001.parquet", "repairs.jsonl"
SHAREGPT = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}


def export(run: RunDir, *, form: str, out: Path) -> dict[str, Any]:
    """Write the mix as JSONL and as a folder that `datasets.load_dataset` reads.

    Args:
        run: a finished run.
        form: a name of `FORMS`.
        out: a new or empty folder; gets `train.jsonl`, `data/train-00000-of-00001.parquet` and, when the run proposes
            repairs of rows in the mix, `repairs.jsonl`: they are not made in the rows.

    Returns:
        JSON data: rows, repairs, files, and rows left out because the form cannot hold them.

    Raises:
        UserError: an unknown form, or a mix that has no row the form can hold.
    """
    if form not in FORMS:
        raise UserError(f"--to {form}", "unknown format", suggest(form, FORMS))
    with workshop(out / ".partial", wait=True) as partial:
        make(partial / "data")
        lines, left_out = _write(run, form, partial)
        if not lines.height:
            raise UserError(str(run.path), f"no row of the mix fits the format {form}", "export as messages")
        repairs = _repairs(run, lines, partial / REPAIRS)
        for entry in partial.iterdir():
            entry.rename(out / entry.name)
    files = [JSONL, PARQUET, *([REPAIRS] if repairs else [])]
    told = {"rows": int(lines["copies"].sum()), "left_out": left_out, "repairs": repairs}
    return {**told, "format": form, "files": files, "folder": str(out)}


def _write(run: RunDir, form: str, folder: Path) -> tuple[pl.DataFrame, int]:
    """Write the rows slice by slice, so that only one is in memory.

    Returns:
        id, line (of its first copy in the JSONL, from 1) and copies of each row written, and how many were left out.
    """
    beside = _beside(run) if form == "messages" else []
    schema = _schema(form, beside)
    plain = form == "messages" and not beside
    written: list[tuple[str, int, int]] = []
    left_out, line = 0, 1
    # page index and content-defined chunking are what the hub calls optimised Parquet
    options: dict[str, Any] = {"write_page_index": True, "use_content_defined_chunking": True, "compression": "zstd"}
    with open(folder / JSONL, "wb") as text, pq.ParquetWriter(folder / PARQUET, schema, **options) as table:
        for part in run.parts("mix", ["id", "messages", "meta", "copies"]):
            copies = part["copies"].to_list()
            if plain and set(copies) == {1}:
                fits = [True] * part.height
                _write_plain(part, text, table)
            else:
                records = [FORMS[form](turns, orjson.loads(meta or "{}")) for turns, meta in _pairs(part)]
                fits = [record is not None for record in records]
                repeated = [one for one, count in zip(records, copies, strict=True) if one for _ in range(count)]
                text.writelines(orjson.dumps(record) + b"\n" for record in repeated)
                table.write_table(pa.Table.from_pylist([_storable(record) for record in repeated], schema=schema))
            for row, count, fit in zip(part["id"], copies, fits, strict=True):
                left_out += 0 if fit else count
                if fit and count:
                    written.append((row, line, count))
                    line += count
    names = {"id": pl.String, "line": pl.UInt32, "copies": pl.UInt32}
    return pl.DataFrame(written, schema=names, orient="row"), left_out


def _pairs(part: pl.DataFrame) -> Iterator[tuple[Any, ...]]:
    return part.select("messages", "meta").iter_rows()


def _write_plain(part: pl.DataFrame, text: BinaryIO, table: pq.ParquetWriter) -> None:
    """Write turns that are role and content alone, in a sixth of the time that Python takes for them."""
    turn = pl.element().struct.field("role", "content")
    plain = part.select(pl.col("messages").list.eval(pl.struct(turn)))
    plain.write_ndjson(text)
    table.write_table(plain.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(table.schema))


def _beside(run: RunDir) -> list[tuple[str, ...]]:
    """Return the paths of what some rows of the mix have beside role and content: `tools`, and keys of turns.

    An answer that is not trained on, such as an earlier one of a dialogue made of several records, says `weight` 0, as
    in OpenAI's format of training data.
    """
    meta = pl.col("meta")
    some = run.scan("mix").filter(meta.str.contains('"turns"|"tools"')).select(meta).collect()
    found = [orjson.loads(value) for value in some["meta"]]
    keys = {("turns", key) for one in found for turn in _extras(one).values() for key in turn}
    turn = pl.element().struct
    untrained = pl.col("messages").list.eval((turn.field("role") == "assistant") & ~turn.field("train")).list.any()
    weighed = run.scan("mix").select(untrained.any()).collect().item()
    return sorted(
        keys | {("tools",) for one in found if "tools" in one} | ({("turns", "weight")} if weighed else set())
    )


def _extras(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return what turns had beside role and content, by their number; a column `turns` of a task record is none."""
    found = meta.get("turns")
    fits = isinstance(found, dict) and all(isinstance(turn, dict) for turn in found.values())
    return found if isinstance(found, dict) and fits else {}


def _schema(form: str, beside: Sequence[tuple[str, ...]]) -> pa.Schema:
    """Return the columns of a form for Parquet."""
    text = pa.string()

    def turns(*names: str) -> pa.DataType:
        return pa.list_(pa.struct([(name, text) for name in names]))

    if form == "messages":
        keys = [path[1] for path in beside if path[0] == "turns" and path[1] not in ("role", "content")]
        tools = [("tools", text)] if ("tools",) in beside else []
        return pa.schema([("messages", turns("role", "content", *keys)), *tools])
    if form == "sharegpt":
        return pa.schema([("conversations", turns("from", "value"))])
    if form == "alpaca":
        plain = [(name, text) for name in ("instruction", "input", "output", "system")]
        return pa.schema([*plain, ("history", pa.list_(pa.list_(text)))])
    return pa.schema([(name, turns("role", "content")) for name in ("prompt", "completion")])


def _repairs(run: RunDir, lines: pl.DataFrame, path: Path) -> int:
    """Write the repairs that the run proposes for the rows written, and return how many there are."""
    tables = [run.table(name) for name in run.table_names() if name.endswith(".proposals")]
    known = [table for table in tables if table is not None and {"id", "kind", "before", "after"} <= set(table.columns)]
    if not known:
        return 0
    found = lines.select("line", "id").join(pl.concat(known, how="diagonal"), on="id", how="inner")
    if found.height:
        found.sort("line", "turn", "kind").write_ndjson(path)
    return found.height


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
    extras = _extras(meta)
    turns = []
    for number, turn in enumerate(messages):
        untrained = turn["role"] == "assistant" and not turn["train"]
        weight = {"weight": 0} if untrained else {}
        turns.append({"role": turn["role"], "content": turn["content"], **weight, **extras.get(str(number), {})})
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
