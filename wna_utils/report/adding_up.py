"""Whether the numbers of a recorded tally belong together: what its blocks added, its counts, sums and squares."""

import torch
from torch import Tensor

from wna_utils.observe import recorded_tallies as tallies
from wna_utils.observe.recorded_tallies import Shown
from wna_utils.observe.recording import by_response, unpacked
from wna_utils.observe.tally import UNIT

PIXEL = {"white": 1e-6, "trials": 1e-6, "gabor": 1e-5, "pink": 1e-5}  # relative, of a block's sum of pixels
ROUNDED = 1e-3  # what 16 bits leave of mean responses
SQUARED = 2**-7  # what 16 bits leave of sums of squares


def inconsistent(shown: Shown, tensors: dict[str, Tensor], size: int) -> str:
    """What is wrong if blocks of `size` images and sums of a tally do not belong together; empty if they do."""
    by_block = unpacked(tensors, size)
    total = tallies.together(by_block)
    if shown.of_units:
        responses, added = total["responses"].sum((0, 2, 3)).double(), by_block["by_block"].double().sum(0)
        if not ((added - responses).abs() <= ROUNDED * responses.abs().max()).all():
            return "does not add up: its blocks' responses are not those of the whole"
        return (
            "" if int(total["images"].sum()) == shown.n else "does not add up: it is not of as many images as it says"
        )
    if shown.calls or shown.activations:
        return _inconsistent_sums(shown, total, by_block["by_block"].sum(0))
    prefixes = ("stimuli ", "noise ") if shown.noise == "trials" else ("",)
    counts = by_response(total)
    for prefix in prefixes:
        sums, squares = total[f"{prefix}sums"], total[f"{prefix}squares"]
        if not torch.equal(total[f"{prefix}counts"], counts) or int(counts.sum()) != shown.n:
            return "does not add up: it is not of as many images as it says"
        if (squares > sums).any() or (sums < 0).any():  # pixels lie between 0 and 1
            return "does not add up: its sums of squares are not those of pixels"
    if not torch.equal(by_block["by_block"].sum(0), counts):
        return "does not add up: its blocks' images are not those of the whole"
    pixels = float(total[f"{prefixes[0]}sums"].double().sum())
    if not abs(float(by_block["brightness"].double().sum()) / pixels - 1) <= PIXEL["gabor"]:
        return "does not add up: its blocks' pixels are not those of the whole"
    return ""


def _inconsistent_sums(shown: Shown, total: dict[str, Tensor], by_block: Tensor) -> str:
    """What is wrong with calls or layers, of which each must count the same images, and have no variance below 0."""
    for name, counts in total.items():
        if name.endswith("counts") and not (int(counts.sum()) == shown.n and torch.equal(by_block, counts)):
            return "does not add up: it is not of as many images as it says, block by block"
    names = {"scores": "score squares"} if shown.calls else {}
    names |= {name: name.replace("sums", "squares") for name in total if name.endswith("sums")}
    for of, squared in names.items():
        sums, squares = (total[name].double() / UNIT for name in (of, squared))
        n = shown.n if shown.calls else by_block.view(-1, *[1] * (sums.ndim - 1))
        if (sums.square() > n * squares * (1 + SQUARED) + 1).any():
            return "does not add up: its sums of squares are less than they can be"
    return ""
