"""Observers: a network as it answers stimuli, frozen, on its device, in its precision, with the layers that are read.

Everything that shows images to a network does it through one, so that nothing of the caller's network ever changes.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from wna_utils.networks.compiling import compiled
from wna_utils.networks.freezing import first_line, frozen, require_eval
from wna_utils.networks.layers import answering_node, extracted
from wna_utils.support.checks import one_of, whole
from wna_utils.support.devices import PRECISIONS, autocast, has_bf16, resolve_device
from wna_utils.support.identity import Uncertain, identity

SCORES = "scores"  # what the network itself answers
INPUT = "input"  # the stimuli themselves, where a layer is asked for
IN_CACHE = 200_000  # pixels in a batch on a CPU, few enough that a network's activations stay in its cache
ON_DEVICE = 2_000  # images in a batch elsewhere

USUAL = {"device": "auto", "precision": "float32", "batch_size": None, "layers": (SCORES,), "preprocess": None}

Shape = tuple[int, ...]
Network = nn.Module | Callable[[Tensor], Tensor]
Answers = dict[str, Tensor]


class Observer:
    """A network, or a function, that answers stimuli (b, c, h, w) of one `shape` (c, h, w).

    It owns a frozen copy of the network, in eval mode on its `device`: later changes of the network do not reach it,
    and nothing that it does reaches the network. Its answer to a batch is a dictionary: "scores" is what the network
    returns; `layers` asks for others, by name: names of the network's nodes (torchvision's feature extractor), names
    of the caller's for them ({"mine": "node"}), or "input", the stimuli. `answers` has the shape of each for one
    stimulus. `preprocess` is applied to stimuli before the network. `precision` "bf16" runs the network in bfloat16
    where the hardware has it, but for its last product: rounded scores tie, and ties go to the lower class.

    A function is called as it is, in batches that are copies of the stimuli.

    Raises `ValueError`, in one sentence, for an unknown device, precision or layer, a network that cannot be copied,
    NaN in the weights, a function of a network in training mode, or a network that cannot take the stimuli or does not
    answer with a row for each.
    """

    def __init__(
        self,
        network: Network,
        shape: Shape,
        *,
        layers: Sequence[str] | Mapping[str, str] = (SCORES,),
        preprocess: Network | None = None,
        device: str | torch.device = "auto",
        precision: str = "float32",
        batch_size: int | None = None,
    ):
        one_of("precision", precision, PRECISIONS)
        if not isinstance(shape, Sequence):
            raise ValueError(f"the shape of stimuli must be (c, h, w), such as (1, 28, 28); got {shape!r}")
        self.device, self.precision, self.shape = resolve_device(device), precision, tuple(shape)
        seen = getattr(network, "shape_seen", self.shape)  # by a network that enlarges what it is shown
        self.batch_size = _good_batch(seen, self.device) if batch_size is None else batch_size
        whole("batch_size", self.batch_size, 1)
        self.layers = dict(layers) if isinstance(layers, Mapping) else {name: name for name in layers}
        self.network = self._own(network)
        self.preprocess = self._own(preprocess) if preprocess else None
        self._last = SCORES  # the node that gives them
        self._forward = self._reading()
        self._compiled = None
        self.answers = self._tried()

    def _own(self, network: Network) -> Network:
        if isinstance(network, type):
            raise ValueError(f"the model is a class, not yet a network: make one with {network.__name__}()")
        if not callable(network):
            raise ValueError(f"the model must be a network or a function of stimuli; got {type(network).__name__}")
        if not isinstance(network, nn.Module):
            require_eval(network)
            return network
        for name, weights in network.named_parameters():
            if not weights.isfinite().all():
                raise ValueError(f"the model's weights are not finite (NaN or infinity in {name}): train it again")
        return frozen(network, self.device)

    def identity(self) -> str:
        """Hash of all that decides the answers; raises `Uncertain` where that cannot be told."""
        for each in (self.network, self.preprocess):
            if each is not None and not isinstance(each, nn.Module):
                raise Uncertain("a plain function may depend on anything")
        if not self._steady:
            raise Uncertain("the network answers the same stimuli in more than one way")
        return identity(self.network, self.preprocess, self.layers, self.precision, self.batch_size)

    def _reading(self) -> Callable[[Tensor], Tensor | Answers]:
        """What computes all that is read from stimuli on the device."""
        wanted, inner = set(self.layers.values()), self.network
        if wanted - {SCORES, INPUT}:
            self._last = answering_node(inner)
            inner = extracted(inner, sorted({self._last if node == SCORES else node for node in wanted - {INPUT}}))
        if self.precision == "bf16" and has_bf16(self.device) and isinstance(inner, nn.Module):
            return _rounded(inner, self.prepared(self._example(1)))
        return inner

    def _example(self, n: int) -> Tensor:
        return torch.full((n, *self.shape), 0.5, device=self.device)

    def _tried(self) -> dict[str, Shape]:
        """The answer to two stimuli, so that a mistake is found before the work, not after it."""
        try:
            answers, again = self.answer(self._example(2)), self.answer(self._example(2))
        except Exception as error:  # whatever a network may raise
            wanted = ", ".join(map(str, self.shape))
            raise ValueError(f"the model cannot take stimuli of shape (b, {wanted}): {first_line(error)}") from error
        for name, answer in answers.items():
            if not isinstance(answer, Tensor) or answer.ndim < 2 or len(answer) != 2:
                shape = f"shape {tuple(answer.shape)}" if isinstance(answer, Tensor) else type(answer).__name__
                raise ValueError(f"the model must answer with a row of {name} for each stimulus; got {shape} for 2")
        self._steady = all(torch.allclose(answer, again[name], equal_nan=True) for name, answer in answers.items())
        return {name: tuple(answer.shape[1:]) for name, answer in answers.items()}

    @property
    def scores(self) -> Shape:
        """Shape of the scores for one stimulus; raises `ValueError` if they are not among what is read."""
        if SCORES not in self.answers:
            raise ValueError(
                f'the observer must answer scores, too: add "scores" to its layers, {", ".join(self.layers)}'
            )
        return self.answers[SCORES]

    @property
    def classes(self) -> int:
        """Number of scores; raises `ValueError` if there are none, or not in one row."""
        if len(self.scores) != 1:
            found = ", ".join(map(str, ("b", *self.scores)))
            raise ValueError(f"the model must answer (b, K) scores, one for each class; got shape ({found})")
        return self.scores[0]

    @torch.no_grad()
    def answer(self, batch: Tensor) -> Answers:
        """The answers to one batch (b, c, h, w) on the device, in float32 where the network rounds more."""
        shown = self.prepared(batch.clone(memory_format=torch.channels_last))  # a network may change what it is given
        with autocast(self.device, self.precision):
            found = (self._compiled or self._forward)(shown)
        return self._named(found, batch)

    def _named(self, found: Tensor | Answers, batch: Tensor) -> Answers:
        """What is read of a batch, by the names that it was asked for by."""
        several = set(self.layers.values()) - {SCORES, INPUT}  # read in the network, by their names
        found = dict(cast(Answers, found)) if several else {self._last: cast(Tensor, found)}
        found |= {SCORES: found.get(self._last), INPUT: batch}
        return {name: _exact(found[node]) for name, node in self.layers.items()}

    def prepared(self, batch: Tensor) -> Tensor:
        """What the network itself gets of a batch (b, c, h, w) on the device."""
        return self.preprocess(batch) if self.preprocess else batch

    def differentiable(self, batch: Tensor) -> Tensor:
        """What the network answers to a batch (b, c, h, w) on the device, so that gradients can be taken."""
        return self.network(self.prepared(batch))

    def differentiable_answers(self, batch: Tensor) -> Answers:
        """All answers to a batch (b, c, h, w) on the device, so that gradients can be taken."""
        with autocast(self.device, self.precision):
            found = self._forward(self.prepared(batch))
        return self._named(found, batch)

    def batches(self, images: Tensor) -> Iterator[Tensor]:
        """Copies of the images (n, c, h, w) on the device, batch by batch."""
        for batch in images.split(self.batch_size):
            yield batch.to(self.device, copy=True)

    def __call__(self, images: Tensor) -> Answers:
        """The answers to images (n, c, h, w), on the observer's device; raises `ValueError` for any others."""
        if not isinstance(images, Tensor) or tuple(images.shape[1:]) != self.shape:
            wanted = ", ".join(map(str, self.shape))
            got = f"shape {tuple(images.shape)}" if isinstance(images, Tensor) else type(images).__name__
            raise ValueError(f"this observer answers to tensors of shape (n, {wanted}); got {got}")
        parts = [self.answer(batch.to(self.device)) for batch in images.split(self.batch_size)]
        return {name: torch.cat([part[name] for part in parts]) for name in self.answers}

    def predict(self, images: Tensor) -> Tensor:
        """Class (n,) int64 that gets the highest score for each of the images (n, c, h, w), on the CPU."""
        batches = images.split(self.batch_size)
        return torch.cat([self.answer(batch.to(self.device))[SCORES].argmax(1) for batch in batches]).cpu()

    def compile_for(self, n: int) -> None:
        """Compile a network on a CPU, if showing it n images repays the seconds that this takes.

        Answers agree with those of the plain network to the rounding of the precision.
        """
        if isinstance(self._forward, nn.Module) and self.device.type == "cpu" and self._compiled is None:
            example = self.prepared(self._example(self.batch_size).to(memory_format=torch.channels_last))
            with autocast(self.device, self.precision):
                self._compiled = compiled(self._forward, example, n)

    def __getstate__(self) -> dict:
        return vars(self) | {"_compiled": None}  # compiled code stays in the process that made it


