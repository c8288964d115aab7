"""What the processes of a study train, and when: told by themselves, line by line, into a pipe."""

import os
import threading
import time
from collections import defaultdict
from itertools import combinations

__all__ = ["Diary", "say"]

_OVERLAP_SECONDS = 1.5
"""A process that was frozen trains on until it hears that it was given up: no longer than this."""
_FROZEN_SECONDS = 3.0
"""Far longer than an epoch: a process that was silent for so long was not training."""


def say(pipe, what, config, epoch):
    """Note what is done, with the monotonic clock that all processes of a machine share."""
    line = (
        f"{time.clock_gettime(time.CLOCK_MONOTONIC)} {os.getpid()} {what} {config['x']} {epoch}\n"
    )
    # One short write into a pipe is whole, however many write.
    opened = os.open(pipe, os.O_WRONLY)
    os.write(opened, line.encode())
    os.close(opened)


class Diary:
    """The lines that were said into a pipe.

    Args:
        pipe: Where it is made.
    """

    def __init__(self, pipe):
        self.pipe = pipe
        os.mkfifo(pipe)
        self.lines = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        # Opened for both, so that it does not end while nobody writes.
        with open(os.open(self.pipe, os.O_RDWR)) as pipe:  # noqa: PTH123 - a descriptor
            self.lines.extend(iter(pipe.readline, "the end\n"))

    def close(self):
        """Stop listening, after all that was said before; safe to call twice."""
        if self._thread.is_alive():
            with self.pipe.open("w") as pipe:
                pipe.write("the end\n")
            self._thread.join()

    def training(self):
        """Return what each process is in the midst of: a trial, and after which epoch it began."""
        orders = {}
        for line in list(self.lines):
            _, pid, what, x, epoch = line.split()
            if what == "begins":
                orders[int(pid)] = x, epoch
            elif what == "ends":
                orders.pop(int(pid), None)
        return orders

    def overlaps(self):
        """Return the stretches in which two processes were training one trial."""
        found = []
        for x, stretches in self._stretches().items():
            for one, other in combinations(stretches, 2):
                together = min(one[-1], other[-1]) - max(one[1], other[1])
                if one[0] != other[0] and together > _OVERLAP_SECONDS:
                    found.append((x, one, other))
        return found

    def _stretches(self):
        """Return per trial who trained it, and from when to when, without a pause."""
        found, last = defaultdict(list), {}
        for line in self.lines:
            at, pid, what, x, _ = line.split()
            at, stretch = float(at), last.get((pid, x))
            if what == "begins" or at - stretch[-1] > _FROZEN_SECONDS:
                last[pid, x] = stretch = [pid, at, at]
                found[x].append(stretch)
            stretch[-1] = at
        return found
