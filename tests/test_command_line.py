"""The commands say what they can do, and what is wrong, in one sentence."""

import re

import pytest

from wna_utils import __main__
from wna_utils.__main__ import main


def run(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["wna_utils", *words])
    main()


def test_without_a_command_it_says_what_there_is(monkeypatch, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch)
    assert stopped.value.code == 2
    assert "usage: python -m wna_utils" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["run", "s31_classifier_bias"],
            "notebook must be one of .*s31_classifier_biases.*; got 's31_classifier_bias'",
        ),
        (["sweep", "x", "-p", "seed=0", "-o", "out"], "notebook must be one of .*; got 'x'"),
        (["record", "imagenet"], "record must be one of .*; got 'imagenet'"),
    ],
)
def test_wrong_name_is_told_with_the_names_there_are(monkeypatch, words, sentence):
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, *words)
    assert re.search(sentence, str(stopped.value))


def test_what_is_fetched_on_demand_can_be_fetched_beforehand_by_its_name(monkeypatch, capsys, tmp_path):
    for name in __main__.ON_DEMAND:
        monkeypatch.setitem(__main__.ON_DEMAND, name, lambda name=name: tmp_path / name)
    run(monkeypatch, "data", "alexnet", "human_it", "imagenet_sample")
    fetched = [f"{name}: {tmp_path / name}" for name in ("alexnet", "human_it", "imagenet_sample")]
    assert capsys.readouterr().out.splitlines() == fetched
    assert not set(__main__.ON_DEMAND) & set(__main__.DATA)


def test_the_book_is_made_step_by_step_and_stops_at_what_fails(monkeypatch):
    steps = []
    for name in ("fetch_data", "audit_records", "run_notebooks", "write_pages", "write_lab", "build_site"):
        monkeypatch.setattr(__main__, name, lambda *_, name=name, **__: steps.append(name))
    run(monkeypatch, "book", "--profile", "smoke", "--jobs", "1")
    assert steps == ["fetch_data", "audit_records", "run_notebooks", "write_pages", "write_lab", "build_site"]
    steps.clear()
    monkeypatch.setattr(__main__, "audit_records", lambda *_, **__: __main__._stop_at(["a record is another"]))
    with pytest.raises(SystemExit, match="a record is another"):
        run(monkeypatch, "book")
    assert steps == ["fetch_data"]
