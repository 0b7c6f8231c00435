"""Two processes that train in one work dir."""

import json

import toy
from at_once import at_once, settled

from xaicovid_mm.engine.run_record import RECORD
from xaicovid_mm.engine.work_dir import LOCK


def test_of_two_that_train_in_one_work_dir_one_is_refused_and_the_run_is_whole(whole_run, tmp_path):
    ends = at_once(lambda: toy.train(tmp_path), lambda: toy.train(tmp_path))
    late = [text for _, text in ends if 'holds a run already' in text]  # it came when all was done
    assert settled(ends) or len(late) == 1, ends
    assert not toy.differing(toy.settled_state(tmp_path), toy.settled_state(whole_run))
    assert json.loads((tmp_path / RECORD).read_text())['settings']
    names = {path.name for path in tmp_path.iterdir()}
    assert not names & {LOCK, f'{LOCK}.owner'} and not any('.partial.' in name for name in names)


def test_two_that_train_in_work_dirs_of_their_own_are_both_right(whole_run, tmp_path):
    one, two = tmp_path / 'one', tmp_path / 'two'
    ends = at_once(lambda: toy.train(one), lambda: toy.train(two))
    assert not any(text for _, text in ends), ends
    assert not toy.differing(toy.settled_state(one), toy.settled_state(two))
