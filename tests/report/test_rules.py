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
    assert cautious.verdict(Estimate(0.7, 0.2, 0.8, 5, "networks")) == "not reproduced"


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
    with pytest.raises(ValueError, match="same id twice"):
        ledger(path)


def test_a_claim_can_only_repeat_one_that_repeats_none(tmp_path):
    first, second, third = yaml.safe_load(LEDGER.read_text())[:3]
    path = tmp_path / "claims.yml"
    path.write_text(yaml.safe_dump([first, second | {"same_as": first["id"]}]))
    assert not ledger(path)[second["id"]].counts
    for repeated in ("x", second["id"]):
        path = tmp_path / f"{repeated}.yml"
        entries = [first, second | {"same_as": first["id"]}, third | {"same_as": repeated}]
        path.write_text(yaml.safe_dump(entries))
        with pytest.raises(ValueError, match="no claim of its own"):
            ledger(path)


def test_every_claims_figure_exists_in_a_notebook():
    figures = {
        cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        for notebook in chapters.notebooks()
        for cell in nbformat.read(notebook, as_version=4).cells
    }
    assert {claim.figure for claim in ledger().values() if claim.figure} <= figures


def test_a_row_that_is_not_counted_repeats_the_rule_of_one_that_is():
    for claim in ledger().values():
        if claim.same_as:
            assert ledger()[claim.same_as].counts
            assert ledger()[claim.same_as].rule == claim.rule
