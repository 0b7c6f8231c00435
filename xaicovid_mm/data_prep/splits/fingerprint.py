"""Slice fingerprints: coarse images by which slices that may be copies are found.

Not in the paper.
"""

import cv2
import numpy as np

SIDE = 24
"""Height and width of the fine part of a slice fingerprint in pixels."""
COARSE_SIDE = 12
"""Those of its coarse parts, which a small move changes little."""
NORMAL_SIDE, RADIUS = 48, 0.27
"""Size of a slice in its normal position, and share of it by which its brightness is spread."""
SMALL_SIDE = 64
"""Height and width at which the normal position is looked for."""
BLACK, SOME_SHOWN, MOST_SHOWN = 0.03, 0.05, 0.4
"""Black is no brighter, for JPEG and noise. Shares of a line that are not black: a line of a frame
has less than the first, and the next that has less than the second is no end of a frame."""
MIN_FRAME = 0.04
"""Share of the side. A copy in a narrower black frame is found as it is."""
CROP = 0.05
"""Share of the side, about, that the second coarse part leaves out at each end."""
FINE, WHOLE, CROPPED = np.s_[:576], np.s_[576:720], np.s_[720:864]
"""Columns of the parts of a fingerprint."""
LENGTH = 864


def without_frame(image: np.ndarray) -> np.ndarray:
    """Cut the frame of one grey off a slice (H, W) in [0, 1], and stretch it to its size; float32.

    A frame ends at a straight line. Black that ends at a rounded body is none.
    """
    image = np.asarray(image, np.float32)
    grey = float(np.median(image[np.ix_((0, -1), (0, -1))]))
    shown = np.abs(image - grey) > BLACK
    narrow = MIN_FRAME if grey <= BLACK else 0.0
    inside = image[_unframed(shown.mean(1), narrow), _unframed(shown.mean(0), narrow)]
    return inside if inside.shape == image.shape else cv2.resize(inside, image.shape[::-1])


def _unframed(shown: np.ndarray, narrow: float) -> slice:
    """The lines within a frame, of the share of each line that is not of its grey."""
    some, straight = (np.flatnonzero(shown >= share) for share in (SOME_SHOWN, MOST_SHOWN))
    if not len(straight):
        return slice(0, len(shown))
    first, last = int(straight[0]), int(straight[-1])
    least = narrow * len(shown)
    begins = first >= least and first - some[0] <= 2
    ends = last < len(shown) - least and some[-1] - last <= 2
    return slice(first if begins else 0, last + 1 if ends else len(shown))


def fingerprint(image: np.ndarray) -> np.ndarray:
    """Compute the fingerprint (864,) of a slice (H, W) in [0, 1].

    Brightness and contrast do not change it: it holds means of 24 x 24 fields, minus those of
    their surroundings, scaled to a unit vector; and the same of 12 x 12 fields of the slice without
    its frame, and of that without its margins, each in a normal position and size.
    """
    image = np.asarray(image, np.float32)
    pictures = normal_pictures(without_frame(image))
    parts = [fields(picture, COARSE_SIDE, 2) for picture in pictures]
    return np.concatenate([fields(image, SIDE, 1.5), *parts])


def normal_pictures(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A float32 slice (H, W), and it without its margins, each (48, 48) in a normal position."""
    small = cv2.resize(image, (SMALL_SIDE, SMALL_SIDE), interpolation=cv2.INTER_AREA)
    margin = round(CROP * SMALL_SIDE)
    return _normal(small), _normal(np.ascontiguousarray(small[margin:-margin, margin:-margin]))


def fields(image: np.ndarray, side: int, surroundings: float) -> np.ndarray:
    """Means of side x side fields, less their surroundings (sigma in fields), a unit vector."""
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    detail = (small - smooth(small, surroundings)).ravel()
    detail -= detail.mean()
    return detail / max(float(detail @ detail) ** 0.5, 1e-6)


def smooth(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of a float32 image (H, W), sigma in pixels."""
    side = 2 * round(4 * sigma) + 1
    return cv2.GaussianBlur(image, (side, side), sigma, borderType=cv2.BORDER_REPLICATE)


def warped(image: np.ndarray, warp: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The image of ``size`` (W, H) whose pixel (x, y) is that of ``image`` at warp @ (x, y, 1)."""
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, warp, size, flags=how, borderMode=cv2.BORDER_REPLICATE)


def _normal(small: np.ndarray) -> np.ndarray:
    """The slice with its centre of brightness in the middle, and its brightness spread alike."""
    moments, size = cv2.moments(small), (NORMAL_SIDE, NORMAL_SIDE)
    if moments['m00'] <= 0:
        return cv2.resize(small, size)
    centre = np.array([moments['m10'], moments['m01']]) / moments['m00']
    radius = ((moments['mu20'] + moments['mu02']) / moments['m00'] / 2) ** 0.5
    zoom, middle = radius / (RADIUS * NORMAL_SIDE), (NORMAL_SIDE - 1) / 2
    warp = np.column_stack([zoom * np.eye(2), centre - zoom * middle]).astype(np.float32)
    return warped(small, warp, size)
