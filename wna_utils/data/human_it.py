"""What four people's inferior temporal cortex (IT) holds alike of 92 pictures (Kriegeskorte et al., 2008).

The measurements and the pictures come with rsatoolbox's demonstrations. They are fetched on demand, and not passed on.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wna_utils.data.fetch import ensured, from_site

BRAINS, PICTURES = "92_brainRDMs.mat", "Kriegeskorte_Neuron2008_supplementalData.mat"
FILES = {
    BRAINS: "1743f90a15e895798a94318649e80e1123a7e5943a1703fa1dd7c31ea5780b7c",
    PICTURES: "06f21214399a5d43dc264eed19a7f4b8daf11c8622a59eec3e106064ce5e3504",
}
URL = (
    "https://raw.githubusercontent.com/rsagroup/rsatoolbox/f1f83cadb7243492a1aae7460466e0f0140b20ac/demos/92imageData/"
)


@dataclass(frozen=True)
class HumanIT:
    """Pictures (92, 3, 175, 175) in [0, 1], and how unlike the responses to them were: (people, 2 sessions, pairs).

    Pairs are in the order of scipy's `squareform`.
    """

    images: Tensor
    dissimilarities: np.ndarray


def folder() -> Path:
    """Folder with both files, each of the right SHA-256; what is missing is fetched, or `DataUnavailable` raised."""
    title = f"what human IT holds alike of 92 pictures (from {URL})"
    return ensured("human_it", title, FILES, {"demonstrations": from_site(URL, FILES)})


def load() -> HumanIT:
    """The pictures and the measurements; raises `DataUnavailable` if they are neither on disk nor to be had."""
    from scipy.io import loadmat
    from scipy.spatial.distance import squareform

    place = folder()
    measured = loadmat(place / BRAINS)["RDMs"][0]  # (people, sessions)
    dissimilarities = [[squareform(each["RDM"], checks=False) for each in person] for person in measured]
    pictures = loadmat(place / PICTURES)["stimuli_92objs"]["image"][0]
    images = torch.from_numpy(np.stack(list(pictures))).movedim(3, 1).float() / 255
    return HumanIT(images, np.array(dissimilarities))
