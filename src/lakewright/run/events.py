"""What happens in a run, as values: for the journal and for whoever watches it live."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["ENDED", "Event", "Listener"]

#: How a task can end. ``built`` and ``unchanged`` are good; ``interrupted`` means that its process died.
ENDED = ("built", "unchanged", "failed", "skipped", "cancelled", "interrupted")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a run (``task`` empty) or to a task of it.

    Of a run: ``run_started``, ``run_ended``. Of a task: ``started`` (per attempt), ``waiting`` (for
    another process's lease), ``progress`` (live only, not kept), ``retrying``, and one of
    :data:`ENDED`. ``data`` of an end holds ``seconds`` and, where known, ``rows``, ``quarantined``,
    ``bytes``, ``score``, ``reason``, ``code`` and ``message``.
    """

    kind: str
    run: str
    task: str
    attempt: int
    at: datetime
    data: Mapping[str, object] = field(default_factory=dict)


#: Called with each event, from one thread, in order. What it raises is logged and else ignored.
Listener = Callable[[Event], None]
