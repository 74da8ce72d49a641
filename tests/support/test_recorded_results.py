"""Recorded results come back if all parts are there; one of them is computed again, and must be what it was."""

import pytest
import torch

from wna_utils.support import checkout, recorded, recorded_results, tensor_files
from wna_utils.support.recorded_results import INTO, apart, in_parts, path_of


def squares(which):
    return [torch.tensor([[1.0, i], [4.0, i * i - 1]]) for i in which]


def keyed(i):
    return f"key {i}"


@pytest.fixture
def asked():
    """Which parts were asked for, in turn."""
    return []


@pytest.fixture
def compute(asked):
    def noting(which, anew):
        asked.append(list(which))
        return squares(which)

    return noting


@pytest.fixture
def path(records_folder):
    """The record of four parts."""
    path = path_of("a-chapter")
    recorded.write(path, {f"squares key {i}": part for i, part in enumerate(squares(range(4)))}, {})
    return path


@pytest.mark.usefixtures("path")
def test_recorded_parts_come_back_and_one_is_computed_again(compute, asked, monkeypatch):
    for commit in "abcdefghij":
        monkeypatch.setattr(checkout, "committed", lambda commit=commit: commit)
        found = in_parts("squares", 4, keyed, compute)
        assert torch.equal(torch.stack(found), torch.stack(squares(range(4))))
    assert all(len(which) == 1 for which in asked)
    assert len({which[0] for which in asked}) > 1


def test_who_takes_a_record_is_told_which(path, compute):
    in_parts("squares", 2, keyed, compute)
    assert recorded.title(path) in recorded.taken()


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(
    ("name", "n", "key"), [("squares", 5, keyed), ("cubes", 4, keyed), ("squares", 4, lambda i: f"another {i}")]
)
def test_if_a_part_is_missing_all_are_computed(compute, asked, name, n, key):
    in_parts(name, n, key, compute)
    assert asked == [list(range(n))]


@pytest.mark.usefixtures("path")
def test_without_records_all_is_computed(compute, asked, monkeypatch):
    monkeypatch.setenv("WNA_RECORDED", "off")
    in_parts("squares", 4, keyed, compute)
    assert asked == [[0, 1, 2, 3]]


@pytest.mark.parametrize(
    "change", [lambda part: part * 1.02, lambda part: part + torch.tensor([0, 1.0]), lambda part: part[:1]]
)
def test_part_that_is_another_now_is_told_with_a_remedy(path, change):
    with pytest.raises(ValueError, match=r"squares differ by .*git checkout .* record results-of-a-chapter") as error:
        in_parts("squares", 4, keyed, lambda which, _: [change(part) for part in squares(which)])
    assert str(path) in str(error.value)


def test_rounding_is_no_other_part(path):
    before = recorded.read(path)[0]
    found = in_parts("squares", 4, keyed, lambda which, _: [part * 1.0001 for part in squares(which)])
    assert all(torch.equal(part, before[f"squares key {i}"]) for i, part in enumerate(found))


def test_difference_is_that_of_the_worst_column_and_of_more_than_three_counts():
    before = torch.tensor([[1000.0, 1], [1002, 3]])
    assert apart(before, before + torch.tensor([0, 0.1])) == pytest.approx(0.1)
    assert apart(before, before + torch.tensor([0.2, 0.1])) == pytest.approx(0.2, rel=1e-3)
    counts = torch.tensor([[50, 0], [50, 0]])
    assert apart(counts, counts + torch.tensor([[1, 1], [1, 0]])) == 0
    assert apart(counts, counts + torch.tensor([[1, 1], [1, 1]])) == pytest.approx(0.01)
    assert apart(before, before.double()) == apart(before, before[:1]) == float("inf")
    assert apart(torch.zeros(2), torch.zeros(2)) == 0


def test_who_changes_what_was_taken_does_not_change_the_record(path, compute):
    for _ in range(2):
        for part in in_parts("squares", 4, keyed, compute):
            part.zero_()


def test_results_rest_on_networks_and_maps(path, records_folder):
    network = recorded.path_of("networks", "a-network")
    recorded.write(network, {"weight": torch.ones(2)}, {})
    recorded.list_file(network)
    rests_on = recorded_results.rests_on(["networks/a-network", "tallies/a-tally", "introspections/gone"])
    assert rests_on.keys() == {"networks/a-network", "introspections/gone"}
    about = {"rests on": {"networks/a-network": rests_on["networks/a-network"]}}
    recorded.write(path, recorded.read(path)[0], about)
    assert recorded_results.problem(path) == ""
    recorded.write(network, {"weight": torch.zeros(2)}, {})
    recorded.list_file(network)
    assert recorded_results.problem(path) == "rests on another networks/a-network than is recorded now"
    recorded.write(path, {"squares": torch.full((2,), torch.nan)}, about)
    assert recorded_results.problem(path) == "has values that are not finite"


@pytest.mark.usefixtures("path")
def test_what_takes_long_enough_is_collected_whatever_is_recorded(tmp_path, compute, asked, monkeypatch):
    into = tmp_path / "results.safetensors"
    monkeypatch.setenv(INTO, str(into))
    in_parts("quick", 2, keyed, compute)
    assert not into.exists()
    monkeypatch.setattr(recorded_results, "WORTH", 0.0)
    in_parts("squares", 2, keyed, compute)
    in_parts("others", 1, keyed, compute)
    parts, _ = tensor_files.read(into)
    assert parts.keys() == {"squares key 0", "squares key 1", "others key 0"}
    assert torch.equal(parts["squares key 1"], squares([1])[0])
    assert asked == [[0, 1], [0, 1], [0]]
