import threading

from ripieno.records import hearing, say_epochs


def test_the_innermost_hearer_is_told_and_without_one_nothing_happens():
    heard = []
    say_epochs(1, 1)
    with hearing(lambda trial, epochs: heard.append(("outer", trial, epochs))):
        say_epochs(1, 2)
        with hearing(lambda trial, epochs: heard.append(("inner", trial, epochs))):
            say_epochs(3, 4)
        say_epochs(1, 5)
    say_epochs(1, 6)
    assert heard == [("outer", 1, 2), ("inner", 3, 4), ("outer", 1, 5)]


def test_another_thread_is_not_heard():
    heard = []
    with hearing(lambda *said: heard.append(said)):
        thread = threading.Thread(target=say_epochs, args=(1, 1))
        thread.start()
        thread.join()
    assert heard == []
