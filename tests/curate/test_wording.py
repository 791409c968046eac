"""One record of a file is shown in every wording of a family, disarmed, with the labels of its file."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from commands import curate
from rich.console import Console

from curate import rulebook, wording
from curate.cli.renderings import show_record
from curate.errors import UserError

FAMILIES = rulebook.families()


@pytest.fixture
def news(tmp_path: Path) -> Path:
    """Return a CSV file with three labels, of which the second record has one."""
    path = tmp_path / "news: may.csv"
    path.write_text("body,topic\nThey won.,sports\nShares fell.,business\nA comet came.,science\n", encoding="utf-8")
    return path


def test_a_record_is_shown_in_every_wording_with_the_labels_of_its_file(news: Path) -> None:
    asked = ("classification", "--record", f"{news.name}:2", "--field", "text=body", "--field", "label=topic")
    told = json.loads(curate("templates", *asked, "--json", cwd=news.parent).stdout)
    assert told["record"] == {"file": news.name, "line": 3, "slots": {"text": "Shares fell.", "label": "business"}}
    assert told["labels"] == ["business", "science", "sports"]
    samples = ["classification.which_category:few_shot", "classification.which_category:multi_turn"]
    names = [one.id for one in FAMILIES["classification"].templates]
    assert [one["template"] for one in told["renderings"]] == names + samples
    assert [one["kind"] for one in told["renderings"][-2:]] == ["few_shot", "multi_turn"]
    form = next(one for one in told["renderings"] if one["template"] == "classification.form")
    assert (form["prompt"], form["response"]) == ("Input: Shares fell.\nClass:", "business")
    assert told["unfit"] == {}
    plain = curate("templates", *asked, cwd=news.parent).stdout
    assert "labels: business, science, sports" in plain
    assert "Input: Shares fell.\nClass:\nresponse\nbusiness\n" in plain


def test_templates_of_ones_own_are_shown_with_what_is_wrong_with_them(news: Path) -> None:
    own = news.parent / "own"
    own.mkdir()
    (own / "more.toml").write_text(
        'family = "classification"\nwhy = "ours"\n\n[[templates]]\nid = "classification.ours"\nkind = "zero_shot"\n'
        'prompt = "Topic of this:{{ text }}"\nresponse = "{{ label }}"\n',
        encoding="utf-8",
    )
    found = curate(
        "templates", "classification", "--templates", "own", "--record", f"{news.name}:1",
        "--field", "text=body", "--field", "label=topic", cwd=news.parent,
    )  # fmt: skip
    assert found.returncode == 0
    assert "Topic of this:They won.\nresponse\nsports\n" in found.stdout
    assert "own/more.toml:7: template 'classification.ours': ':{{': text is glued to a slot" in found.stderr
    assert "classification.ours" in curate("templates", "classification", "--templates", "own", cwd=news.parent).stdout
    missing = curate("templates", "--templates", "nowhere", cwd=news.parent)
    assert (missing.returncode, "holds no .toml file" in missing.stderr) == (2, True)


def test_labels_are_worded_as_asked(news: Path) -> None:
    found = wording.worded(
        (news, 1),
        family=FAMILIES["classification"],
        fields={"text": "body", "label": "topic"},
        labels={"sports": "Sport", "business": "Money"},
    )
    assert found.labels == ("Money", "Sport")
    assert found.slots["label"] == "Sport"


def test_what_does_not_fit_says_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "pair.jsonl").write_text('{"source": "late", "target": "spät"}\n', encoding="utf-8")
    found = wording.worded((tmp_path / "pair.jsonl", 1), family=FAMILIES["translation"], fields={}, labels={})
    assert found.unfit["translation.from_to"] == ("source_lang", "target_lang")
    assert "translation.plain" in {one.template for one in found.renderings}
    assert len(found.unfit) + len(found.renderings) == len(FAMILIES["translation"].templates)


def test_broken_records_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"question": "1?", "answer": "a"}\n{oops\n{"question": "2?", "answer": "b"}\n')
    found = wording.worded((tmp_path / "a.jsonl", 2), family=FAMILIES["qa_open"], fields={}, labels={})
    assert (found.line, found.slots["question"]) == (3, "2?")


def test_a_label_beyond_the_probed_records_is_an_option_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wording, "PROBED", 2)
    (tmp_path / "a.jsonl").write_text("".join(f'{{"text": "t", "label": "{name}"}}\n' for name in "abcd"))
    found = wording.worded((tmp_path / "a.jsonl", 4), family=FAMILIES["classification"], fields={}, labels={})
    assert found.labels == ("a", "b", "d")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("classification", "--record", "news: may.csv"), 2, "is not FILE:N"),
        (("classification", "--record", "news: may.csv:0"), 2, "is not FILE:N"),
        (("classification", "--record", "news: may.csv:4", "--field", "text=body"), 4, "has no record 4, only 3"),
        (("classification", "--record", "news: may.csv:1"), 4, "slot 'text' (column 'text')"),
        (("classification", "--record", "news: may.csv:1", "--field", "txt=body"), 2, "did you mean 'text'?"),
        (("classification", "--record", "news: may.csv:1", "--field", "text"), 2, "is not of the form name=value"),
        (("classification", "--record", "mews.csv:1"), 4, "no such file"),
        (("clasification", "--record", "news: may.csv:1"), 2, "did you mean 'classification'?"),
        (("--record", "news: may.csv:1"), 2, "no family is named"),
        (("classification", "--field", "text=body"), 2, "--field: goes with --record"),
    ],
    ids=str,
)
def test_mistakes_say_what_to_do(news: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = curate("templates", *arguments, cwd=news.parent)
    assert said in " ".join(done.stderr.split())
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("terminal", [True, False])
def test_hostile_texts_are_disarmed(tmp_path: Path, terminal: bool) -> None:
    record = {"question": "a\x1b[31m[red]b[/red]\u202e{{ 7 * 7 }}", "answer": "\x07c"}
    (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    found = wording.worded((tmp_path / "a.jsonl", 1), family=FAMILIES["qa_open"], fields={}, labels={})
    renderings = [{**vars(one), "kind": "zero_shot"} for one in found.renderings]
    told = {"family": "qa_open", "record": {"file": "a\x1b.jsonl", "line": 1}, "labels": (), "unfit": {}}
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, color_system=None, width=200, highlight=False)
    show_record(console, {**told, "renderings": renderings})
    text = stream.getvalue()
    assert not {"\x07", "\u202e"} & set(text)
    assert "[31m" not in text.replace("[U+001B][31m", "")
    assert "[red]b[/red][U+202E]{{ 7 * 7 }}" in text
    assert ("│" in text) == terminal


def test_a_blank_prompt_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"question": " ", "answer": "b"}\n', encoding="utf-8")
    with pytest.raises(UserError, match="blank"):
        wording.worded((tmp_path / "a.jsonl", 1), family=FAMILIES["qa_open"], fields={}, labels={})
