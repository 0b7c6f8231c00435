"""Work in several processes."""

import os

import pytest
from worker_tasks import double

from xaicovid_mm.utils.parallel import parallel_map


@pytest.mark.parametrize('workers', [0, 1, 2])
def test_results_come_in_the_order_of_the_items_for_any_number_of_workers(workers):
    with parallel_map(double, list(range(20)), workers) as results:
        numbers, processes = zip(*results, strict=True)
    assert list(numbers) == list(range(0, 40, 2))
    assert (set(processes) == {os.getpid()}) == (workers < 2)
