"""Refusals in the shape of Google's."""

from __future__ import annotations

import http
from typing import Any


class ApiError(Exception):
    """An error response: HTTP status, Google's reason, a message for people, details."""

    def __init__(self, status: int, reason: str, message: str, details: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.details = status, reason, message, details or []

    def body(self) -> dict[str, Any]:
        entry = {"message": self.message, "domain": "global", "reason": self.reason}
        error: dict[str, Any] = {"code": self.status, "message": self.message, "errors": [entry]}
        if self.details:
            error |= {"status": http.HTTPStatus(self.status).name, "details": self.details}
        return {"error": error}


def invalid(field: str, value: object, why: str) -> ApiError:
    return ApiError(400, "invalid", f"Invalid value for field '{field}': '{value}'. {why}")


def not_found(path: str) -> ApiError:
    return ApiError(404, "notFound", f"The resource '{path}' was not found")


def api_disabled(project: str, service: str = "compute.googleapis.com") -> ApiError:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "SERVICE_DISABLED",
        "domain": "googleapis.com",
        "metadata": {"service": service, "consumer": f"projects/{project}"},
    }
    text = f"Compute Engine API has not been used in project {project} before or it is disabled."
    return ApiError(403, "accessNotConfigured", text, [info])
