"""Gabor wavelets, and banks of them to put on images: as the paper's Appendix says, and as the authors' code has it."""

import itertools

import numpy as np

from wna_utils.support.checks import one_of, positive

CYCLES = {28: (2, 4, 10), 32: (2, 4, 7, 11)}  # per image, by its side in pixels
CELLS = {28: (15, 7, 3), 32: (17, 9, 5, 3)}  # pixels along a cell of the grid, in the authors' code
ORIENTATIONS = (0, 45, 90, 135)  # degrees
PHASES = (0, 90)  # degrees
ONE_OCTAVE = 0.56  # standard deviation of the envelope, in wavelengths, for a bandwidth of one octave
ASPECT = 0.5  # of the envelope, across to along the stripes


def gabor_bank(side: int, width: float = ONE_OCTAVE) -> np.ndarray:
    """Wavelets (m, side, side): 960 for images of 28×28 pixels, 1520 for 32×32.

    At f cycles per image they sit on the centres of an f × f grid, in four orientations (of the wave) and two
    phases, and are cut off at the borders of the image. `width` is the standard deviation of the envelope in
    wavelengths, which the paper leaves open; see `authors_bank`, too.
    Raises `ValueError` for another side or a width not above 0.
    """
    one_of("the side of the images", side, CYCLES)
    positive("width", width)
    y, x = np.mgrid[:side, :side] + 0.5  # centres of the pixels
    return np.stack([
        gabor(x - column, y - row, side / cycles, orientation, phase, width)
        for cycles in CYCLES[side]
        for row in (np.arange(cycles) + 0.5) * side / cycles
        for column in (np.arange(cycles) + 0.5) * side / cycles
        for orientation in np.deg2rad(ORIENTATIONS)
        for phase in np.deg2rad(PHASES)
    ])  # fmt: skip


def authors_bank(side: int) -> np.ndarray:
    """Wavelets (m, side, side) of the authors' code, as many as in `gabor_bank`.

    The image is tiled, from its top left corner, with cells of an odd number of pixels, and each cell holds one
    wavelet: of half its side in wavelength, with an envelope of a seventh of its side, cut off at the cell's border and
    stretched to the range from 0 to 1. Cells that reach beyond the image are cut off there; outside of its cell, a
    wavelet is 0. Raises `ValueError` for another side.
    """
    one_of("the side of the images", side, CELLS)
    bank = []
    for cell, cycles in zip(CELLS[side], CYCLES[side], strict=True):
        y, x = cell // 2 - np.mgrid[:cell, :cell]  # from right to left, as OpenCV fills a kernel
        for row, column in itertools.product(range(0, cell * cycles, cell), repeat=2):
            for orientation, phase in itertools.product(np.deg2rad(ORIENTATIONS), np.deg2rad(PHASES)):
                wavelet = gabor(x, y, cell / 2, orientation, phase, 2 / 7)
                image = np.zeros((cell * cycles, cell * cycles))
                image[row : row + cell, column : column + cell] = (wavelet - wavelet.min()) / np.ptp(wavelet)
                bank.append(image[:side, :side])
    return np.stack(bank)


def gabor(
    x: np.ndarray, y: np.ndarray, wavelength: float, orientation: float, phase: float, width: float
) -> np.ndarray:
    """A wavelet around x = y = 0: lengths in pixels, angles in radians, `width` of its envelope in wavelengths."""
    across = x * np.cos(orientation) + y * np.sin(orientation)
    along = y * np.cos(orientation) - x * np.sin(orientation)
    envelope = np.exp(-(across**2 + (ASPECT * along) ** 2) / (2 * (width * wavelength) ** 2))
    return envelope * np.cos(2 * np.pi * across / wavelength + phase)
