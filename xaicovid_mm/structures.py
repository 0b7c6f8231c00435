"""The sample that goes through dataset, model and metrics."""

from mmengine.structures import BaseDataElement


class CTSample(BaseDataElement):
    """Identifiers, labels and predictions of one axial slice.

    Metainfo:
        sample_id: ``'<case>/<slice>'``, unique in a store.
        case, patient, site: Names from the case table; nothing from the scan's header.
        slice_index: Position in the stored case, from 0.
        pixel_mm: (y, x) size of a pixel of the stored slice in mm; None where it is not known.
        is_labelled: False for a slice of the unlabelled stream.

    Data fields, each absent when unknown:
        label: LongTensor (), NP = 0, CAP = 1, COVID-19 = 2.
        infection: uint8 (1, H, W), values 0 and 1.
        lung: bool (1, H, W).
        patient_label: LongTensor (), the class of the patient where the slice's own is not known.
        pseudo_label: LongTensor (), a class that the network predicted, see ``PseudoClassHook``.
        pseudo_mask: float (1, H, W) in [0, 1], the soft label of Eq. (10); negative: ignored.
        second_view: float (1, H, W), a second strong view of an unlabelled slice, for UniMatch.
        weak_mask: like pseudo_mask, the label of a weak view, for UniMatch.
        scores: float (C,), softmax of the class logits (set by predict).
        prob: float (1, H, W) in [0, 1], infection probability (set by predict).
        view_scores: float (V, C), ``scores`` of V predictions of the slice (set by predict if
            there are several).
        view_prob: float (V, H, W), ``prob`` of the same.
        lung_prob: float (1, H, W) in [0, 1], lung probability (set by predict of a lung model).
    """
