"""On a lent GPU machine there is little beside torch: the rooms up to `observe` must do with that."""

import subprocess
import sys

import pytest

from wna_utils.support.paths import ROOT

BARE = """
import sys

MISSING = {"dask", "distributed", "pydantic", "yaml", "papermill", "nbformat", "IPython", "matplotlib", "seaborn"}
MISSING |= {"pandas", "statsmodels", "captum", "art", "skimage", "pooch", "requests", "grimp", "psignifit", "scipy"}
MISSING |= {"torchvision"}  # is there, but takes seconds to import

sys.modules.update(dict.fromkeys(MISSING))  # to import one is an error, to look for one finds none
import torch
from wna_utils import data, networks, stimuli
from wna_utils.observe import FieldTally, observe

network = networks.build("mlp", (1, 8, 8), 3, seed=0)
print(observe(network, stimuli.WhiteNoise((1, 8, 8)), n=3_000, cache=False).n)
"""


@pytest.mark.slow
def test_rooms_up_to_observe_need_little_beside_torch():
    run = subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.stdout.strip() == "3000", run.stderr[-2000:]
