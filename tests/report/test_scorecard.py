from datetime import date

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.conftest import chapter_of
from wna_utils.analysis.estimates import Estimate
from wna_utils.report import scorecard
from wna_utils.report.measured import Measured
from wna_utils.report.rules import NOT_JUDGED, Amendment, Claim, Rule, ledger


def test_scorecard_lists_every_claim_with_its_verdict(tmp_path):
    def output(name, text):
        data = {"application/papermill.record/text/plain": text}
        return new_output("display_data", data=data, metadata={"scrapbook": {"name": name}})

    metric = '{"value": 0.99, "low": 0.989, "high": 0.991, "n": 5, "of": "networks"}'
    outputs = [("metric: s31_cnn_accuracy", metric), ("shown: s31_cnn_accuracy", "noise: 5 × 9, recorded")]
    cell = new_code_cell("", outputs=[output(*each) for each in [*outputs, ("other", "1")]])
    chapter = tmp_path / "chapter.ipynb"
    nbformat.write(new_notebook(cells=[cell]), chapter)
    missing = scorecard.write_scorecard(Measured.of([chapter]), tmp_path)
    text = (tmp_path / "scorecard.md").read_text()
    assert len(missing) == sum(claim.rule is not None for claim in ledger().values()) - 1
    assert all(claim.statement in text for claim in ledger().values())
    assert "99.00 % (95 % CI 98.90 to 99.10 %; n = 5 networks)\n\n    noise: 5 × 9, recorded\n" in text
    assert ledger()["s31_cnn_accuracy"].southampton in text
    assert "{bdg-success}`reproduced`" in text
    summary = (tmp_path / "summary.md").read_text()
    assert f"Of {sum(claim.counts for claim in ledger().values())} claims: **1** reproduced" in summary
    assert "| §3.1 | 1 |" in summary


def test_nothing_is_judged_if_one_chapter_has_sizes_for_trying_things_out(tmp_path):
    scorecard.write_scorecard(Measured.of([chapter_of("book", tmp_path), chapter_of("smoke", tmp_path)]), tmp_path)
    assert NOT_JUDGED in (tmp_path / "scorecard.md").read_text()
    assert "reproduced" not in (tmp_path / "summary.md").read_text()


CLAIM = {
    "id": "a",
    "section": "1",
    "where": "text",
    "statement": "It works.",
    "paper": "yes",
    "unit": "number",
    "figure": "fig-a",
    "rule": {"reproduced": (0.5, 1), "partly": (0.2, 1)},
}


@pytest.fixture
def card(tmp_path, monkeypatch):
    """Scorecard and summary of a ledger of these claims, for which estimates (and the code's) were recorded."""

    def written(claims, recorded):
        listed = {each.id: each for each in (Claim(**{**CLAIM, **entry}) for entry in claims)}
        monkeypatch.setattr(scorecard, "ledger", lambda: listed)
        glued = [
            (f"{prefix}{name}", value)
            for name, *values in recorded
            for prefix, value in zip(PREFIXES, values, strict=False)
        ]
        outputs = [
            new_output(
                "display_data",
                data={"text/plain": f'{{"value": {value}, "low": 0.1, "high": 0.9, "n": 5, "of": "networks"}}'},
                metadata={"scrapbook": {"name": name}},
            )
            for name, value in glued
        ]
        nbformat.write(new_notebook(cells=[new_code_cell("", outputs=outputs)]), tmp_path / "x.ipynb")
        scorecard.write_scorecard(Measured.of([tmp_path / "x.ipynb"]), tmp_path)
        return (tmp_path / "scorecard.md").read_text(), (tmp_path / "summary.md").read_text()

    return written


PREFIXES = ("metric: ", "by the code: ")


def test_amended_claim_shows_its_old_rule_its_old_verdict_and_why(card):
    rule = {"use": "low", "reproduced": (0.7, None), "partly": (0.3, None)}
    amended = [{"when": date(2026, 11, 26), "why": "it could not fail", "verdict": "partly", "rule": rule}]
    text, _ = card([{"amended": amended}], [("a", 0.6)])
    assert "Amended 2026-11-26: it could not fail." in text
    assert "Its rule was: low end from 0.7; partly from 0.3. By that it was *partly*." in text
    assert "`reproduced`\n\n    0.5 to 1; partly 0.2 to 1\n" in text


