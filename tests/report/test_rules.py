import nbformat
import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from wna_utils.analysis.estimates import Estimate
from wna_utils.report import chapters
from wna_utils.report.rules import LEDGER, Claim, Rule, ledger

RULE = Rule(reproduced=(0.5, 0.9), partly=(0.3, None))


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (0.7, "reproduced"),
        (0.5, "reproduced"),
        (0.4, "partly"),
        (0.95, "partly"),
        (0.1, "not reproduced"),
        (np.nan, "not testable"),
    ],
)
def test_verdict_follows_from_the_ranges(value, verdict):
    assert RULE.verdict(Estimate(value, value, value, 5, "networks")) == verdict


def test_verdict_can_ask_for_the_end_of_the_interval():
    cautious = RULE.model_copy(update={"use": "low"})
    assert cautious.verdict(Estimate(0.7, 0.2, 0.8, 5, "networks")) == "undetermined"
    assert cautious.verdict(Estimate(0.25, 0.2, 0.45, 5, "networks")) == "not reproduced"


def test_what_has_no_interval_is_not_undetermined():
    assert RULE.verdict(Estimate(0.1, np.nan, np.nan, 1, "networks")) == "not reproduced"


@pytest.mark.parametrize(
    ("use", "sign"),
    [("low", 1), ("high", -1)],
)
def test_partly_needs_the_sign_that_is_claimed(use, sign):
    ends = {1: ((0.1, None), (-0.1, None)), -1: ((None, -0.1), (None, 0.1))}[sign]
    rule = Rule(use=use, reproduced=ends[0], partly=ends[1])

    def verdict(value, half):
        return rule.verdict(Estimate(sign * value, sign * value - half, sign * value + half, 5, "networks"))

    assert verdict(0.5, 0.2) == "reproduced"
    assert verdict(0.05, 0.1) == "partly"
    assert verdict(-0.05, 0.01) == "not reproduced"
    assert verdict(-0.05, 0.16) == "undetermined"


@pytest.mark.parametrize(("half", "verdict"), [(0.3, "undetermined"), (0.05, "not reproduced")])
def test_where_text_and_code_differ_the_interval_of_either_leaves_it_undetermined(half, verdict):
    text = Rule(reproduced=(0.8, 1), partly=(0.7, 1))
    of_all = {
        "section": "1",
        "where": "text",
        "statement": "It holds.",
        "paper": "yes",
        "unit": "number",
        "figure": "f",
    }
    claim = Claim(id="it", rule=text, by_code=RULE, **of_all)
    measured, as_coded = Estimate(0.1, 0, 0.2, 5, "networks"), Estimate(0.35, 0.35 - half, 0.35 + half, 3, "networks")
    assert claim.rule.verdict(measured) == "not reproduced"
    assert claim.by_code.verdict(as_coded) == "partly"
    assert claim.verdict(measured, as_coded) == verdict


def test_ledger_is_well_formed():
    assert len(ledger()) >= 100
    for claim in ledger().values():
        assert claim.rule or claim.reason
        if claim.rule:
            for low, high in (claim.rule.reproduced, claim.rule.partly):
                assert low is None or high is None or low <= high


@pytest.mark.parametrize(
    "change", [{"rule": None}, {"unit": "percents"}, {"colour": "red"}, {"figure": None}, {"reason": "none"}]
)
def test_malformed_claim_is_refused(change):
    entry = yaml.safe_load(LEDGER.read_text())[0]
    with pytest.raises(ValidationError):
        Claim(**{**entry, **change})


def test_id_cannot_stand_twice(tmp_path):
    entry = yaml.safe_load(LEDGER.read_text())[0]
    path = tmp_path / "claims.yml"
    path.write_text(yaml.safe_dump([entry, entry]))
    with pytest.raises(ValueError, match="the same id stands twice"):
        ledger(path)


def test_a_claim_can_only_repeat_a_counted_one_of_the_same_rule(tmp_path):
    first, second = yaml.safe_load(LEDGER.read_text())[:2]
    path = tmp_path / "claims.yml"
    path.write_text(yaml.safe_dump([first, second | {"same_as": first["id"]}]))
    assert not ledger(path)[second["id"]].counts
    other = second | {"same_as": first["id"], "rule": first["rule"] | {"use": "high"}}
    for i, entries in enumerate(
        (
            [first, other],
            [first | {"theorem": True}, second | {"same_as": first["id"]}],
            [second | {"same_as": "x"}],
        )
    ):
        path = tmp_path / f"{i}.yml"
        path.write_text(yaml.safe_dump(entries))
        with pytest.raises(ValueError, match="is not the same as"):
            ledger(path)


def test_every_claims_figure_exists_in_a_notebook():
    figures = {
        cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        for notebook in chapters.notebooks()
        for cell in nbformat.read(notebook, as_version=4).cells
    }
    assert {claim.figure for claim in ledger().values() if claim.figure} <= figures
