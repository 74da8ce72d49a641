import pytest
import yaml

from wna_utils.support import yaml12


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-1", 0.1),
        ("1E3", 1000.0),
        ("010", 10),
        ("+2", 2),
        ("-.5", -0.5),
        ("2.", 2.0),
        (".inf", float("inf")),
        ("-.INF", -float("inf")),
        ("10_000_000", 10_000_000),
        ("0x10", 16),
        ("0o17", 15),
        ("!!int 010", 10),
        ("1:30", "1:30"),
        ("true", True),
        ("1 7", "1 7"),
        ("[0.1, .5]", [0.1, 0.5]),
    ],
)
def test_numbers_are_those_of_version_1_2(text, value):
    found = yaml12.load(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["!!python/object/apply:os.getcwd []", "!!int x", "2020-13-45", "9" * 5_000, "[1"])
def test_nothing_but_plain_values_is_read(text):
    with pytest.raises(yaml.YAMLError):
        yaml12.load(text)
