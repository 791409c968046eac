"""Tasks for lm-eval: the same prompts and options, to be ranked by somebody else's code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from curate import lm as models
from curate import weights
from curate.errors import UserError
from curate.folders import make
from curate.rundir import write_text
from curate.tokenizer import TOKENIZER
from tune.evaluation import asked, load
from tune.ranking import opening

PREFIX = "curatune"
_TASK = """# Written by `curate evaluate --lm-eval`; prompts are already written as the model {model} wants them.
task: {task}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{prompt}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{target}}}}"
target_delimiter: ""
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
  - metric: acc_norm
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
"""


def export_tasks(model: str, *, on: str | Path, out: str | Path, limit: int | None = None) -> dict[str, Any]:
    """Write a folder that `lm_eval --include_path` takes as it is: for each source with options a task and its data.

    The prompts hold the turns as the model's own chat template writes them, so lm-eval is run without
    `--apply_chat_template`; its `acc` is our `accuracy`, its `acc_norm` our `accuracy_per_character`.

    Args:
        model: for whose template.
        on: a run directory or a Parquet file of rows.
        out: a new or empty folder, or one of tasks written before.
        limit: at most so many records of each source.

    Returns:
        JSON data: folder, tasks, items, and the command that runs them.

    Raises:
        UserError: when no row has options, or the folder holds something else.
    """
    folder = Path(out)
    if folder.exists() and any(not one.name.startswith(PREFIX) for one in folder.iterdir()):
        raise UserError(str(folder), "is not empty", "name a new folder")
    coder = models.load(model, dtype="fp32").coder
    data: dict[str, list[bytes]] = {}
    for item in asked(load(Path(on)), limit=limit):
        if item.choice is None:
            continue
        document = {
            "id": item.row["id"], "prompt": opening(coder, item.turns),
            "choices": list(item.choice.answers), "target": item.choice.right,
        }  # fmt: skip
        data.setdefault(item.row["source"], []).append(orjson.dumps(document) + b"\n")
    if not data:
        raise UserError(str(on), "has no rows with options", "lm-eval tasks are made of closed answers alone")
    make(folder)
    for source, lines in data.items():
        task = f"{PREFIX}_{''.join(c if c.isalnum() else '_' for c in source)}"
        file = folder.absolute() / f"{task}.jsonl"
        file.write_bytes(b"".join(lines))
        text = _TASK.format(model=orjson.dumps(model).decode(), task=task, data=orjson.dumps(str(file)).decode())
        write_text(folder / f"{task}.yaml", text)
    tasks = sorted(one.stem for one in folder.glob(f"{PREFIX}_*.yaml"))
    command = f"lm_eval --model hf --model_args {_arguments(model)},dtype=float32 "
    command += f"--tasks {','.join(tasks)} --include_path {folder}"
    return {"folder": str(folder), "tasks": tasks, "items": sum(map(len, data.values())), "command": command}


def _arguments(model: str) -> str:
    """Return how lm-eval is told of a model: its folder, of an adapter that of its base as well."""
    folder = weights.folder(model)
    adapter = folder / models.ADAPTER
    if not adapter.is_file():
        return f"pretrained={folder}"
    base = weights.folder(str(orjson.loads(adapter.read_bytes())["base_model_name_or_path"]))
    return f"pretrained={base},peft={folder},tokenizer={folder if (folder / TOKENIZER).is_file() else base}"
