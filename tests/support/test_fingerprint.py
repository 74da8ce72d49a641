import torch

from wna_utils.support.fingerprint import code_digest, tensor_digest


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
