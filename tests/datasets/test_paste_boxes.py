"""Boxes of other slices."""

import numpy as np
import pytest
import torch

from xaicovid_mm.datasets import PasteBoxes


def slices(*values, side=20):
    return [torch.full((1, side, side), float(value)) for value in values]


def pasted(seed=0, labelled=1.0, area=(0.2, 0.5), donors=(9,), donor_masks=(1,)):
    return PasteBoxes(area, labelled)(
        slices(1, 2, 3),
        slices(0.1, 0.2, 0.3),
        slices(*donors),
        slices(*donor_masks),
        np.random.default_rng(seed),
    )


@pytest.mark.parametrize('seed', range(20))
def test_a_box_of_the_stated_area_comes_with_its_mask(seed):
    for view, mask in zip(*pasted(seed), strict=True):
        box = view == 9
        assert 0.15 < box.float().mean() < 0.55
        assert torch.equal(box, mask == 1)
        rows, columns = box[0].any(1).nonzero(), box[0].any(0).nonzero()
        assert box.sum() == len(rows) * len(columns)  # a rectangle


def test_without_labelled_slices_the_box_is_of_another_unlabelled_one():
    for labelled, donors in ((0.0, (9,)), (1.0, ())):
        views, masks = pasted(labelled=labelled, donors=donors, donor_masks=donors)
        for number, (view, mask) in enumerate(zip(views, masks, strict=True), start=1):
            values = set(view.unique().tolist())
            assert len(values) == 2 and number in values and 9 not in values
            torch.testing.assert_close(mask, view / 10)


def test_labelled_and_unlabelled_slices_give_as_often_as_stated():
    share = np.mean([9 in view for seed in range(200) for view in pasted(seed, 0.3)[0]])
    assert share == pytest.approx(0.3, abs=0.06)


def test_the_slices_that_are_given_stay_as_they_are():
    views, masks = slices(1, 2), slices(0, 1)
    PasteBoxes()(views, masks, slices(5), slices(1), np.random.default_rng(0))
    assert [v.unique().tolist() for v in views + masks] == [[1], [2], [0], [1]]


def test_a_single_slice_without_a_donor_stays_itself():
    views, masks = PasteBoxes()(slices(1), slices(0.5), [], [], np.random.default_rng(0))
    assert torch.equal(views[0], slices(1)[0]) and torch.equal(masks[0], slices(0.5)[0])


def test_places_that_teach_nothing_are_pasted_as_such():
    _, masks = pasted(donors=(0,), donor_masks=(-1,))
    assert all(-1 in mask for mask in masks)


@pytest.mark.parametrize(
    'wrong', [dict(area=(0, 0.5)), dict(area=(0.5, 0.2)), dict(area=(0.5, 1)), dict(labelled=2)]
)
def test_nonsense_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PasteBoxes(**wrong)
