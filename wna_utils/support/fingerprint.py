"""Hashes of what a result depends on, so that a cached one is used only where it belongs."""

import ast
import hashlib
import inspect
import textwrap

import torch
from torch import Tensor, nn

PLAIN = (type(None), bool, int, float, str, tuple)


def digest(*parts: object) -> str:
    """Short hash of the parts' text."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:20]


def tensor_digest(tensor: Tensor) -> str:
    """Short hash of a tensor's type, shape and values."""
    held = tensor.detach().cpu().contiguous()
    data = held.view(torch.uint8) if held.ndim else held[None].view(torch.uint8)
    return digest(held.dtype, tuple(held.shape), hashlib.sha256(data.numpy()).hexdigest())


def code_digest(*objects: object) -> str:
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


def model_digest(model: object) -> str | None:
    """Short hash of a network: classes, their code, settings and weights.

    None if the network cannot be told apart for certain by what is seen from outside: a plain function, a network with
    hooks or a forward of its own, a class whose source is not at hand, attributes that are neither tensors nor plain.
    """
    if not isinstance(model, nn.Module):
        return None
    parts = [repr(model)]
    for name, module in model.named_modules():
        if module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module):
            return None
        if type(module).__module__.startswith("torch.nn."):
            continue
        settings = {key: value for key, value in vars(module).items() if not key.startswith("_") and key != "training"}
        if not all(isinstance(value, PLAIN) for value in settings.values()):
            return None
        try:
            parts += [name, code_digest(type(module)), sorted(settings.items())]
        except (OSError, TypeError):
            return None
    parts += [f"{key} {tensor_digest(value)}" for key, value in sorted(model.state_dict().items())]
    return digest(*parts)
