"""JSON and options know lists alone: they pass where an annotation has tuples."""

from typing import Any, Literal

import pytest

from xaicovid_mm.engine.config.kinds import fits


@pytest.mark.parametrize(
    'value, kind',
    [
        ([[5, 1]], list[tuple[int, int]]),
        ([[5, 1]], tuple[tuple[int, int], ...]),
        ([5, 1], tuple[int, int]),
        ((5, 1), list[int]),
    ],
)
def test_lists_pass_as_tuples_also_inside_of_lists(value, kind):
    assert fits(value, kind)


@pytest.mark.parametrize('kind', [bool, bool | None, dict | bool, Any])
def test_true_passes_where_a_flag_may_stand(kind):
    assert fits(True, kind)


@pytest.mark.parametrize('kind', [int, float, int | None, Literal['fork'], list[bool]])
def test_true_is_no_number(kind):
    assert not fits(True, kind)


def test_what_stands_in_them_must_be_of_its_kind():
    assert not fits([[5, 'x']], list[tuple[int, int]])
    assert not fits([[5, 1, 2]], list[tuple[int, int]])
