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


@pytest.mark.parametrize(
    'value, kind',
    [
        ([True, 2], list[int]),
        ([True, 2.0], tuple[float, float] | None),
        ([[1, False]], list[tuple[int, int]]),
        ({'a': {'lr_mult': True}}, dict[str, dict[str, float]]),
        ([True], list[int] | bool),
    ],
)
def test_true_is_no_number_inside_of_lists_and_dicts_either(value, kind):
    assert not fits(value, kind)


@pytest.mark.parametrize(
    'value, kind',
    [
        ([True, False], list[bool]),
        ({'a': True}, dict),
        ({'a': [True]}, dict | list[dict] | None),
        ([{'a': True}], list[dict]),
        ({'a': {'b': True}}, dict[str, dict | None] | None),
        ([True], Any),
        (False, Literal[False, 'auto']),
    ],
)
def test_true_inside_of_lists_and_dicts_passes_where_a_flag_may_stand(value, kind):
    assert fits(value, kind)


def test_what_stands_in_them_must_be_of_its_kind():
    assert not fits([[5, 'x']], list[tuple[int, int]])
    assert not fits([[5, 1, 2]], list[tuple[int, int]])
