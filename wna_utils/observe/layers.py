"""Mean activations of layers, by what the network calls the stimulus or by what was in it (§3.3)."""

from collections.abc import Sequence

from torch import nn

from wna_utils.networks.layers import activation_nodes
from wna_utils.networks.observer import INPUT, SCORES, Answers, Observer
from wna_utils.observe.tally import ClassTally, Tally
from wna_utils.stimuli.blocks import Block
from wna_utils.support.checks import one_of

BY = ("response", "label")


class ActivationTally(Tally):
    """Counts, sums and sums of squares (K, …) of all that an observer answers but its scores.

    By "response", the class that got the highest score, or by "label", the signal's class, whatever it is called.
    """

    def __init__(self, by: str = "response"):
        super().__init__()
        one_of("by", by, BY)
        self.by = by

    def _room(self, observer: Observer) -> dict[str, tuple[int, ...]]:
        self.layers = [name for name in observer.answers if name != SCORES]
        return {
            f"{layer} {name}": size
            for layer in self.layers
            for name, size in ClassTally._sizes(observer.classes, observer.answers[layer]).items()
        }

    def add(self, block: Block, answers: Answers) -> None:
        """Count the activations that were answered beside the scores (b, K)."""
        rows = answers[SCORES].argmax(1) if self.by == "response" else block.signal
        for layer in self.layers:
            self.of(layer).count(answers[layer], rows)

    def of(self, layer: str) -> ClassTally:
        """The tally (K,) of one layer's activations, which shares its sums with this one."""
        return self.part({name: f"{layer} {name}" for name in ClassTally.NAMES})


def nodes_of_layers(network: nn.Sequential, layers: Sequence[str]) -> dict[str, str]:
    """What an observer is to read so that it answers with the activations of these layers, and with scores.

    Activations are what a layer passes on, after its nonlinearity and pooling; the first layer may be "input", the
    stimulus itself. Raises `ValueError` for an unknown layer.
    """
    inner = [layer for layer in layers if layer != INPUT]
    return {layer: INPUT for layer in layers if layer == INPUT} | activation_nodes(network, inner) | {SCORES: SCORES}
