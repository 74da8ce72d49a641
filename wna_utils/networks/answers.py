"""Other ways to answer: observers around a network whose responses are not simply its classes."""

import torch
from torch import Tensor, nn


class ConfidenceBins(nn.Module):
    """An observer that also says how sure it is: response k·bins + i means class k, confidence in bin i.

    Bins split the softmax probability of the chosen class evenly over [0, 1]. Tallying its responses lets any
    weighting or threshold by confidence be applied afterwards (the paper's footnote 3).
    """

    def __init__(self, model: nn.Module, bins: int = 20):
        super().__init__()
        self.model, self.bins = model, bins

    def forward(self, x: Tensor) -> Tensor:
        probability = self.model(x).float().softmax(1)
        confidence, chosen = probability.max(1)
        i = (confidence * self.bins).long().clamp_(max=self.bins - 1)
        return nn.functional.one_hot(chosen * self.bins + i, probability.shape[1] * self.bins)


class OnlySaturated(nn.Module):
    """A network for two classes that answers only when its sigmoid is saturated; response 2 means no answer.

    So were responses counted in the authors' notebook for Figs. 1 and 12: those whose float32 sigmoid is exactly 0
    (first class) or exactly 1 (second class). They are not alike: a logit of 17 rounds to 1, only one of −89 to 0.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.model(x).float().unbind(1)
        probability = (second - first).sigmoid()
        is_first, is_second = probability == 0, probability == 1
        return torch.stack([is_first, is_second, ~(is_first | is_second)], 1).float()
