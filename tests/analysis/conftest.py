"""A recorded network whose inside is studied."""

import pytest

from wna_utils.networks import recorded_networks
from wna_utils.networks.cyclic import Cyclic
from wna_utils.networks.training import trained
from wna_utils.support import recorded

RECIPE = Cyclic(cycles=1, iterations=100, held_out=200)
MADE = {"date": "today", "seconds": 1}


@pytest.fixture(scope="module")
def recorded_net1(digits, shared_records):
    """Name of a recorded network of Pardo et al.'s first kind, trained briefly."""
    path = recorded_networks.write(trained("elu_mlp", digits, recipe=RECIPE), "elu_mlp", digits, 0, RECIPE, MADE)
    recorded.list_file(path)
    return recorded.name_of(path)
