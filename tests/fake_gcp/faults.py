"""Trouble on order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Fault:
    """A fault of the next *times* calls of a method, at the resource *name* where one is named.

    Set one of the other fields; they mean

    - status: refused with this status before anything is done
    - reason, text: of that refusal
    - page: answered with (status, text) that is none of Google's; *carried_out* says whether the request is
    - drip: the answer comes a byte at a time, each after so many seconds
    - drop: the connection ends without an answer, "before" or "after" the request is carried out
    - operation_error: (code, message) with which the operation ends after the request was answered 200
    - seconds: how long the operation takes
    - before: called first, outside the lock, for example to be the other party of a race
    """

    method: str
    times: int = 1
    name: str = ""
    status: int | None = None
    reason: str = ""
    text: str = "On order."
    page: tuple[int, str] | None = None
    carried_out: bool = False
    drip: float = 0.0
    drop: str | None = None
    operation_error: tuple[str, str] | None = None
    seconds: float | None = None
    before: Callable[[], None] | None = None


@dataclass
class Faults:
    """The faults still to come."""

    waiting: list[Fault] = field(default_factory=list)

    def take(self, method: str, name: str) -> Fault:
        """The first fault that waits for *method* at *name*, or one without effect."""
        for fault in self.waiting:
            if fault.method == method and fault.name in ("", name):
                fault.times -= 1
                if not fault.times:
                    self.waiting.remove(fault)
                return fault
        return Fault(method)
