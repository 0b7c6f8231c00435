"""Helpers for self-contained HTML pages: templates, scripts and images in one file."""

import base64
from importlib.resources import files

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .words import counted


def page_templates(package: str) -> Environment:
    """The jinja2 templates in the folder ``templates`` of a package.

    Values are escaped, so they are shown as text and never act as markup. A template that uses a
    name without a value raises ``jinja2.UndefinedError``.
    """
    loader = PackageLoader(package)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters['counted'] = counted
    return environment


def page_source(package: str, name: str) -> Markup:
    """A style sheet or script of a package's folder ``templates``, to embed without escaping."""
    return Markup((files(package) / 'templates' / name).read_text('utf-8'))


def png_base64(image: np.ndarray) -> str:
    """Encode an image, uint8 (H, W) or (H, W, 3) in BGR order, as a base64 PNG for a data URL."""
    encoded = cv2.imencode('.png', image, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    return base64.b64encode(encoded.tobytes()).decode()
