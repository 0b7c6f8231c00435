"""What a patient's class says of one of the patient's slices."""

import torch
from torch import Tensor

from ...classes import NP


def patient_label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """-log(p_y + p_NP), averaged: the slice shows its patient's class y or nothing.

    Of a patient with NP it is the cross entropy. Our answer to the open problem of Sec. V, that
    patient labels are wrong on slices without infection; not in the paper.

    Args:
        logits: (B, C).
        labels: (B,) integers, the class of each slice's patient.
    """
    log_prob = logits.log_softmax(1)
    own, nothing = log_prob.gather(1, labels[:, None])[:, 0], log_prob[:, NP]
    return -torch.where(labels == NP, own, torch.logaddexp(own, nothing)).mean()
