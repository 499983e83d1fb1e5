"""Operations: the part of a request that Google does after it has answered."""

from __future__ import annotations

import datetime
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fake_gcp.links import HOST

STATUS = {"QUOTA_EXCEEDED": (403, "FORBIDDEN"), "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE": (400, "BAD REQUEST")}


@dataclass
class Operation:
    """A change under way: done at *due*, when *finish* is called with whether it succeeded."""

    scope: str
    kind: str
    target: str
    due: float
    request_id: str | None
    error: tuple[str, str] | None
    finish: Callable[[bool], None]
    name: str = ""
    done: bool = False

    def __post_init__(self) -> None:
        self.name = f"operation-{uuid.uuid4().hex}"
        self.inserted = datetime.datetime.now(datetime.UTC).isoformat()

    @property
    def path(self) -> str:
        return f"{self.scope}/operations/{self.name}"

    def settle(self) -> None:
        """Carry it out if its time has come."""
        if not self.done and time.monotonic() >= self.due:
            self.done = True
            self.finish(self.error is None)

    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "kind": "compute#operation",
            "id": str(uuid.UUID(self.name[-32:]).int >> 66),
            "name": self.name,
            "operationType": self.kind,
            "targetLink": HOST + self.target,
            "status": "DONE" if self.done else "RUNNING",
            "progress": 100 if self.done else 0,
            "insertTime": self.inserted,
            "selfLink": HOST + self.path,
        }
        if self.request_id:
            found["clientOperationId"] = self.request_id
        if "/regions/" in self.scope:
            found["region"] = HOST + self.scope
        elif "/zones/" in self.scope:
            found["zone"] = HOST + self.scope
        if self.done and self.error:
            code, message = self.error
            found["httpErrorStatusCode"], found["httpErrorMessage"] = STATUS.get(code, (400, "BAD REQUEST"))
            found["error"] = {"errors": [{"code": code, "message": message}]}
        return found
