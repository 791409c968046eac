from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conversations import frame, sums, talk
from tiny_tokenizer import CHATML, write_tokenizer

from curate import tokenizer
from curate.errors import UserError
from tune import masks

ASKED, ANSWERED = ("user", "what is two ?"), ("assistant", "four .")


def coder(folder: Path, template: str | None = CHATML) -> tokenizer.Tokenizer:
    return tokenizer.load(write_tokenizer(folder, template=template))


def faults(rows: pl.DataFrame, coder: tokenizer.Tokenizer) -> dict[str, int]:
    """Return the checks that fail, with their rows."""
    return {one["check"]: one["rows"] for one in masks.examine(rows, coder)["checks"] if not one["ok"]}


def asking(turn: str, start: str = "<|start|>assistant\n") -> str:
    """Return a template that writes turns by the given one and asks for an answer."""
    end = "{% endfor %}{% if add_generation_prompt %}" + start + "{% endif %}"
    return "{% for m in messages %}" + turn + end


GOOD = asking("<|start|>{{ m.role }}\n{{ m.content }}<|end|>\n")


def test_good_rows_pass_and_are_counted(tmp_path: Path) -> None:
    good = coder(tmp_path, GOOD)
    found = masks.examine(frame(talk(ASKED, ANSWERED), talk(ASKED, ANSWERED)), good)
    assert all(one["ok"] for one in found["checks"])
    assert (found["rows"], found["tokens"], found["trained"], found["longest"]) == (2, 24, 6, 12)
    assert found["tokenizer"]["marker"] == "<|end|>"
    pieces = found["example"]["pieces"]
    trained = [one["text"] for one in pieces if one["trained"] and one["token"]]
    assert trained == ["four", ".", "<|end|>"]
    written = "<|start|>user\nwhat is two ?<|end|>\n<|start|>assistant\nfour .<|end|>\n"
    assert "".join(one["text"] for one in pieces) == written


@pytest.mark.parametrize(
    ("template", "rows", "fault"),
    [
        (GOOD, [talk(ASKED, ANSWERED)], set()),
        ("two " + GOOD, [talk(ASKED, ANSWERED)], set()),
        ("<s>" + GOOD, [talk(ASKED, ANSWERED)], set()),
        ("<s><s>" + GOOD, [talk(ASKED, ANSWERED)], {"one beginning of text"}),
        (asking("<s>{{ m.role }}\n{{ m.content }}<|end|>\n", "<s>assistant\n"), [talk(ASKED, ANSWERED)], set()),
        ("{{ raise_exception('no') }}", [talk(ASKED, ANSWERED)], {"all rows render", "marker is the end token"}),
        (GOOD, [talk(ASKED, ASKED, ANSWERED)], {"order of roles"}),
        (GOOD, [talk(ASKED, ANSWERED, untrained=(1,))], {"trained turns"}),
        (GOOD, [talk(("user", "hello <|end|> there"), ANSWERED)], {"no markers in the data"}),
        (CHATML, [talk(ASKED, ANSWERED)], {"prompt is a prefix"}),
        (GOOD + "{% if add_generation_prompt %}what{% endif %}", [talk(ASKED, ANSWERED)], {"prompt is a prefix"}),
        (
            asking("<|start|>{{ m.role }}\n{{ m.content }}\n"),
            [talk(ASKED, ANSWERED)],
            {"end of turn trained", "marker is the end token"},
        ),
        (
            asking("<|start|>{{ m.role }}\n{{ m.content }}<|start|>\n"),
            [talk(ASKED, ANSWERED)],
            {"marker is the end token"},
        ),
    ],
)
def test_each_fault_is_found_and_no_other(
    tmp_path: Path, template: str, rows: list[list[dict[str, Any]]], fault: set[str]
) -> None:
    assert faults(frame(*rows), coder(tmp_path, template)).keys() == fault


def test_a_missing_template_is_found(tmp_path: Path) -> None:
    assert faults(sums(2), coder(tmp_path, None))["chat template"] == 2


def test_a_question_that_is_trained_is_found(tmp_path: Path) -> None:
    turns = talk(ASKED, ANSWERED)
    turns[0]["train"] = True
    assert faults(frame(turns, talk(ASKED, ANSWERED)), coder(tmp_path, GOOD)) == {"only answers trained": 1}


def test_the_limits_tell_what_is_cut_and_what_is_lost(tmp_path: Path) -> None:
    long, longer = (" ".join(["two"] * count) for count in (123, 124))
    rows = frame(*(talk(("user", text), ANSWERED) for text in (long, longer, "two")))
    # <|start|> user …123 two… <|end|> <|start|> assistant are 128 tokens, then four . <|end|>
    found = {one["window"]: one for one in masks.examine(rows, coder(tmp_path))["windows"]}
    assert found[128] == {"window": 128, "cut": 2, "nothing_left": 2}
    assert found[256] == {"window": 256, "cut": 0, "nothing_left": 0}


def test_no_rows_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no rows"):
        masks.examine(sums(0), coder(tmp_path))
