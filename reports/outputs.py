"""The files that hold the rows: size, hash and columns, as dataset cards ask for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.rundir import file_digest

# What the columns of a run's mix and of its exports mean.
MEANINGS = {
    "record": "hash of the record the row was rendered from; rows of one record share it",
    "id": "hash of record, template and rendering: the row's name in every file of the run",
    "parents": "other records that speak in this row, such as examples in its prompt",
    "source": "the source it comes from",
    "task": "task family; null for data that was instruction data already",
    "template": "the wording it was rendered with",
    "split": "always train here",
    "license": "licence as the source declares it",
    "lang": "language as the source declares it",
    "messages": "the turns: role, content and, in the mix of a run, whether the turn is trained on",
    "prompt": "everything before the last assistant turn",
    "response": "the last assistant turn",
    "completion": "the last assistant turn, as a message",
    "slots": "the record's parts after cleaning, as JSON",
    "content": "the record's parts joined, without the template's words: what copies are looked for in",
    "meta": "whatever else the record had, as JSON",
    "copies": "how often the row counts in the mix",
    "tools": "functions the assistant may call, as JSON",
    "instruction": "what the last user turn asks",
    "input": "always empty: it stands in the instruction",
    "output": "the answer to it",
    "system": "the system turn, or empty",
    "history": "earlier pairs of question and answer",
    "conversations": "the turns: who speaks, and what",
}
# Names of number types as the hub spells them, where they are not those of Arrow.
_TYPES = {"double": "float64", "float": "float32", "halffloat": "float16", "large_string": "string"}


def output(folder: Path, path: str) -> dict[str, Any]:
    """Describe a file of rows.

    Args:
        folder: the run, or a folder of an export.
        path: a Parquet or JSONL file in it.

    Returns:
        `path`, `bytes` on disk and `sha256`; of Parquet also `rows`, `row_bytes` (the columns uncompressed, as the
        file's footer counts them: reading all rows to weigh them would take longer than the rest of the report) and
        `columns`, each with `name` and `type`.
    """
    file = folder / path
    facts: dict[str, Any] = {"path": path, "bytes": file.stat().st_size, "sha256": file_digest(file)}
    if file.suffix != ".parquet":
        return facts
    with pq.ParquetFile(file) as parquet:
        footer, schema = parquet.metadata, parquet.schema_arrow
        facts["rows"] = footer.num_rows
        facts["row_bytes"] = sum(footer.row_group(group).total_byte_size for group in range(footer.num_row_groups))
    return {**facts, "columns": _columns(schema)}


def _columns(fields: Any) -> list[dict[str, Any]]:
    return [{"name": field.name, "type": _type(field.type)} for field in fields]


def _type(kind: pa.DataType) -> Any:
    """Return a type as plain data: a name, or what a list or struct holds."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return {"list": _type(kind.value_type)}
    if pa.types.is_struct(kind):
        return {"struct": _columns(kind)}
    return _TYPES.get(str(kind), str(kind))
