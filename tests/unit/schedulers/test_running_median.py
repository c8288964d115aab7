from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from ripieno.schedulers.running_median import RunningMedian

NUMBERS = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=30)


@given(NUMBERS)
def test_it_is_the_median_of_all_numbers_so_far(numbers):
    running = RunningMedian()
    for count, number in enumerate(numbers, start=1):
        running.add(number)
        assert len(running) == count
        assert running.value == median(numbers[:count])