def test_what_only_the_codes_rule_reproduces_is_said_to_be_so(card):
    claims = [{"by_code": {"reproduced": (0.5, 1), "partly": (0, 1)}}]
    text, summary = card(claims, [("a", 0.1, 0.6)])
    assert "{bdg-info}`reproduced by the code's rule`" in text
    assert "by the code: 0.60 (95 % CI 0.10 to 0.90; n = 5 networks)" in text
    assert "**1** reproduced by the code's rule" in summary
    assert "{bdg-success}`reproduced`" in card(claims, [("a", 0.6, 0.1)])[0]
    assert "{bdg-secondary}`undetermined`" in card(claims, [("a", 0.1, 0.2)])[0]  # up to 0.9


def test_predictions_of_our_own_are_counted_apart(card):
    text, summary = card([{}, {"id": "b", "own": True}], [("a", 0.6), ("b", 0.6)])
    assert "Of 1 claims: **1** reproduced." in summary
    assert "Of 1 predictions and questions of our own, also not counted: 1 reproduced." in summary
    assert text.count("A prediction or question of our own") == 1


def test_what_was_not_shown_is_told_from_what_was_refuted(card):
    """The intervals are 0.1 to 0.9: they reach 0.5, but not 0.95."""
    rules = {"a": (0.5, None), "b": (0.95, None), "c": (None, 0.05)}
    claims = [{"id": name, "rule": {"reproduced": ends, "partly": ends}} for name, ends in rules.items()]
    text, summary = card(claims, [("a", 0.3), ("b", 0.3), ("c", 0.3)])
    assert text.count("`not reproduced`") == 2
    assert text.count("`undetermined`") == 1
    assert "**1** undetermined, **2** not reproduced" in summary


def test_what_the_value_alone_reproduces_is_counted(card):
    """The intervals are 0.1 to 0.9: they leave 0.5 to 1, but not 0 to 1."""
    claims = [
        {},
        {"id": "b", "rule": {"reproduced": (0, 1), "partly": (0, 1)}},
        {"id": "c", "rule": {"use": "low", "reproduced": (0.05, None), "partly": (0, None)}},
        {"id": "d", "by_code": {"reproduced": (0.5, 1), "partly": (0, 1)}},
        {"id": "e"},
    ]
    estimates = [("a", 0.6), ("b", 0.6), ("c", 0.6), ("d", 0.1, 0.6), ("e", 0.3)]
    assert "Of what is reproduced, 2 are so by the value alone" in card(claims, estimates)[1]
    assert "by the value alone" not in card(claims[1:2], estimates[1:2])[1]


def test_theorems_and_rows_that_repeat_another_are_not_counted(card):
    claims = [{}, {"id": "b", "theorem": True}, {"id": "c", "same_as": "a"}]
    text, summary = card(claims, [(name, 0.6) for name in "abc"])
    assert "Of 1 claims: **1** reproduced." in summary
    assert "Of 1 theorems, which are checked and not counted, 1 hold." in summary
    assert "1 rows that say again what another says are not counted." in summary
    assert "A theorem: this checks it" in text
    assert "Said in another row, too (“It works.”)" in text


def test_chance_and_networks_are_counted_by_hand(card):
    """A quarter of the values from −1 to 1, and 2.5 % for a difference from chance; one claim is not about networks."""
    low = {"use": "low", "reproduced": (0, 1), "partly": (-1, 1)}
    claims = [{"id": name, "about": "networks" if name == "a" else "data"} for name in "abcdefgh"]
    _, summary = card([*claims, {"id": "i", "rule": low}], [(name, 0.6) for name in "abcdefghi"])
    assert sum(Claim(**{**CLAIM, **each}).chance() for each in claims) == 2.0
    assert "chance alone would give about 2 “reproduced”" in summary
    assert "Of the 2 rules about networks, 2 are decided by 3 networks or more." in summary


def test_rules_for_which_two_networks_are_all_there_are_are_told_apart(card):
    claims = [{}, {"id": "b", "few": scorecard.TWO_THERE_ARE}, {"id": "c", "few": "two decide, of five"}]
    _, summary = card(claims, [(name, 0.6) for name in "abc"])
    told = (
        "Of the 3 rules about networks, 1 are decided by 3 networks or more; for 1 others, about networks of ImageNet"
    )
    assert f"{told}, {scorecard.TWO_THERE_ARE}." in summary