def observer_of(network: "Network | Observer", shape: Shape, **options: Any) -> Observer:
    """The network as an `Observer` of stimuli of this shape, with its options; an observer as it is.

    Raises `ValueError` for an observer of other stimuli, or options that contradict it.
    """
    if not isinstance(network, Observer):
        return Observer(network, shape, **options)
    if network.shape != tuple(shape):
        raise ValueError(f"the observer is for stimuli of shape {network.shape}; got {tuple(shape)}")
    other = [name for name, value in options.items() if value != USUAL[name]]
    if other:
        raise ValueError(f"an observer has its own {', '.join(other)}: set them where it is made")
    return network


def _exact(answer: Tensor) -> Tensor:
    reduced = isinstance(answer, Tensor) and answer.dtype in (torch.bfloat16, torch.float16)
    return answer.float() if reduced else answer


class _InFloat32(nn.Module):
    """A layer that autocast leaves alone."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer, self.weight, self.bias = layer, layer.weight, layer.bias

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return self.layer(x.float())


@torch.no_grad()
def _rounded(network: nn.Module, example: Tensor) -> nn.Module:
    """A copy of the network with the weights of its products in bfloat16, but for the product that is made last."""
    own, order = copy.deepcopy(network), []
    products = {name: each for name, each in own.named_modules() if isinstance(each, (nn.Conv2d, nn.Linear)) and name}
    hooks = [each.register_forward_hook(lambda *_, name=name: order.append(name)) for name, each in products.items()]
    own(example)
    for hook in hooks:
        hook.remove()
    last = copy.deepcopy(products[order[-1]]) if order else None  # its weights may be those of other layers, too
    for each in products.values():
        each.to(torch.bfloat16)
    if last is not None:
        own.set_submodule(order[-1], _InFloat32(last))
    return own


def _good_batch(shape: Shape, device: torch.device) -> int:
    pixels = torch.Size(shape).numel()
    return max(8, IN_CACHE // pixels) if device.type == "cpu" else max(1, min(ON_DEVICE, 8_000_000 // pixels))
