"""The API's description: what FastAPI generates, completed with records, problems, credentials and examples."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

from cavra.evidence.v1 import evidence_pb2
from cavra_evidence.records.base import Record
from cavra_evidence.records.retry import RetryPlanRef
from cavra_service.idempotency import PATTERN
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel

from cavra_gateway.answers import Problem
from cavra_gateway.examples import example_of
from cavra_gateway.problems import PROBLEM

Schema = dict[str, Any]

_ENVELOPE: Final[Schema] = {"$ref": "#/components/schemas/Envelope"}
_PROBLEMS: Final = {
    400: ("A value is not allowed.", ("get", "post")),
    401: ("No token, or one that is not valid.", ("get", "post")),
    403: ("Not the caller's role, or not allowed for this caller.", ("get", "post")),
    404: ("An id in the path does not exist.", ("post",)),
    409: ("The state does not allow it, or changed meanwhile.", ("post",)),
    413: ("The body is too large.", ("post",)),
    422: ("The body is not of the documented shape.", ("post",)),
    429: ("Too much at once.", ("get", "post")),
    503: ("A service behind the gateway is down.", ("get", "post")),
}
_KEY: Final[Schema] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": (
        "Sent again with the same key, a command is not run again but answered with its first result, for 24 hours."
        " 409 `in_progress` while the first one runs, 409 `idempotency_key_reused` for another request of the same route."
        " What was refused may be sent again."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": f"^{PATTERN}$"},
    "example": "7c4a8d09-ca37-42af-8aa8-1d5e3f2b9c60",
}
_SERVED: Final = frozenset({*(model.__name__ for model in Record.__subclasses__()), RetryPlanRef.__name__})
"""Records are served with schema_version, product and what is computed, so their objects are open; a body stays closed."""
_INTEGERS: Final = frozenset(
    {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT32}
)


def documented(operation_id: str, model: type[BaseModel]) -> dict[str, Any]:
    """For a route's decorator: an operation that answers with `model`."""
    return {"operation_id": operation_id, "response_model": model}


def reported(
    operation_id: str, message: Any, *, listed: Sequence[str] | None = None, key: str = ""
) -> dict[str, Any]:
    """For a route's decorator: an operation that answers with a protobuf report, with a page of them (`listed`: the names of its filters,
    when the answer repeats them), or with one under `key`."""
    schema = _message_schema(message.DESCRIPTOR)
    if key:
        schema["properties"]["filters"] = {"type": "object", "additionalProperties": {"type": "string"}}
        schema = _object({key: schema})
    if listed is not None:
        count = {"type": "integer", "minimum": 0}
        page = {
            "items": {"type": "array", "items": schema},
            "total": count,
            "limit": count,
            "offset": count,
        }
        if listed:
            page["filters"] = _object({name: {"type": "string"} for name in listed})
        schema = _object(page)
    return answering(operation_id, schema)


def answering(
    operation_id: str, schema: Schema, *, otherwise: Mapping[int, str] | None = None
) -> dict[str, Any]:
    """For a route's decorator: an operation whose answer has this JSON schema; `otherwise` describes further statuses that have it."""
    content = {"application/json": {"schema": schema}}
    descriptions = {200: "Successful Response", **(otherwise or {})}
    responses = {status: {"description": why, "content": content} for status, why in descriptions.items()}
    return {"operation_id": operation_id, "responses": responses}


def describe(app: FastAPI) -> None:
    """Let `app` describe itself completely."""

    def openapi() -> Schema:
        if not app.openapi_schema:
            app.openapi_schema = _complete(
                get_openapi(
                    title=app.title, version=app.version, description=app.description, routes=app.routes
                )
            )
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way


def _complete(document: Schema) -> Schema:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = Problem.model_json_schema()
    for schema in schemas.values():
        if schema.get("title") in _SERVED:
            del schema["additionalProperties"]
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    for item in document["paths"].values():
        for method, operation in item.items():
            _complete_operation(operation, method, schemas)
    return document


def _complete_operation(operation: Schema, method: str, schemas: Schema) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    public = "public" in operation.get("tags", [])
    if not public:
        operation["security"] = [{"bearer": []}]
    for status, (description, methods) in _PROBLEMS.items():
        if method in methods and not public:
            content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
            responses[str(status)] = {"description": description, "content": content}
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for part in (*bodies, *responses.values()):
        for content in part.get("content", {}).values():
            content.setdefault("example", example_of(content["schema"], schemas))
    if method == "post":
        operation.setdefault("parameters", []).append(deepcopy(_KEY))
    for parameter in operation.get("parameters", []):
        parameter.setdefault("example", example_of(parameter["schema"], schemas, parameter["name"]))
        parameter["schema"].pop("examples", None)


def _message_schema(descriptor: Descriptor) -> Schema:
    """The schema of `reports.report`."""
    if descriptor.full_name == evidence_pb2.Record.DESCRIPTOR.full_name:
        return dict(_ENVELOPE)
    if descriptor.full_name == Timestamp.DESCRIPTOR.full_name:
        return {"type": "string", "format": "date-time"}
    if descriptor.full_name == Struct.DESCRIPTOR.full_name:
        return {"type": "object", "additionalProperties": True}
    return _object({field.name: _field_schema(field) for field in descriptor.fields})


def _field_schema(field: FieldDescriptor) -> Schema:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value = _single_schema(field.message_type.fields_by_name["value"])
        return {"type": "object", "additionalProperties": value}
    schema = _single_schema(field)
    if field.is_repeated:
        return {"type": "array", "items": schema}
    return {"anyOf": [schema, {"type": "null"}]} if field.has_presence else schema


def _single_schema(field: FieldDescriptor) -> Schema:
    if field.message_type is not None:
        return _message_schema(field.message_type)
    if field.cpp_type in _INTEGERS:
        return {"type": "integer"}
    return {"type": "boolean"} if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else {"type": "string"}


def _object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}
