import subprocess
import sys

import pytest

import ripieno.testing


@pytest.mark.parametrize("name", ripieno.testing.__all__)
def test_every_name_of_the_door_opens(name):
    assert getattr(ripieno.testing, name) is not None
    assert name in dir(ripieno.testing)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"'ripieno\.testing' has no attribute 'Scheduler'"):
        _ = ripieno.testing.Scheduler


def test_the_door_itself_needs_neither_pytest_nor_what_the_suites_test():
    code = (
        "import sys, ripieno.testing; "
        "print([m for m in ('pytest', 'sqlalchemy', 'torch', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
