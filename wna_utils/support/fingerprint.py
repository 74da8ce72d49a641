"""Hashes of what a result depends on, so that a cached one is used only where it belongs."""

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


def digest(*parts: object) -> str:
    """Short hash of the parts' text."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:20]


def tensor_digest(tensor: Tensor) -> str:
    """Short hash of a tensor's type, shape and values."""
    return parts_digest([tensor], tensor.shape)


def parts_digest(parts: Iterable[Tensor], shape: tuple[int, ...]) -> str:
    """The `tensor_digest` of the tensor of this shape that the parts make, one after the other."""
    values = hashlib.sha256()
    for part in parts:
        held = part.detach().cpu()
        data = held.reshape(-1).clone().view(torch.uint8)  # a copy: sides of length 1 may have strides of their own
        values.update(data.numpy().data)
    return digest(held.dtype, tuple(shape), values.hexdigest())


def network_digest(network: nn.Module) -> str:
    """Short hash of a network's modules, as they print, and of its weights."""
    weights = (f"{name} {tensor_digest(tensor)}" for name, tensor in network.state_dict().items())
    return digest(network, *weights)


def code_digest(*objects: Any) -> str:
    """Short hash of what functions, classes or modules do: comments, docstrings and layout do not count.

    Raises `OSError` if the source of one cannot be read.
    """
    trees = []
    for each in objects:
        tree = ast.parse(textwrap.dedent(inspect.getsource(each)))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
                constant = body[0].value
                if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                    del body[0]
        trees.append(ast.dump(tree))
    return digest(*trees)
