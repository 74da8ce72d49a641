import torch
from conftest import Linear

from wna_utils.networks import answers as observers
from wna_utils.networks import architectures
from wna_utils.support.fingerprint import code_digest, model_digest, tensor_digest


def test_code_counts_but_its_comments_do_not(tmp_path):
    def digest_of(source):
        path = tmp_path / f"module_{abs(hash(source))}.py"
        path.write_text(source)
        namespace = {}
        exec(compile(source, str(path), "exec"), namespace)
        return code_digest(namespace["f"])

    plain = digest_of("def f(x):\n    return 2 * x\n")
    assert digest_of('def f(x):\n    """Doubles."""\n    # twice\n    return (2 * x)\n') == plain
    assert digest_of("def f(x):\n    return 3 * x\n") != plain


def test_tensor_digest_sees_values_shape_and_type():
    tensor = torch.arange(4.0)
    assert tensor_digest(tensor) == tensor_digest(tensor.clone())
    changed = (tensor + 1, tensor.view(2, 2), tensor.double(), torch.tensor(0.0))
    assert len({tensor_digest(each) for each in (tensor, *changed)}) == 5


def test_model_digest_sees_weights_settings_and_classes():
    network = architectures.build("cnn", (1, 28, 28), 10, seed=0)
    assert model_digest(network) == model_digest(architectures.build("cnn", (1, 28, 28), 10, seed=0))
    others = (
        architectures.build("cnn", (1, 28, 28), 10, seed=1),
        observers.ConfidenceBins(network, 10),
        observers.ConfidenceBins(network, 20),
        Linear(torch.eye(2)),
    )
    assert len({model_digest(each) for each in (network, *others)}) == 5


def test_models_of_uncertain_identity_have_no_digest():
    hooked = architectures.build("logistic", (1, 8, 8), 2, seed=0)
    hooked.fc.register_forward_hook(lambda *_: None)
    replaced = architectures.build("logistic", (1, 8, 8), 2, seed=0)
    replaced.forward = lambda x: x
    odd = Linear(torch.eye(2))
    odd.table = {"a": 1}
    assert [model_digest(each) for each in (len, hooked, replaced, odd)] == [None] * 4
