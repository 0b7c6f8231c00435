"""What an explanation needs of a network, so that this package imports no model."""

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor


class CAMHead(Protocol):
    """A classifier that names the features it reads and has a class activation map for each."""

    def select(self, feats: Sequence[Tensor]) -> list[Tensor]:
        """Return the features whose sum is the CAAM, each (B, K_s, h_s, w_s), finest first."""

    def class_maps(self, feats: Sequence[Tensor], labels: Tensor) -> list[Tensor]:
        """Return the CAM of each sample's class (B,), each (B, h_s, w_s), finest first."""

    def score_maps(self, feats: Sequence[Tensor]) -> list[Tensor]:
        """Return the score of every class at every place, each (B, C, h_s, w_s), finest first."""


class ExplainableModel(Protocol):
    """A network with a classifier and a decoder on shared features.

    Attributes:
        cls_head: A ``CAMHead`` that maps features to class logits (B, C); None where there is none.
        decode_head: Maps features to infection logits (B, 1, h, w); None where there is none.
    """

    cls_head: Any
    decode_head: Any

    def features(self, inputs: Tensor) -> Sequence[Tensor]:
        """Return the features (B, K_s, h_s, w_s) of slices (B, 1, H, W), finest first."""

    def classify(self, feats: Sequence[Tensor]) -> Tensor | None:
        """Return class logits (B, C) of features; None without a classifier."""

    def segment(self, feats: Sequence[Tensor], size: Sequence[int]) -> Tensor | None:
        """Return infection logits (B, 1, H, W) at ``size`` (H, W); None without a decoder."""


class RefiningModel(ExplainableModel, Protocol):
    """A network that turns its own Grad-CAM into a second, coarse segmentation (PseudoSeg)."""

    def refine(self, feats: Sequence[Tensor], present: Tensor) -> Tensor:
        """Return logits (B, 2, h, w); ``present`` (B,) is 1 where a slice shows COVID-19."""
