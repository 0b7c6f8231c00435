"""Pages that need no other file: templates, scripts and pictures inside one HTML file."""

import base64
from importlib.resources import files

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def page_templates(package: str) -> Environment:
    """The jinja2 templates in the folder ``templates`` of a package.

    Whatever is put into them is text, never markup. A name that nobody gives is an error.
    """
    loader = PackageLoader(package)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


def page_source(package: str, name: str) -> Markup:
    """A style sheet or script of the folder ``templates``, to stand in a page as it is."""
    return Markup((files(package) / 'templates' / name).read_text('utf-8'))


def png_base64(image: np.ndarray) -> str:
    """An image uint8 (H, W) or (H, W, 3) as base64 text of a PNG, for a ``data:`` address."""
    encoded = cv2.imencode('.png', image, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    return base64.b64encode(encoded.tobytes()).decode()