@pytest.mark.parametrize(
    ("rule", "possible", "chance"),
    [
        (Rule(reproduced=(0.2, 0.4), partly=(0, 1)), (0, 1), 0.2),
        (Rule(reproduced=(0.5, None), partly=(0, None)), (-1, 1), 0.25),
        (Rule(reproduced=(None, -0.5), partly=(None, 0)), (-1, 1), 0.25),
        (Rule(reproduced=(-3, 3), partly=(-3, 3)), (-1, 1), 1.0),
        (Rule(use="low", reproduced=(0.2, 1), partly=(0, 1)), (0, 1), 0.025),
    ],
)
def test_chance_is_the_share_of_what_is_possible(rule, possible, chance):
    assert rule.chance(possible) == pytest.approx(chance)


def test_what_is_counted_has_whole_numbers():
    assert Rule(reproduced=(10, 10), partly=(8, 10)).chance((0, 10), counted=True) == pytest.approx(1 / 11)
    assert Rule(reproduced=(8.5, None), partly=(8, None)).chance((0, 10), counted=True) == pytest.approx(2 / 11)


def test_few_networks_and_the_order_of_rule_and_run_are_told(card):
    text, _ = card([{"few": "it is slow", "order": "history"}], [("a", 0.6)])
    assert "Fewer than 3 networks decide: it is slow." in text
    assert "The history shows the rule committed before the run." in text


def test_an_amendment_must_say_when_why_and_what_came_out():
    with pytest.raises(ValueError, match="why"):
        Amendment(when=date(2026, 1, 1), verdict="partly")


@pytest.mark.parametrize(
    ("claim", "estimate", "told"),
    [
        ({}, {}, []),
        ({}, {"low": float("nan")}, ["has no interval"]),
        ({"no_interval": "all are counted"}, {"low": float("nan")}, []),
        ({}, {"n": 2}, ["few networks decide"]),
        ({}, {"n": 60, "of": "units"}, ["few networks decide"]),
        ({"few": "they are dear"}, {"n": 1}, []),
        ({"about": "data"}, {"n": 60, "of": "units"}, []),
        ({"theorem": True}, {"n": 60, "of": "units"}, []),
        ({}, {"n": 12, "of": "clean networks"}, []),
    ],
)
def test_what_lacks_an_interval_or_networks_needs_a_reason(monkeypatch, claim, estimate, told):
    monkeypatch.setattr(scorecard, "ledger", lambda: {"a": Claim(**{**CLAIM, **claim})})
    found = Estimate(**{"value": 0.6, "low": 0.5, "high": 0.7, "n": 5, "of": "networks"} | estimate)
    problems = scorecard._unexplained(Measured({"a": found}, {}, {}, {}, judged=True))
    assert len(problems) == len(told)
    assert all(words in problem for words, problem in zip(told, problems, strict=True))
    assert not scorecard._unexplained(Measured({"a": found}, {}, {}, {}, judged=False))


def test_order_of_rules_and_results_is_counted_and_said_row_by_row(card):
    rule = {"use": "low", "reproduced": (0.7, None), "partly": (0.3, None)}
    amended = {"when": date(2026, 11, 26), "why": "it could not fail", "verdict": "partly"}
    claims = [
        {"order": "history", "amended": [amended | {"rule": rule}]},
        {"id": "b", "amended": [amended]},
        {"id": "c", "order": "history", "note": "Only so much is known."},
    ]
    text, summary = card(claims, [(name, 0.6) for name in "abc"])
    assert "Of 3 rules, 1 were replaced in the open after a first result had been seen; of 1 more," in summary
    assert "the history shows of 2; of the others it is our word" in summary
    assert text.count("The history shows the first rule committed before the run.") == 1
    assert text.count("The history shows the rule committed before the run.") == 1
    assert text.count("that the rule was first, the history does not show") == 1
    assert "Only so much is known." in text


@pytest.mark.parametrize(("value", "low", "met"), [(1.0, 0.72, False), (1.0, 0.85, True), (0.9, 0.72, True)])
def test_rule_that_so_few_cannot_meet_is_refused(value, low, met):
    rule = Rule(use="low", reproduced=(0.8, 1), partly=(0.5, 1))
    ours = Estimate(value, low, 1.0, 10, "networks")
    assert scorecard._out_of_reach(rule, "percent", ours) is not met


def test_prototypes_that_had_been_seen_are_counted(card):
    claims = [{"id": "a", "order": "history", "note": "Seen in the prototype."}, {"id": "b", "order": "history"}]
    _, summary = card(claims, [("a", 0.6), ("b", 0.6)])
    assert "the history shows of 2 (for 1 of them a prototype had been run); of the others" in summary
