"""Protobuf reports as JSON: names and order of the contract, zero values kept, numbers as numbers."""

from collections.abc import Callable
from functools import cache
from typing import Any

from cavra.evidence.v1.evidence_pb2 import Record
from cavra_evidence.times import text
from cavra_service.wire import from_timestamp
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from cavra_gateway.records import envelope

Convert = Callable[[Any], Any]


def report(message: Any) -> dict[str, Any]:
    """The message as a JSON object.

    Times are UTC text with microseconds, int64 are numbers, maps and Structs are objects, records are envelopes;
    an unset message or optional field is null.
    """
    return {name: read(message) for name, read in _readers(message.DESCRIPTOR)}


@cache
def _readers(descriptor: Descriptor) -> tuple[tuple[str, Convert], ...]:
    return tuple((field.name, _reader(field)) for field in descriptor.fields)


def _reader(field: FieldDescriptor) -> Convert:
    name = field.name
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        convert = _converter(field.message_type.fields_by_name["value"])
        return lambda message: {key: convert(item) for key, item in sorted(getattr(message, name).items())}
    convert = _converter(field)
    if field.is_repeated:
        return lambda message: [convert(item) for item in getattr(message, name)]
    if field.has_presence:
        return lambda message: convert(getattr(message, name)) if message.HasField(name) else None
    return lambda message: convert(getattr(message, name))


def _converter(field: FieldDescriptor) -> Convert:
    if field.message_type is not None:
        return _MESSAGES.get(field.message_type.full_name, report)
    return bytes.hex if field.type == FieldDescriptor.TYPE_BYTES else _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


def _struct(value: Struct) -> dict[str, Any]:
    return {name: _value(item) for name, item in value.fields.items()}


def _value(value: Value) -> Any:
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return _struct(value.struct_value)
        case "list_value":
            return [_value(item) for item in value.list_value.values]
    return None


_MESSAGES: dict[str, Convert] = {
    Timestamp.DESCRIPTOR.full_name: lambda value: text(from_timestamp(value)),
    Struct.DESCRIPTOR.full_name: _struct,
    Value.DESCRIPTOR.full_name: _value,
    ListValue.DESCRIPTOR.full_name: lambda value: [_value(item) for item in value.values],
    Record.DESCRIPTOR.full_name: envelope,
}
