"""What the diary of a study under chaos makes of its lines."""

import pytest

from chaos.diary import Diary, say


@pytest.fixture
def diary(tmp_path):
    diary = Diary(tmp_path / "pipe")
    yield diary
    diary.close()


def lines(*said):
    return [f"{at} {pid} {what} 0.5 {epoch}\n" for at, pid, what, epoch in said]


def stretch(pid, first, last):
    """A process that trains without a pause, an epoch every half second."""
    count = int(2 * (last - first))
    told = ((first + 0.5 * n, pid, "trained", n) for n in range(1, count + 1))
    return lines((first, pid, "begins", 0), *told)


def test_what_is_said_is_heard(diary):
    say(diary.pipe, "begins", {"x": 0.5}, 3)
    say(diary.pipe, "trained", {"x": 0.5}, 4)
    diary.close()
    assert [line.split()[2:] for line in diary.lines] == [
        ["begins", "0.5", "3"], ["trained", "0.5", "4"]]  # fmt: skip


def test_it_tells_what_is_being_trained(diary):
    diary.lines += lines((0.0, 1, "begins", 3), (0.5, 2, "begins", 0), (1.0, 1, "trained", 4))
    assert diary.training() == {1: ("0.5", "3"), 2: ("0.5", "0")}
    diary.lines += lines((1.5, 1, "ends", 5), (2.0, 2, "begins", 5))
    assert diary.training() == {2: ("0.5", "5")}


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (stretch(2, 8.0, 12.0), 1),  # two seconds together
        (stretch(2, 2.0, 4.0), 1),  # the whole of the second one
        (stretch(2, 9.0, 12.0), 0),  # as long as a process may take to hear that it is over
        (stretch(2, 10.0, 14.0), 0),
        (stretch(1, 10.0, 14.0), 0),
    ],
)
def test_two_that_train_a_trial_together_are_found(diary, second, found):
    diary.lines += stretch(1, 0.0, 10.0) + second
    assert len(diary.overlaps()) == found


def test_a_process_that_is_frozen_trains_nothing_meanwhile(diary):
    diary.lines += stretch(1, 0.0, 2.0) + stretch(2, 6.0, 15.5)
    diary.lines += lines((15.0, 1, "trained", 5), (17.0, 1, "trained", 6))
    assert diary.overlaps() == []
    diary.lines += stretch(3, 14.0, 17.0)
    assert [sorted((one[0], other[0])) for _, one, other in diary.overlaps()] == [["1", "3"]]
