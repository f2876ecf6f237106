"""Turn Ctrl-C and a request to terminate into an event that a run can heed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["cancel_on_signals"]


@contextmanager
def cancel_on_signals(
    cancel: threading.Event | None = None, signals: Iterable[int] = (signal.SIGINT, signal.SIGTERM)
) -> Iterator[threading.Event]:
    """Set the event that is returned (*cancel*, or a new one) on the first of *signals* inside.

    The second one raises KeyboardInterrupt. Outside the main thread, where Python delivers no
    signals, nothing is changed.
    """
    event = cancel or threading.Event()

    def heed(_number: int, _frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = {number: signal.signal(number, heed) for number in signals}
    try:
        yield event
    finally:
        for number, handler in before.items():
            # None: it was not set from Python, so there is nothing of it to put back
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
