import pytest
from tiny_model import write_model

from curate import lm as models
from tune import ranking

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> models.LanguageModel:
    return models.load(str(write_model(tmp_path_factory.mktemp("model"))), dtype="fp32")


def by_hand(lm: models.LanguageModel, text: ranking.Text) -> float:
    """Add the log-probabilities of the scored tokens, one forward pass of the whole model."""
    with torch.inference_mode():
        logits = lm.model(torch.tensor([text.ids])).logits[0].float()
    shares = torch.log_softmax(logits, dim=-1)
    return sum(float(shares[at - 1, text.ids[at]]) for at in range(text.start, len(text.ids)))


TURNS = [{"role": "user", "content": "ab ab"}, {"role": "assistant", "content": "a"}]


def test_likelihoods_are_those_of_plain_forward_passes(lm: models.LanguageModel) -> None:
    options = ranking.texts(lm, TURNS, ["a", "b a b", "ab"])
    single = ranking.texts(lm, TURNS[:1] + TURNS, ["b"])
    found = ranking.likelihoods(lm, [options, single])
    wanted = [[by_hand(lm, one) for one in group] for group in (options, single)]
    assert found[0] == pytest.approx(wanted[0], abs=1e-4)
    assert found[1] == pytest.approx(wanted[1], abs=1e-4)
    assert all(value < 0 for value in found[0])


def test_only_the_answer_is_scored(lm: models.LanguageModel) -> None:
    short, long = ranking.texts(lm, TURNS, ["a", "a b"])
    assert short.ids[: short.start] == long.ids[: long.start]
    assert 0 < short.scored < long.scored


def test_the_order_of_groups_changes_nothing(lm: models.LanguageModel) -> None:
    groups = [ranking.texts(lm, TURNS, [answer, "b"]) for answer in ("a", "ab", "b b")]
    forward = ranking.likelihoods(lm, groups)
    backward = ranking.likelihoods(lm, groups[::-1])[::-1]
    assert [value for group in forward for value in group] == pytest.approx(
        [value for group in backward for value in group], abs=1e-5
    )


def test_progress_reaches_all_texts(lm: models.LanguageModel) -> None:
    told: list[tuple[int, int]] = []
    groups = [ranking.texts(lm, TURNS, ["a", "b"]), ranking.texts(lm, TURNS, ["ab"])]
    ranking.likelihoods(lm, groups, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (3, 3)
