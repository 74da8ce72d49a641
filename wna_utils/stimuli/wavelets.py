"""Gabor wavelets, and the bank of them that the paper's Appendix puts on images."""

import numpy as np

from wna_utils.support.checks import one_of, positive

CYCLES = {28: (2, 4, 10), 32: (2, 4, 7, 11)}  # per image, by its side in pixels
ORIENTATIONS = (0, 45, 90, 135)  # degrees
PHASES = (0, 90)  # degrees
ONE_OCTAVE = 0.56  # standard deviation of the envelope, in wavelengths, for a bandwidth of one octave
ASPECT = 0.5  # of the envelope, across to along the stripes


def gabor_bank(side: int, width: float = ONE_OCTAVE) -> np.ndarray:
    """Wavelets (m, side, side): 960 for images of 28×28 pixels, 1520 for 32×32.

    At f cycles per image they sit on the centres of an f × f grid, in four orientations (of the wave) and two
    phases, and are cut off at the borders of the image. `width` is the standard deviation of the envelope in
    wavelengths, which the paper leaves open; the authors' code has 2/7.
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


def gabor(
    x: np.ndarray, y: np.ndarray, wavelength: float, orientation: float, phase: float, width: float
) -> np.ndarray:
    """A wavelet around x = y = 0: lengths in pixels, angles in radians, `width` of its envelope in wavelengths."""
    across = x * np.cos(orientation) + y * np.sin(orientation)
    along = y * np.cos(orientation) - x * np.sin(orientation)
    envelope = np.exp(-(across**2 + (ASPECT * along) ** 2) / (2 * (width * wavelength) ** 2))
    return envelope * np.cos(2 * np.pi * across / wavelength + phase)
