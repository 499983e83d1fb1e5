"""A second way to a platform's fake, for Google's libraries that have no REST: gRPC, turned into the same requests.

Google does the same: each of these APIs is one service with two forms, and an RPC is mapped to a path, a query and a
body (https://google.aip.dev/127). So whatever the discovery document forbids is refused here as well.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from concurrent import futures
from typing import Any, ClassVar, Self
from urllib.parse import quote, urlencode

import grpc
from google.protobuf import any_pb2, empty_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from tests.fake_gcp.platform import FakePlatform
from tests.fake_gcp.server import DroppedError, PageError

# The verb of HTTP for each kind of RPC.
VERBS = {"Create": "POST", "Delete": "DELETE", "Get": "GET", "List": "GET", "Update": "PATCH"}
# RPCs whose path ends in the collection, and begins with the parent of what they are about.
OF_PARENT = ("Create", "List")
CODES = {
    400: code_pb2.INVALID_ARGUMENT,
    401: code_pb2.UNAUTHENTICATED,
    403: code_pb2.PERMISSION_DENIED,
    404: code_pb2.NOT_FOUND,
    409: code_pb2.ABORTED,
    412: code_pb2.FAILED_PRECONDITION,
    429: code_pb2.RESOURCE_EXHAUSTED,
    501: code_pb2.UNIMPLEMENTED,
    503: code_pb2.UNAVAILABLE,
    504: code_pb2.DEADLINE_EXCEEDED,
}


class FakeRpc(FakePlatform):
    """A server of RPCs with the messages of module *types*: of *message*, called *field* in a request, in *collection*.

    *key* and *parent* are the fields of a request for the resource's name and its parent's; *verbs* differ from VERBS.
    """

    types = ""
    message = ""
    field = ""
    collection = ""
    key = "name"
    parent = "name"
    verbs: ClassVar[Mapping[str, str]] = {}

    def __enter__(self) -> Self:
        super().__enter__()
        self._types = importlib.import_module(self.types)
        self._rpc = grpc.server(futures.ThreadPoolExecutor(4), handlers=(_Handler(self),))
        self.endpoint = f"http://127.0.0.1:{self._rpc.add_insecure_port('127.0.0.1:0')}"
        self._rpc.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._rpc.stop(0).wait()
        super().__exit__(*exception)

    def handler(self, rpc: str) -> grpc.RpcMethodHandler:
        """The handler of an RPC, `CreateAlertPolicy`."""
        kind = next(each for each in VERBS if rpc.startswith(each))
        request = getattr(self._types, f"{rpc}Request")
        answer = getattr(self._types, f"{rpc}Response" if kind == "List" else self.message)

        def behave(asked: Any, context: grpc.ServicerContext) -> Any:
            found = self._asked(kind, _plain(asked), context)
            return empty_pb2.Empty() if kind == "Delete" else answer.from_json(json.dumps(found))

        serialize = empty_pb2.Empty.SerializeToString if kind == "Delete" else answer.serialize
        return grpc.unary_unary_rpc_method_handler(behave, request.deserialize, serialize)

    def _asked(self, kind: str, asked: dict[str, Any], context: grpc.ServicerContext) -> dict[str, Any]:
        """The answer to the same request by HTTP."""
        body = asked.pop(self.field, None)
        name = asked.pop(self.parent if kind in OF_PARENT else self.key, "") or body["name"]
        version, end = self.document.rpartition(".")[2], f"/{self.collection}" if kind in OF_PARENT else ""
        path = f"/{version}/{quote(name)}{end}?{urlencode(asked)}"
        content = b"" if body is None else json.dumps(body).encode()
        verb = self.verbs.get(kind, VERBS[kind])
        authorization = str(dict(context.invocation_metadata()).get("authorization", ""))
        try:
            status, found = self.answer(verb, path, authorization, content)
        except DroppedError:
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        except PageError as page:
            context.abort(grpc.StatusCode.UNKNOWN, f"Received http2 header with status: {page.status}")
        if status != 200:
            self._refuse(status, found["error"], context)
        return found

    def _refuse(self, status: int, error: dict[str, Any], context: grpc.ServicerContext) -> None:
        taken = error["errors"][0]["reason"] == "alreadyExists"
        code = code_pb2.ALREADY_EXISTS if taken else CODES.get(status, code_pb2.UNKNOWN)
        details = []
        for each in error.get("details", []):
            detail = any_pb2.Any()
            detail.Pack(error_details_pb2.ErrorInfo(reason=each["reason"], domain=each["domain"]))
            details.append(detail)
        whole = status_pb2.Status(code=code, message=error["message"], details=details)
        context.set_trailing_metadata((("grpc-status-details-bin", whole.SerializeToString()),))
        context.abort(next(each for each in grpc.StatusCode if each.value[0] == code), error["message"])


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, fake: FakeRpc) -> None:
        self._fake = fake

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return self._fake.handler(handler_call_details.method.rpartition("/")[2])


def _plain(message: Any) -> dict[str, Any]:
    """A request as JSON, by the names of enums."""
    found: dict[str, Any] = type(message).to_dict(
        message,
        use_integers_for_enums=False,
        preserving_proto_field_name=False,
        always_print_fields_with_no_presence=False,
    )
    return found
