"""Maps as templates: classification images, how well they classify, and what a network calls them."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from wna_utils.analysis.estimates import Estimate, proportion
from wna_utils.data.datasets import Dataset
from wna_utils.networks.training import predict
from wna_utils.observe.tally import ClassTally, Maps, empty_maps
from wna_utils.support.checks import one_of

MATCHING_RULES = ("dot", "cosine", "centred")


def classification_image(means: Maps) -> np.ma.MaskedArray:
    """Eq. 1 for two signals and responses: means n̄ˢʳ (2, 2, c, h, w) → c = Σₛ n̄ˢ¹ − Σₛ n̄ˢ².

    Positive where brightness speaks for the first class, as in the paper's Fig. 1 (Eq. 1 itself has the other sign).
    Masked if any cell is empty: the equation gives each cell the same weight, and there is nothing to weigh.
    """
    return np.ma.asarray(means[0, 0] + means[1, 0] - means[0, 1] - means[1, 1])


def match_templates(templates: Maps, images: Tensor, rule: str = "dot") -> np.ndarray:
    """Class (n,) whose template (K, c, h, w) fits each image (n, c, h, w) best; a masked template is never chosen.

    "dot" is the raw dot product, the paper's rule; "cosine" divides by the template's length; "centred" is the
    correlation of template and image. Raises `ValueError` for another rule or if every template is masked.
    """
    one_of("rule", rule, MATCHING_RULES)
    masked = empty_maps(templates)
    if masked.all():
        raise ValueError("there is no template to match: every class is empty")
    flat = np.ma.getdata(templates).reshape(len(templates), -1)
    if rule == "centred":
        flat = flat - flat.mean(1, keepdims=True)
    if rule != "dot":
        flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    scores = images.flatten(1).double().numpy() @ np.where(masked[:, None], 0, flat).T  # (n, K)
    return np.where(masked, -np.inf, scores).argmax(1)


def template_accuracy(templates: Maps, images: Tensor, labels: Tensor, rule: str = "dot") -> Estimate:
    """Share of images that `match_templates` classifies correctly."""
    correct = match_templates(templates, images, rule) == labels.numpy()
    return proportion(int(correct.sum()), len(correct), "test images")


def template_accuracies(sets: Iterable[Maps], dataset: Dataset, rule: str = "dot") -> np.ndarray:
    """Share of the test images that each set of templates (K, c, h, w) classifies correctly, (sets,)."""
    return np.array([template_accuracy(maps, dataset.x_test, dataset.y_test, rule).value for maps in sets])


def pair_accuracy(template: Maps, images: Tensor, labels: Tensor, rule: str = "dot") -> Estimate:
    """Share of images of two classes that one template (c, h, w) classifies correctly; n is 0 if it is masked.

    An image is called the first class if its product with the template is positive.
    """
    if np.ma.getmaskarray(template).any():
        return proportion(0, 0, "test images")
    return template_accuracy(np.ma.stack([template, -template]), images, labels, rule)


def strength_and_error(template: Maps, standard_error: Maps) -> tuple[float, float]:
    """RMS of a template over pixels, corrected for sampling noise, and the RMS of its standard error.

    `standard_error` (…, c, h, w) holds those of the means that the template sums up. NaN if one of them is masked.
    """
    if np.ma.getmaskarray(template).any() or np.ma.getmaskarray(standard_error).any():
        return np.nan, np.nan
    errors = standard_error.reshape(-1, *template.shape)
    variance = float((errors**2).sum(0).mean())
    return np.sqrt(max(float((template**2).mean()) - variance, 0)), np.sqrt(variance)


def confusion(truth: Tensor | np.ndarray, response: np.ndarray, classes: int) -> np.ndarray:
    """Confusion matrix (K, K): share of each true class (row) that gets each response (column)."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(truth, response, labels=range(classes), normalize="true")


def stretch(maps: Maps) -> Maps:
    """Each map (K, c, h, w) stretched to [0, 1], as the original does before it shows one to a network."""
    axes = tuple(range(1, maps.ndim))
    low, high = maps.min(axes, keepdims=True), maps.max(axes, keepdims=True)
    return (maps - low) / (high - low)


def read_back(network: nn.Module, maps: Maps) -> np.ma.MaskedArray:
    """Class (K,) that a network gives each stretched map; masked for an empty class."""
    empty = empty_maps(maps)
    shown = torch.from_numpy(np.ma.filled(stretch(maps), 0.5)).float()
    return np.ma.masked_array(predict(network, shown).numpy(), mask=empty)


def pool(tally: ClassTally, groups: int, weights: np.ndarray) -> np.ma.MaskedArray:
    """Class means (K, c, h, w) of a tally of K·`groups` rows, the images of group i weighted by `weights[i]`.

    A class whose images all weigh nothing is masked.
    """
    means = np.ma.filled(tally.means, 0)
    means = means.reshape(-1, groups, *means.shape[1:])  # (K, groups, c, h, w)
    weight = tally.counts.reshape(-1, groups) * weights  # (K, groups)
    total = weight.sum(1).reshape(-1, *[1] * (means.ndim - 2))
    with np.errstate(invalid="ignore"):
        return np.ma.masked_invalid(np.einsum("kg,kg...->k...", weight, means) / total)
