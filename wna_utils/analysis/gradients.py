"""Mean gradients of units over noise, which spike-triggered averages estimate (§3.3, Stein's lemma)."""

import numpy as np
import torch
from torch import Tensor, nn

from wna_utils.networks.layers import field_of
from wna_utils.networks.observer import observer_of
from wna_utils.stimuli.blocks import Source
from wna_utils.support.checks import at_least, positive
from wna_utils.support.progress import bar, without_widgets

AT_ONCE = 200  # noisy images in a batch of SmoothGrad's


def mean_gradients(observer: nn.Module, source: Source, n: int, device: str = "auto") -> tuple[np.ndarray, np.ndarray]:
    """Mean gradient of each unit's response with respect to the stimulus, and its standard error: both (m, c, s, s).

    For stimuli of the size of a receptive field, so that the observer has each unit in one position; for normal noise
    it is what `FieldTally.slope` converges to. The observer is not changed. Raises `ValueError` for fewer than two
    stimuli, or stimuli of another size.
    """
    at_least("n", n, 2)
    units = observer_of(observer, source.shape, device=device)
    field = field_of(units.network, source.shape)
    if field.positions != (1, 1) or field.margins != [0] * 4:
        raise ValueError(
            f"stimuli must be as large as the receptive field, {field.size[0]}×{field.size[1]} pixels, without "
            f"padding; got {source.shape[1]}×{source.shape[2]}"
        )
    sums = squares = np.zeros(0)
    with bar(total=n, desc="averaging gradients", unit=" images", unit_scale=True) as progress:
        for number in range(-(-n // source.block_size)):
            stimuli = source.block(number, units.device).stimuli[: n - number * source.block_size]
            for x in units.batches(stimuli):
                x.requires_grad_()
                responses = units.differentiable(x).flatten(1).sum(0)
                each = [torch.autograd.grad(unit, x, retain_graph=True)[0].double() for unit in responses]
                sums = _added(sums, torch.stack([gradient.sum(0) for gradient in each]))
                squares = _added(squares, torch.stack([gradient.square().sum(0) for gradient in each]))
                progress.update(len(x))
    mean = sums / n
    return mean, np.sqrt((squares / n - mean**2).clip(min=0) / (n - 1))


def _added(sums: np.ndarray, more: Tensor) -> np.ndarray:
    """Sums, none of which may have been made yet, and more."""
    return more.cpu().numpy() if not sums.size else sums + more.cpu().numpy()


def smoothgrad(
    network: nn.Module, image: Tensor, n: int, spread: float, seed: int = 0, device: str = "auto"
) -> np.ndarray:
    """SmoothGrad (Smilkov et al., 2017): the mean gradient of each class's score, (K, c, h, w), around an image.

    The image (c, h, w) is shown n times, in normal noise of this standard deviation. It is Captum's; the network is not
    changed. Raises `ValueError` for n < 1, or a spread not above 0.
    """
    at_least("n", n, 1)
    positive("spread", spread)
    with without_widgets():
        from captum.attr import NoiseTunnel, Saliency

    observer = observer_of(network, tuple(image.shape), device=device)
    tunnel = NoiseTunnel(Saliency(observer.differentiable))
    how = {"nt_type": "smoothgrad", "nt_samples": n, "nt_samples_batch_size": min(n, AT_ONCE), "stdevs": spread}
    start, classes = image[None].to(observer.device), observer.classes
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        found = [tunnel.attribute(start, target=k, abs=False, **how)[0] for k in range(classes)]
    return torch.stack(found).detach().cpu().numpy()


def images_for_cosine(value: np.ndarray, error: np.ndarray, n: int, cosine: float = 0.9) -> np.ndarray:
    """Images after which estimates (m, …) have this expected cosine to the truth, (m,), if n images gave `error`.

    Errors fall as 1/√n, and the expected squared cosine is |truth|² / (|truth|² + |error|²). NaN where the estimate is
    no larger than its error, or masked.
    """
    value, error = (np.ma.filled(np.ma.asarray(each, float), np.nan).reshape(len(each), -1) for each in (value, error))
    noise = (error**2).sum(1)
    signal = (value**2).sum(1) - noise
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = n * noise / signal * cosine**2 / (1 - cosine**2)
    return np.where(signal > 0, needed, np.nan)
