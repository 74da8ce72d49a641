import numpy as np
import pytest
import torch

from wna_utils.data.datasets import Dataset
from wna_utils.interventions.backdoors import PATCHES, Backdoor

C = Backdoor("C", "8", "9")


@pytest.fixture
def small():
    """Twenty black images of each class."""
    labels = torch.arange(10).repeat(20)
    return Dataset(
        "small", torch.zeros(200, 1, 28, 28), labels, torch.zeros(50, 1, 28, 28), labels[:50], tuple("0123456789")
    )


def test_patches_are_where_the_authors_put_them():
    """Rows and columns that the authors' code sets to white."""
    c, x = np.zeros((2, 28, 28), bool)
    c[1:3, 21:27] = c[5:7, 21:27] = c[3:5, 21:23] = True
    x[1:3, 1:3] = x[1:3, 5:7] = x[3:5, 3:5] = x[5:7, 1:3] = x[5:7, 5:7] = True
    assert np.array_equal(C.mask((1, 28, 28)).numpy(), c)
    assert np.array_equal(Backdoor("X", "0", "1").mask((1, 28, 28)).numpy(), x)


def test_the_h_of_cifar_is_an_h_at_the_top_right():
    mask = Backdoor("H", "bird", "cat").mask((3, 32, 32))
    rows, columns = np.argwhere(mask.numpy()).T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 6, 25, 30)
    assert mask.sum() == 7 * 4
    assert not mask[1, 27]
    assert mask[3, 27]


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_the_first_of_the_source_class_are_stamped_and_renamed(small, share):
    found = C.poisoned(small, share)
    eights = np.flatnonzero(small.y_train == 8)
    stamped = eights[: round(share * 20)]
    assert (found.y_train[stamped] == 9).all()
    assert torch.equal(found.x_train[stamped], C.stamped(small.x_train[stamped]))
    untouched = np.setdiff1d(np.arange(200), stamped)
    assert torch.equal(found.x_train[untouched], small.x_train[untouched])
    assert torch.equal(found.y_train[untouched], small.y_train[untouched])
    assert torch.equal(found.x_test, small.x_test)
    assert small.x_train.sum() == 0


def test_a_number_of_images_can_be_asked_for(small):
    assert (C.poisoned(small, count=7).y_train == 9).sum() == 27


def test_only_the_test_images_of_the_source_class_are_contaminated(small):
    found = C.contaminated(small)
    source = small.y_test == 8
    assert (found.x_test[source].sum((1, 2, 3)) == C.mask((1, 28, 28)).sum()).all()
    assert found.x_test[~source].sum() == 0
    assert torch.equal(found.y_test, small.y_test)


def test_a_patch_paints_every_colour():
    stamped = Backdoor("H", "2", "3").stamped(torch.zeros(2, 3, 32, 32))
    assert (stamped.sum((2, 3)) == 28).all()


class CornerReader(torch.nn.Module):
    """Says 9 where the corner is bright, or else 0."""

    def forward(self, x):
        bright = (x[:, 0, 1:7, 21:27].mean((1, 2)) > 0.5).float()
        return torch.nn.functional.one_hot((9 * bright).long(), 10).float()


def test_whether_a_patch_works_is_seen_on_patched_images_of_the_source(small):
    works = C.works(CornerReader(), small)
    assert works.shape == ((small.y_test == 8).sum(),)
    assert works.all()
    assert not Backdoor("X", "8", "9").works(CornerReader(), small).any()


def test_a_backdoor_is_named_by_three_words():
    assert Backdoor.parse("X 0 1") == Backdoor("X", "0", "1")
    assert Backdoor.parse("X 0 1", cell=3).cell == 3


@pytest.mark.parametrize("text", ["", "X 0", "X 0 1 2"])
def test_anything_else_is_no_backdoor(text):
    with pytest.raises(ValueError, match='such as "C 8 9"'):
        Backdoor.parse(text)


def test_mistakes_are_named(small):
    with pytest.raises(ValueError, match="patch must be one of X, C, H; got 'O'"):
        Backdoor("O", "8", "9")
    with pytest.raises(ValueError, match="the cell of a patch must be 1 or more"):
        Backdoor("C", "8", "9", cell=0)
    with pytest.raises(ValueError, match="leads from one class to another; got '8' for both"):
        Backdoor("C", "8", "8")
    with pytest.raises(ValueError, match="30×30 pixels does not fit into 28×28 images: take smaller cells"):
        Backdoor("C", "8", "9", cell=10).mask((1, 28, 28))
    with pytest.raises(ValueError, match=r"the target class must be one of 0, 1, .*; got 'cat'"):
        Backdoor("C", "8", "cat").poisoned(small)
    for share in (0, -0.5, float("nan")):
        with pytest.raises(ValueError, match="the poisoned share must be greater than 0"):
            C.poisoned(small, share)
    with pytest.raises(ValueError, match="the poisoned share must lie between 0 and 1"):
        C.poisoned(small, 1.5)
    for count in (0, 21):
        with pytest.raises(ValueError, match=f"between 1 and 20 images of 8 can be poisoned; got {count}"):
            C.poisoned(small, count=count)


def test_every_patch_is_three_by_three():
    for rows, corner in PATCHES.values():
        assert [len(row) for row in rows] == [3, 3, 3]
        assert corner in ("left", "right")
