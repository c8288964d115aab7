import sys

from ripieno.population import keep_freed_memory


def test_glibc_is_told_and_others_say_no():
    assert keep_freed_memory() in {True, False}
    if sys.platform != "linux":
        assert keep_freed_memory() is False
