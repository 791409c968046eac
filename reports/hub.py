"""The front matter of a dataset card: what the Hugging Face hub reads, as YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reports import shown
from reports.statements import Facts, tables

# Upper ends of the hub's size categories.
_SIZES = (
    (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"), (10_000_000_000, "1B<n<10B"),
    (100_000_000_000, "10B<n<100B"), (1_000_000_000_000, "100B<n<1T"),
)  # fmt: skip
# The hub's task category of each task family; all are text generation too, as every row is a prompt and an answer.
_TASKS = {
    "classification": "text-classification", "nli": "text-classification", "paraphrase": "text-classification",
    "qa_closed": "question-answering", "qa_open": "question-answering", "multiple_choice": "multiple-choice",
    "summarization": "summarization", "translation": "translation", "extraction": "token-classification",
}  # fmt: skip
# Licence ids that the hub knows; it refuses others unless they are given as `other` with a name.
LICENCES = frozenset(
    (
        "apache-2.0", "mit", "openrail", "bigscience-openrail-m", "creativeml-openrail-m",
        "bigscience-bloom-rail-1.0", "afl-3.0", "artistic-2.0", "bsl-1.0", "bsd", "bsd-2-clause",
        "bsd-3-clause", "bsd-3-clause-clear", "c-uda", "cc", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0",
        "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0",
        "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0",
        "cc-by-nc-sa-4.0", "cdla-sharing-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "wtfpl", "ecl-2.0",
        "epl-1.0", "epl-2.0", "etalab-2.0", "eupl-1.1", "agpl-3.0", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "lgpl",
        "lgpl-2.1", "lgpl-3.0", "isc", "lppl-1.3c", "ms-pl", "mpl-2.0", "odc-by", "odbl", "osl-3.0",
        "postgresql", "ofl-1.1", "ncsa", "unlicense", "zlib", "pddl",
    )
)  # fmt: skip
_LANGUAGE = re.compile(r"^[a-z]{2,3}$")
# The detector names one short text in twenty wrongly: a language below that share may be its mistakes alone.
DETECTED = 0.05


def front(facts: Facts) -> str:
    """Return the front matter with its fences."""
    found, stated = tables(facts), facts["provenance"]["stated"]
    rows = next(file for file in facts["provenance"]["outputs"] if "columns" in file)
    data: dict[str, Any] = {"pretty_name": facts["headline"]["name"], "language": languages(facts)}
    data |= licence([value["value"] for value in found["license"]["values"]])
    data |= {key: list(stated.get(key, ())) for key in ("annotations_creators", "source_datasets")}
    data["size_categories"] = [next((name for top, name in _SIZES if rows["rows"] < top), "n>1T")]
    tasks = {_TASKS[value["value"]] for value in found["task"]["values"] if value["value"] in _TASKS}
    data["task_categories"] = sorted({"text-generation", *tasks})
    data["tags"] = ["instruction-tuning", "curatune"]
    data |= _files(rows)
    lines = _yaml({key: value for key, value in data.items() if value not in ([], {})}, "")
    return "\n".join(["---", *lines, "---", ""])


def languages(facts: Facts) -> list[str]:
    """Return the declared languages of the mix, or the detected ones where no source declares any."""
    found = tables(facts)
    named = {value["value"] for value in found["lang"]["values"]}
    if named <= {None} and "language.lang" in found:
        named = {one["value"] for one in found["language.lang"]["values"] if one["mix_share"] >= DETECTED}
    return sorted(name for name in named if name and name != "und" and _LANGUAGE.match(name))


def licence(found: Sequence[str | None]) -> dict[str, str]:
    """Return the single licence of the mix, or `other` with a name."""
    if not found or set(found) == {None}:
        return {"license": "unknown"}
    if len(found) > 1:
        return {"license": "other", "license_name": "mixed"}
    name = str(found[0]).lower()
    if name in LICENCES:
        return {"license": name}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.]+", "-", name).strip("-") or "unnamed"}


def _files(rows: Mapping[str, Any]) -> dict[str, Any]:
    """Return where the rows lie and what their columns are, so that `datasets` need not guess."""
    split = {"name": "train", "num_bytes": rows["row_bytes"], "num_examples": rows["rows"]}
    info = {
        "config_name": "default",
        "features": [{"name": column["name"], **_feature(column["type"])} for column in rows["columns"]],
        "splits": [split],
        "download_size": rows["bytes"],
        "dataset_size": rows["row_bytes"],
    }
    config = {"config_name": "default", "data_files": [{"split": "train", "path": rows["path"]}]}
    return {"configs": [config], "dataset_info": info}


def _feature(kind: Any) -> dict[str, Any]:
    """Return a column's type in the words of `datasets`."""
    if isinstance(kind, str):
        return {"dtype": kind}
    if "struct" in kind:
        return {"struct": [{"name": one["name"], **_feature(one["type"])} for one in kind["struct"]]}
    inner = _feature(kind["list"])
    return {"list": inner.get("dtype") or inner.get("struct") or inner}


def _yaml(data: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Yield YAML in blocks; every text is quoted as JSON, which YAML reads alike."""
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}:"
            yield from _yaml(value, f"{indent}  ")
        elif isinstance(value, list):
            yield f"{indent}{key}:"
            for item in value:
                lines = list(_yaml(item, "")) if isinstance(item, Mapping) else [_quoted(item)]
                yield f"{indent}  - {lines[0]}"
                yield from (f"{indent}    {line}" for line in lines[1:])
        else:
            yield f"{indent}{key}: {_quoted(value)}"


def _quoted(value: Any) -> str:
    return json.dumps(shown.line(value) if isinstance(value, str) else value, ensure_ascii=False)
