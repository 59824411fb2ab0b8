"""Every RPC of the contracts, and messages of any request type: fields that are right, odd or left out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cavra.delivery.v1 import delivery_pb2
from cavra.evidence.v1 import evidence_pb2
from cavra.recovery.v1 import recovery_pb2
from cavra.retry.v1 import retry_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from tests.fuzz import values

_FILES: Final = {"delivery": delivery_pb2, "retry": retry_pb2, "recovery": recovery_pb2}


@dataclass(frozen=True, slots=True)
class Rpc:
    """One RPC at one of the services."""

    service: str
    """Who serves it: each of the three has an EvidenceLog of its own."""
    path: str
    request: Any
    """Class of its request."""
    response: Any
    streams: bool

    @property
    def name(self) -> str:
        """As tests are named by."""
        return f"{self.service}.{self.path.rpartition('/')[2]}"


def _rpcs() -> list[Rpc]:
    found = []
    for service, file in _FILES.items():
        for described in (
            *file.DESCRIPTOR.services_by_name.values(),
            *evidence_pb2.DESCRIPTOR.services_by_name.values(),
        ):
            for method in described.methods:
                request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
                path = f"/{described.full_name}/{method.name}"
                found.append(Rpc(service, path, request, response, method.server_streaming))
    return found


RPCS: Final = _rpcs()


@dataclass(frozen=True, slots=True)
class Known:
    """Stands for something that the world holds by then."""

    name: str


_INTEGERS: Final = (
    0,
    1,
    2,
    3,
    5,
    10,
    25,
    60,
    100,
    500,
    -1,
    26,
    101,
    501,
    10_000,
    10_001,
    10_501,
    2**31 - 1,
    -(2**31),
)
_LONGS: Final = (*_INTEGERS, 2**31, 2**53 + 1, 2**62, 2**63 - 1, -(2**63))
_BYTES: Final = (
    b"",
    b"\x00",
    b"\x00" * 32,
    b"\xff" * 32,
    b"\x00" * 31,
    b"\x00" * 33,
    b"\x00" * 64,
    b"{}",
    b"[" * 2000,
    b"\xed\xa0\x80",
    b"x" * 70_000,
)
_TEXTS: Final = tuple(
    text for text in values.TEXTS if text.isascii() or not any("\ud800" <= one <= "\udfff" for one in text)
)
_ENUMS: Final = (-1, 6, 7, 99, 2**31 - 1, -(2**31))
_SECONDS: Final = (
    0,
    1,
    -1,
    1_800_000_000,
    -62135596800,
    -62135596801,
    253402300799,
    253402300800,
    2**63 - 1,
    -(2**63),
)
_NANOS: Final = (0, 1, 999_999_999, 1_000_000_000, -1, 2**31 - 1, -(2**31))

_odd_texts = st.one_of(st.sampled_from(_TEXTS), st.text(st.characters(codec="utf-8"), max_size=12))


def texts(name: str) -> st.SearchStrategy[Any]:
    """What a field of that name may hold."""
    if name in ("provider", "providers"):
        return st.one_of(st.sampled_from(("webhook", "broken", "nobody")), _odd_texts)
    if name.endswith(("_id", "_ids", "_digest", "_token")) or name in ("id", "ids", "verification_refs"):
        return st.one_of(st.just(Known(name)), st.just(Known(name)), _odd_texts)
    return _odd_texts


def _scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
            return st.one_of(st.sampled_from(_BYTES), st.binary(max_size=80))
        case FieldDescriptor.CPPTYPE_STRING:
            return texts(field.name)
        case FieldDescriptor.CPPTYPE_BOOL:
            return st.booleans()
        case FieldDescriptor.CPPTYPE_ENUM:
            assert field.enum_type is not None
            return st.sampled_from((*(one.number for one in field.enum_type.values), *_ENUMS))
        case FieldDescriptor.CPPTYPE_INT32:
            return st.sampled_from(_INTEGERS)
        case FieldDescriptor.CPPTYPE_INT64:
            return st.sampled_from(_LONGS)
    raise TypeError(field.full_name)


_numbers = st.sampled_from(
    (
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.1,
        2.0**53,
        2.0**53 + 2,
        1e308,
        5e-324,
        float("nan"),
        float("inf"),
        float("-inf"),
    )
)
_json = st.recursive(
    st.one_of(st.none(), st.booleans(), _numbers, _odd_texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_odd_texts, inner, max_size=3)),
    max_leaves=6,
)
_ROUTING: Final = ("owner_routes", "maintenance_windows", "owner_calendars", "platform")
_structs = st.one_of(
    st.dictionaries(st.one_of(st.sampled_from(_ROUTING), _odd_texts), _json, max_size=3),
    st.dictionaries(
        st.sampled_from(_ROUTING), st.dictionaries(st.sampled_from(_ROUTING), _json, max_size=2), max_size=3
    ),
    st.sampled_from((5, 20, 30)).map(lambda levels: {"owner_routes": values.deep(levels)}),
)
_timestamps = st.fixed_dictionaries({"seconds": st.sampled_from(_SECONDS), "nanos": st.sampled_from(_NANOS)})


def fields(descriptor: Descriptor) -> st.SearchStrategy[Mapping[str, Any]]:
    """Field -> value; some are left out, some are repeated beyond all bounds."""
    if descriptor.full_name == "google.protobuf.Struct":
        return _structs
    if descriptor.full_name == "google.protobuf.Timestamp":
        return _timestamps
    return st.fixed_dictionaries({}, optional={field.name: _value(field) for field in descriptor.fields})


def _value(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    one = fields(field.message_type) if field.message_type is not None else _scalar(field)
    if not field.is_repeated:
        return one
    many = st.tuples(one, st.sampled_from((50, 65, 100, 101, 500, 501, 2000))).map(
        lambda pair: [pair[0]] * pair[1]
    )
    return st.one_of(st.lists(one, max_size=3), st.lists(one, min_size=1, max_size=2), many)


def message(rpc: Rpc, described: Mapping[str, Any], known: Callable[[str], str]) -> Any:
    """The request of that description."""
    return _built(rpc.request, described, known)


def _built(cls: Any, described: Mapping[str, Any], known: Callable[[str], str]) -> Any:
    if cls.DESCRIPTOR.full_name == "google.protobuf.Struct":
        struct = cls()
        struct.update(described)
        return struct

    def whole(field: FieldDescriptor, value: Any) -> Any:
        if isinstance(value, list):
            return [whole(field, item) for item in value]
        if isinstance(value, Known):
            return known(value.name)
        return (
            _built(GetMessageClass(field.message_type), value, known)
            if field.message_type is not None
            else value
        )

    return cls(
        **{name: whole(cls.DESCRIPTOR.fields_by_name[name], value) for name, value in described.items()}
    )
