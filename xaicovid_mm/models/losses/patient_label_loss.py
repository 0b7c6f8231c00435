"""The loss of a slice of which only the patient's class is known."""

import torch
from torch import Tensor

from ...classes import NP


def patient_label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean of -log(p_y + p_NP): the slice shows its patient's class y, or nothing.

    For a patient with NP it is the cross entropy. It is our answer to the open problem of Sec. V,
    that patient labels are wrong on slices without infection; not in the paper. No slice gives 0.

    Args:
        logits: (B, C).
        labels: (B,) integers, the class of each slice's patient.
    """
    log_prob = logits.log_softmax(1)
    own, nothing = log_prob.gather(1, labels[:, None])[:, 0], log_prob[:, NP]
    return -torch.where(labels == NP, own, torch.logaddexp(own, nothing)).sum() / max(
        len(labels), 1
    )
