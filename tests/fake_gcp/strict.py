"""Validate a request by the discovery document: fields, types, formats, enums, patterns, required fields."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from tests.fake_gcp.document import Document, Method
from tests.fake_gcp.errors import ApiError, invalid

# Required in Google's words and practice, without an annotation in the document.
REQUIRED = {
    "compute.subnetworks.insert": ("name", "network", "ipCidrRange"),
    "compute.subnetworks.expandIpCidrRange": ("ipCidrRange",),
    "compute.subnetworks.setPrivateIpGoogleAccess": ("privateIpGoogleAccess",),
    "compute.firewalls.update": ("name",),
    "compute.instances.insert": ("machineType", "disks", "networkInterfaces"),
    "compute.instances.setMachineType": ("machineType",),
    "compute.disks.resize": ("sizeGb",),
    "compute.resourcePolicies.insert": ("name",),
}
# Gone from the document, and still sent by gcloud 528.
FORMER = {"returnPartialSuccess": {"location": "query", "type": "boolean"}}
# Output-only fields that google.cloud sends, which Google tolerates.
TOLD = ("kind", "region", "zone")
OUTPUT_ONLY = re.compile(r"\[?output[ -]only\]?", re.I)
INTEGERS = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1)}
LONG = {"int64": (-(2**63), 2**63 - 1), "uint64": (0, 2**64 - 1)}
FORMATS = {
    "byte": (re.compile(r"[A-Za-z0-9+/_-]*={0,2}"), "TYPE_BYTES"),
    "google-duration": (re.compile(r"-?\d+(\.\d{1,9})?s"), "Duration"),
}


def check_query(document: Document, method: Method, query: Mapping[str, list[str]]) -> None:
    """ApiError 400 for an unknown, repeated, missing or badly typed parameter."""
    for name, values in query.items():
        known = method.parameters.get(name) or document.parameters.get(name) or FORMER.get(name)
        if known is None or known.get("location") == "path":
            raise ApiError(400, "badRequest", f'Invalid JSON payload received. Unknown name "{name}"')
        if len(values) > 1 and not known.get("repeated"):
            raise ApiError(400, "badRequest", f'Proto field is not repeating, cannot start list: "{name}"')
        for value in values:
            _check_parameter(name, value, known)
    for name, known in method.parameters.items():
        if known.get("required") and known["location"] == "query" and name not in query:
            raise ApiError(400, "required", f"Required parameter: {name}")


def _check_parameter(name: str, value: str, known: Mapping[str, Any]) -> None:
    # gcloud says True.
    if known["type"] == "boolean" and value.lower() not in ("true", "false"):
        raise invalid(name, value, "It is no boolean.")
    if known["type"] == "integer" and not re.fullmatch(r"-?\d+", value):
        raise invalid(name, value, "It is no integer.")
    if name == "requestId" and (not _is_uuid(value) or uuid.UUID(value).int == 0):
        raise invalid(name, value, "It must be a valid UUID other than zero.")


def _is_uuid(value: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value) is not None


def check_body(document: Document, method: Method, body: Any) -> None:
    """ApiError 400 for a body that the method's schema does not allow."""
    if method.request is None:
        if body is not None:
            raise ApiError(400, "badRequest", "Request body is not allowed here")
        return
    _check_value(document, {"$ref": method.request}, body, "resource")
    properties = document.schemas[method.request].get("properties", {})
    annotated = [
        name for name, known in properties.items() if method.id in known.get("annotations", {}).get("required", ())
    ]
    for name in {*annotated, *REQUIRED.get(method.id, ())}:
        if body.get(name) in (None, ""):
            raise ApiError(400, "required", f"Required field 'resource.{name}' not specified")


def _check_value(document: Document, schema: Mapping[str, Any], value: Any, where: str) -> None:
    if "$ref" in schema:
        schema = {"type": "object", **document.schemas[schema["$ref"]]}
    kind = schema["type"]
    if kind == "object":
        _check_object(document, schema, value, where)
    elif kind == "array":
        if not isinstance(value, list):
            raise _mistyped(where, value, "list")
        for index, item in enumerate(value):
            _check_value(document, schema["items"], item, f"{where}[{index}]")
    elif kind == "string":
        _check_string(schema, value, where)
    elif kind == "boolean":
        if not isinstance(value, bool):
            raise _mistyped(where, value, "TYPE_BOOL")
    elif kind == "integer":
        _check_range(value, INTEGERS[schema["format"]], where, isinstance(value, int) and not isinstance(value, bool))
    elif kind == "number" and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise _mistyped(where, value, "TYPE_FLOAT")


def _check_object(document: Document, schema: Mapping[str, Any], value: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise _mistyped(where, value, "object")
    properties = schema.get("properties", {})
    for name, item in value.items():
        known = properties.get(name) or schema.get("additionalProperties")
        if known is None:
            text = f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}': Cannot find field."
            raise ApiError(400, "badRequest", text)
        if name not in TOLD and (known.get("readOnly") or OUTPUT_ONLY.match(known.get("description", ""))):
            raise invalid(f"{where}.{name}", item, "The field is output only.")
        _check_value(document, known, item, f"{where}.{name}")


def _check_string(schema: Mapping[str, Any], value: Any, where: str) -> None:
    form = schema.get("format")
    if form in LONG:
        # JSON has no 64 bit integers: both spellings are read.
        _check_range(int(value) if str(value).lstrip("-").isdigit() else None, LONG[form], where, True)
        return
    if not isinstance(value, str):
        raise _mistyped(where, value, "TYPE_STRING")
    if form in FORMATS and not FORMATS[form][0].fullmatch(value):
        raise _mistyped(where, value, FORMATS[form][1])
    if "enum" in schema and value not in schema["enum"]:
        raise invalid(where, value, f"It must be one of {', '.join(schema['enum'])}.")
    if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        raise invalid(where, value, f"Must be a match of regex '{schema['pattern']}'")


def _check_range(value: Any, limits: tuple[int, int], where: str, right_type: bool) -> None:
    if not right_type or value is None:
        raise _mistyped(where, value, "TYPE_INT")
    if not limits[0] <= value <= limits[1]:
        raise invalid(where, value, f"It must be between {limits[0]} and {limits[1]}.")


def _mistyped(where: str, value: Any, kind: str) -> ApiError:
    return ApiError(400, "badRequest", f"Invalid value at '{where}' ({kind}), {value!r}")
