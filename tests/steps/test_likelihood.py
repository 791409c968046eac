from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conversations import talk
from polars.testing import assert_frame_equal
from tiny_model import write_model
from tiny_tokenizer import SPECIAL, WORDS, write_tokenizer

from curate import lm, load_recipe, losses, run
from curate.errors import UserError
from curate.steps.likelihood import likelihood

torch = pytest.importorskip("torch")
Builder = Callable[..., pl.DataFrame]
NUMBERS = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


def asked(*turns: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {"messages": talk(*turns), "prompt": turns[0][1], "response": turns[-1][1], **more}


def by_hand(model: Path, text: str, last: int) -> list[float]:
    """Return the losses of the last tokens of a text, straight from transformers and in float64."""
    from transformers import AutoModelForCausalLM

    ids = torch.tensor([[NUMBERS[word] for word in text.split()]])
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(str(model), local_files_only=True)(ids).logits[0].double()
    shares = torch.log_softmax(logits, dim=-1)
    return [-float(shares[at - 1, ids[0, at]]) for at in range(ids.shape[1] - last, ids.shape[1])]


def test_ifd_is_what_transformers_gives_by_hand(model: Path, make_rows: Builder) -> None:
    rows = make_rows(asked(("user", "what is two and two ?"), ("assistant", "four and two .")))
    found = likelihood(rows, model=model).row(0, named=True)
    whole = "<|start|> user what is two and two ? <|end|> <|start|> assistant four and two . <|end|>"
    *given, end = by_hand(model, whole, 5)
    alone = by_hand(model, "<|start|> assistant four and two .", 4)
    changes = sorted((one - other for one, other in zip(given, alone, strict=True)), key=abs)[2:]
    wanted = {
        "loss": sum(given) / 4,
        "perplexity": math.exp(sum(given) / 4),
        "bits_per_byte": sum(given) / math.log(2) / len("four and two ."),
        "alone": sum(alone) / 4,
        "difference": (sum(given) - sum(alone)) / 4,
        "ifd": sum(given) / sum(alone),
        "s_ifd": math.exp(sum(changes) / 2),
        "end": end,
    }
    assert found == pytest.approx(wanted, rel=1e-5)
    assert found["ifd"] != pytest.approx(1, abs=1e-4)


def test_an_answer_after_no_question_gains_nothing_from_it(model: Path, make_rows: Builder) -> None:
    rows = make_rows(asked(("assistant", "two and four")))
    found = likelihood(rows, model=model).row(0, named=True)
    assert (found["difference"], found["ifd"], found["s_ifd"]) == pytest.approx((0, 1, 1), abs=1e-6)


def test_only_the_last_answer_is_scored_and_what_follows_it_is_not_read(model: Path, make_rows: Builder) -> None:
    turns = [("user", "hello"), ("assistant", "there"), ("user", "what is two ?"), ("assistant", "four")]
    whole = make_rows(asked(*turns), asked(*turns, ("user", "and two ?"), response="four"))
    found = likelihood(whole, model=model)
    assert found.row(0) == found.row(1)
    first = "<|start|> user hello <|end|> <|start|> assistant there <|end|> "
    second = "<|start|> user what is two ? <|end|> <|start|> assistant four"
    assert found["loss"][0] == pytest.approx(by_hand(model, first + second, 1)[0], rel=1e-5)


def test_a_row_has_the_same_bits_whatever_is_scored_with_it(model: Path, make_rows: Builder) -> None:
    words = ["two", "and", "four", "?", ".", "what", "is"]
    rows = make_rows(
        *(
            asked(("user", " ".join(words[: number % 7 + 1])), ("assistant", " ".join((words * 9)[: number + 1])))
            for number in range(40)
        )
    )
    whole = likelihood(rows, model=model)
    assert whole.null_count().row(0) == (0,) * whole.width
    for place in (0, 7, 23, 39):
        assert_frame_equal(likelihood(rows[place], model=model), whole[place], check_exact=True)


@pytest.mark.parametrize("answer", ["", " \n", "two " * 200])
def test_what_is_empty_or_too_long_has_no_verdict(model: Path, make_rows: Builder, answer: str) -> None:
    rows = make_rows(asked(("user", "hello"), ("assistant", answer)), asked(("user", "hello"), ("assistant", "two")))
    empty = rows["response"] == answer
    found = likelihood(rows, model=model)
    assert found.filter(empty).null_count().row(0) == (1,) * found.width
    assert found.filter(~empty).null_count().row(0) == (0,) * found.width


def test_the_window_counts_the_whole_conversation(model: Path, make_rows: Builder) -> None:
    rows = make_rows(asked(("user", "hello"), ("assistant", "two")))  # eight tokens with their markers
    assert [likelihood(rows, model=model, window=window)["loss"].null_count() for window in (8, 7)] == [0, 1]


def test_a_model_without_a_chat_template_has_no_end(tmp_path: Path, make_rows: Builder) -> None:
    folder = write_model(tmp_path / "plain")
    (folder / "tokenizer_config.json").unlink()
    write_tokenizer(folder, template=None)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>"}')
    found = likelihood(make_rows(asked(("user", "hello"), ("assistant", "two and"))), model=folder).row(0, named=True)
    assert found["end"] is None
    assert found["loss"] == pytest.approx(sum(by_hand(folder, "hello two and", 2)) / 2, rel=1e-5)
    assert found["alone"] == pytest.approx(sum(by_hand(folder, "<s> two and", 2)) / 2, rel=1e-5)


def test_a_template_that_insists_on_a_question_gets_an_empty_one(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "strict")
    strict = "{% if messages[0].role != 'user' %}{{ raise_exception('a question, please') }}{% endif %}"
    config = (folder / "tokenizer_config.json").read_text()
    (folder / "tokenizer_config.json").write_text(config.replace('"{% for', f'"{strict}{{% for'))
    loaded = lm.load(str(folder), dtype="fp32")
    one = losses.answers(loaded, [talk(("user", "hello"), ("assistant", "two"))], window=64)[0]
    assert one is not None
    said = [[NUMBERS[word] for word in text.split()] for text in ("<|start|> user <|end|> <|start|> assistant two",)]
    assert list(one.alone.ids) == said[0]


@pytest.mark.parametrize(
    ("arguments", "said"), [({"dtype": "bf61"}, "did you mean 'bf16'"), ({"window": 1}, "holds no answer")]
)
def test_arguments_that_make_no_sense_are_refused(make_rows: Builder, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        likelihood(make_rows(), **arguments)


def test_the_files_of_an_adapter_are_its_own_and_those_of_its_base(model: Path, tmp_path: Path) -> None:
    (tmp_path / lm.ADAPTER).write_text(f'{{"base_model_name_or_path": "{model}"}}')
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    assert [path.name for path in lm.files(tmp_path)][:2] == ["adapter_config.json", "adapter_model.safetensors"]
    assert model / "model.safetensors" in lm.files(tmp_path)


def test_a_run_takes_it_from_the_cache_until_the_weights_change(tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    lines = [{"messages": talk(("user", "hello"), ("assistant", answer))} for answer in ("two", "four .", "there")]
    (tmp_path / "talk.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (tmp_path / "recipe.toml").write_text(
        'name = "scored"\n[[sources]]\nname = "talk"\npath = "talk.jsonl"\nformat = "messages"\n'
        '[[stages]]\nname = "quality"\nsteps = [{ step = "likelihood", model = "model" }]\n'
        'keep = [{ signal = "likelihood.ifd", max = 1000, why = "of no use" }]\n'
    )
    recipe = load_recipe(tmp_path / "recipe.toml")
    found = []
    for _ in range(2):
        made = run(recipe, out=tmp_path / "run")
        found.append((made.manifest["stages"][0]["steps"][0]["cached"], made.rows["likelihood.loss"].to_list()))
    assert [cached for cached, _ in found] == [False, True]
    assert found[0][1] == found[1][1] and None not in found[0][1]
    write_model(tmp_path / "model", seed=1)
    made = run(recipe, out=tmp_path / "run")
    assert not made.manifest["stages"][0]["steps"][0]["cached"]
    assert made.rows["likelihood.loss"].to_list() != found[0][1]


def test_the_catalogue_and_a_check_load_no_model(tmp_path: Path, model: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import polars as pl; from curate import catalog, schema; "
        "catalog.describe('likelihood'); step = catalog.function('likelihood', 'likelihood'); "
        f"print(step(pl.DataFrame(schema=schema.ROW), model=Path({str(model)!r})).width, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["8", "False"]
