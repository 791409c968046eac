from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
import pytest
from tiny_filter import BAD, GOOD, write_filter, write_texts
from typer.testing import CliRunner

from curate import embed, filtercard, fit, trained
from curate.cli.main import app
from curate.errors import UserError
from curate.schema import canonical, digest

pytest.importorskip("sklearn")


def encode(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Stand in for the encoder: a vector that says nothing of the text, but is the same for the same text."""
    found = np.array([list(hashlib.sha256(text.encode()).digest()[:8]) for text in texts], dtype=np.float32)
    unit: npt.NDArray[np.float32] = found.reshape(-1, 8) / np.linalg.norm(found.reshape(-1, 8), axis=1, keepdims=True)
    return unit


def other(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    return encode([text[::-1] for text in texts])


def files(folder: Path, good: Sequence[Any] = GOOD, bad: Sequence[Any] = BAD) -> tuple[Path, Path]:
    return write_texts(folder / "good.jsonl", good), write_texts(folder / "bad.jsonl", bad)


def test_a_filter_tells_new_texts_apart_and_a_text_alone_scores_the_same(tmp_path: Path) -> None:
    write_filter(tmp_path, encode)
    fitted = trained.load(tmp_path / "filter")
    texts = ["The pillow is described with care, and every claim is explained.", "lol pillow idk whatever blah", ""]
    scores = fitted.scores(texts, encode)
    assert scores[0] > 0.8
    assert scores[1] < 0.2
    assert [fitted.scores([text], encode)[0] for text in texts] == scores
    assert fitted.scores([], encode) == []


def test_what_was_saved_scores_as_what_was_fitted(tmp_path: Path) -> None:
    found = write_filter(tmp_path, encode)
    assert trained.load(tmp_path / "filter").scores(GOOD + BAD, encode) == found.scores(GOOD + BAD, encode)


def test_the_same_examples_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    for name, order in (("one", 1), ("two", -1)):
        good, bad = files(tmp_path / name, GOOD[::order], BAD[::order])
        found = fit.fit(fit.examples(good, bad), name="a", encoder="none", encode=encode, precision=0.9, share=0.5)
        for side in ("positive", "negative"):
            found.facts["trained"][side]["sha256"] = ""
        (tmp_path / name / "filter").mkdir()
        trained.save(tmp_path / name / "filter", found)
    for name in (trained.FACTS, trained.WEIGHTS, trained.NGRAMS):
        one, two = ((tmp_path / folder / "filter" / name).read_bytes() for folder in ("one", "two"))
        assert one == two, name


def test_figures_are_of_texts_out_of_fold(tmp_path: Path) -> None:
    # Words that nothing else shares: a filter can learn each by heart and predict none.
    made = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(120)]
    good, bad = files(tmp_path, made[:60], made[60:])
    found = fit.fit(fit.examples(good, bad), name="noise", encoder="none", encode=encode, precision=0.9, share=0.5)
    assert 0.3 < found.facts["auroc"][0] < 0.7
    assert (found.facts["below"], found.facts["above"]) == (None, None)
    learnt = np.array(found.scores(made, encode))
    assert learnt[:60].min() > learnt[60:].max()  # by heart


def test_copies_of_a_text_stand_in_one_fold(tmp_path: Path) -> None:
    long = [
        f"{one} It is a sentence of many words that goes on and on about {n} and ends here"
        for n, one in enumerate(GOOD)
    ]
    near = [f"{text}, at last." for text in long]  # a word or two more, in each of them
    good, bad = files(tmp_path, [*long, *near, *(text.upper() for text in long)], BAD)
    known = fit.examples(good, bad)
    assert known.facts["positive"]["texts"] == 75
    assert known.facts["positive"]["distinct"] == 50  # another case is the same text
    place = dict(zip((text.casefold() for text in known.texts), fit.folds(known).tolist(), strict=True))
    assert all(place[one.casefold()] == place[two.casefold()] for one, two in zip(long, near, strict=True))
    assert len(set(place.values())) == fit.FOLDS


def test_a_text_in_both_files_is_left_out_and_counted(tmp_path: Path) -> None:
    good, bad = files(tmp_path, GOOD, [*BAD, GOOD[0].upper(), GOOD[1]])
    known = fit.examples(good, bad)
    assert known.facts["in_both"] == 2
    assert GOOD[0] not in known.texts
    assert GOOD[1] not in known.texts
    assert len(known.texts) == 48


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        (GOOD, [], r"bad\.jsonl: holds 0 different texts"),
        ([], BAD, r"good\.jsonl: holds 0 different texts"),
        (GOOD, BAD[:3], r"bad\.jsonl: holds 3 different texts .*"),
        (GOOD, [BAD[0]] * 500, r"bad\.jsonl: holds 1 different texts"),
        (GOOD, GOOD, r"good\.jsonl: holds 0 different texts of its own, 25 more are in both files"),
        (GOOD, ["", " ", None, 3, *BAD[:2]], r"bad\.jsonl: holds 2 different texts"),
        (
            [chr(0x4E00 + n) for n in range(30)],
            [chr(0x5E00 + n) for n in range(30)],
            "no run of letters stands in three",
        ),
    ],
)
def test_examples_that_teach_nothing_are_refused(tmp_path: Path, good: list[Any], bad: list[Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        fit.fit(
            fit.examples(*files(tmp_path, good, bad)), name="a", encoder="", encode=encode, precision=0.9, share=0.5
        )
    assert caught.value.code == 4


def test_an_empty_file_and_near_copies_alone_are_refused(tmp_path: Path) -> None:
    good, bad = files(tmp_path)
    bad.write_text("")
    with pytest.raises(UserError, match="holds 0 different"):
        fit.examples(good, bad)
    same = [f"{'one and the same sentence again and again with every word ' * 9} {number}" for number in range(25)]
    with pytest.raises(UserError, match="near copies of each other"):
        known = fit.examples(*files(tmp_path, GOOD, same))
        fit.fit(known, name="a", encoder="", encode=encode, precision=0.9, share=0.5)


def test_the_text_is_found_in_any_form(tmp_path: Path) -> None:
    pl.DataFrame({"prompt": ["?"] * 25, "response": GOOD}).write_parquet(tmp_path / "good.parquet")
    pl.DataFrame({"id": range(25), "text": BAD}).write_csv(tmp_path / "bad.csv")
    known = fit.examples(tmp_path / "good.parquet", tmp_path / "bad.csv")
    assert [known.facts[side]["column"] for side in ("positive", "negative")] == ["response", "text"]
    assert sorted(known.texts) == sorted(GOOD + BAD)
    with pytest.raises(UserError, match=r"good\.parquet: line 1 has no column 'text'; known: prompt, response"):
        fit.examples(tmp_path / "good.parquet", tmp_path / "bad.csv", column="text")
    write_texts(tmp_path / "odd.jsonl", GOOD, column="body")
    with pytest.raises(UserError, match=r"none of the columns text, .*\(it has body\).*--column"):
        fit.examples(tmp_path / "odd.jsonl", tmp_path / "bad.csv")


def test_another_encoder_is_refused(tmp_path: Path) -> None:
    write_filter(tmp_path, encode)
    with pytest.raises(UserError, match="was trained with another encoder"):
        trained.load(tmp_path / "filter").scores(["a text"], other)


def change(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)


def loosened(folder: Path) -> None:
    facts = orjson.loads((folder / trained.FACTS).read_bytes())
    facts["below"] = {**(facts["below"] or {}), "at": 0.99}
    change(folder, trained.FACTS, orjson.dumps(facts))


def pickled(folder: Path) -> None:
    """Put an array of objects, which numpy can only unpickle, where the weights are, with the right hashes."""
    np.savez(folder / trained.WEIGHTS, dense=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    facts = orjson.loads((folder / trained.FACTS).read_bytes())
    facts.pop("digest")
    facts["files"][trained.WEIGHTS] = hashlib.sha256((folder / trained.WEIGHTS).read_bytes()).hexdigest()
    change(folder, trained.FACTS, orjson.dumps({"digest": digest(canonical(facts)), **facts}))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / trained.FACTS).rename(folder / "model.pkl"), r"no pickles are read"),
        (lambda folder: (folder / trained.WEIGHTS).unlink(), r"has no weights\.npz"),
        (lambda folder: change(folder, trained.WEIGHTS, b"\x80\x04K\x01."), r"weights\.npz is not the file"),
        (lambda folder: change(folder, trained.NGRAMS, b"[]"), r"ngrams\.json is not the file"),
        (lambda folder: change(folder, trained.FACTS, b"{}"), "is damaged"),
        (lambda folder: change(folder, trained.FACTS, b"[" * 100_000), "is damaged"),
        (loosened, "was changed after it was written"),
        (pickled, "is damaged: .*allow_pickle"),
    ],
)
def test_a_folder_that_is_not_as_it_was_written_is_refused(tmp_path: Path, spoil: Any, said: str) -> None:
    write_filter(tmp_path, encode)
    spoil(tmp_path / "filter")
    with pytest.raises(UserError, match=said) as caught:
        trained.load(tmp_path / "filter")
    assert caught.value.code == 4


def test_the_card_tells_files_figures_and_limits_and_is_not_broken_by_a_name(tmp_path: Path) -> None:
    write_filter(tmp_path, encode)
    facts = json.loads((tmp_path / "filter" / trained.FACTS).read_bytes())
    text = filtercard.card({**facts, "name": "a | b\n# c"}, sha="ab", folder="filter")
    assert text.startswith("# a \\| b # c\n")
    sha = facts["trained"]["positive"]["sha256"][:16]
    assert f"| positive | good.jsonl | text | 25 | 25 | 0 without text, 0 unreadable | `{sha}…` |" in text
    assert f"{facts['auroc'][0]:.3f}" in text
    assert "## Limits" in text


class Encoder:
    """Stands in for the real one."""

    model = "none"

    def encode(self, texts: Sequence[str], **_: Any) -> npt.NDArray[np.float32]:
        return encode(texts)


def test_the_command_writes_filter_and_card_and_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "load", lambda model: Encoder())
    good, bad = files(tmp_path)
    monkeypatch.chdir(tmp_path)
    command = ["fit", "care", "--positive", str(good), "--negative", str(bad), "--precision", "0.8"]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0, shown.output
    assert "trained on 25 positive and 25 negative texts" in shown.output
    fitted = trained.load(tmp_path / "care")
    assert f"min up to {fitted.facts['below']['at']:g} may drop: 25 right" in shown.output
    assert fitted.digest in (tmp_path / "care" / "README.md").read_text(encoding="utf-8")
    told = json.loads(CliRunner().invoke(app, [*command, "--out", "other", "--json"]).output)
    assert (told["folder"], told["digest"]) == ("other", fitted.digest)
    again = CliRunner().invoke(app, command)
    assert isinstance(again.exception, UserError)
    assert "is not empty" in again.exception.what
