"""Colour spaces of DICOM to RGB (PS3.3 C.7.6.3.1.2)."""

import numpy as np

# Rows are R, G, B; columns Y, Cb, Cr, for full-range components.
_FULL = np.array(
    [[1.0, 0.0, 1.402], [1.0, -0.344136286, -0.714136286], [1.0, 1.772, 0.0]], np.float32
)
_PARTIAL = np.array(
    [
        [1.16438356, 0.0, 1.59602679],
        [1.16438356, -0.39176229, -0.81296765],
        [1.16438356, 2.01723214, 0.0],
    ],
    np.float32,
)

YBR_FULL = frozenset({"YBR_FULL", "YBR_FULL_422"})
YBR_PARTIAL = frozenset({"YBR_PARTIAL_422", "YBR_PARTIAL_420"})
# Native pixels of these share each pair of chrominances between two pixels.
SUBSAMPLED = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
# The codestream's own transform: a JPEG 2000 decoder has undone it already.
YBR_CODESTREAM = frozenset({"YBR_ICT", "YBR_RCT"})


def rgb_from_ybr(ybr: np.ndarray, *, bits: int = 8, partial: bool = False) -> np.ndarray:
    """Convert (rows, columns, 3) unsigned YBR to RGB of the same shape and dtype.

    Parameters
    ----------
    ybr
        Y, CB, CR of `bits` bits each, chrominance around 2**(bits-1).
    bits
        Depth of the samples.
    partial
        Luminance from 16 to 235 as in YBR_PARTIAL_422, else full range.
    """
    top = (1 << bits) - 1
    shifted = ybr.astype(np.float32)
    shifted[..., 1:] -= 1 << (bits - 1)
    if partial:
        shifted[..., 0] -= 16 * 2.0 ** (bits - 8)
    rgb = shifted @ (_PARTIAL if partial else _FULL).T
    np.rint(rgb, out=rgb)
    np.clip(rgb, 0, top, out=rgb)
    return rgb.astype(ybr.dtype)


def expand_422(samples: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Give each pixel of native 4:2:2 pixels its own chrominances.

    `samples` is Y1 Y2 CB CR and so on, flat, `rows * columns * 2` long; the result has the
    shape (rows, columns, 3). `rows * columns` is even.
    """
    quads = samples.reshape(-1, 4)
    out = np.empty((len(quads), 2, 3), samples.dtype)
    out[:, 0, 0], out[:, 1, 0] = quads[:, 0], quads[:, 1]
    out[:, :, 1] = quads[:, 2, None]
    out[:, :, 2] = quads[:, 3, None]
    return out.reshape(rows, columns, 3)
