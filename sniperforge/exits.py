"""Exit codes of every command, the same everywhere; the table for people is in docs/exit-codes.md."""

from __future__ import annotations

OK = 0
FAILED = 1  #: something went wrong; the sentence on stderr says what and what to do
USAGE = 2  #: wrong flags, or a configuration that cannot work
NOT_RUNNING = 3  #: no such instance, or it does not answer
REFUSED = 4  #: understood and refused in this state
DIFFERENT = 5  #: a comparison found a difference: replay, verification, doctor's required checks
UNSAFE = 6  #: a token that its checks refuse
RESTART = 75  #: supervisor to guardian: start me again
INTERRUPTED = 130  #: Ctrl-C in a command that had not finished
