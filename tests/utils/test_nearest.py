"""The nearest of the known names."""

from xaicovid_mm.utils.nearest import hint, nearest


def test_the_nearest_name_is_found_and_one_of_other_letter_case_first():
    assert nearest('Adamw', ['Adam', 'AdamW', 'SGD']) == 'AdamW'
    assert nearest('Adan', ['SGD', 'Adam']) == 'Adam'
    assert nearest('lion', ['Adam', 'SGD']) is None


def test_a_hint_is_a_question_or_nothing():
    assert hint('Adamw', ['AdamW']) == ", did you mean 'AdamW'?"
    assert hint('lion', ['Adam']) == ''
