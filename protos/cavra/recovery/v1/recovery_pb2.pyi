import datetime

from cavra.evidence.v1 import evidence_pb2 as _evidence_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ClosureState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLOSURE_STATE_UNSPECIFIED: _ClassVar[ClosureState]
    CLOSURE_STATE_RESOLVED: _ClassVar[ClosureState]
    CLOSURE_STATE_MITIGATED: _ClassVar[ClosureState]
    CLOSURE_STATE_DEFERRED: _ClassVar[ClosureState]
    CLOSURE_STATE_ESCALATED: _ClassVar[ClosureState]
    CLOSURE_STATE_REOPENED: _ClassVar[ClosureState]
CLOSURE_STATE_UNSPECIFIED: ClosureState
CLOSURE_STATE_RESOLVED: ClosureState
CLOSURE_STATE_MITIGATED: ClosureState
CLOSURE_STATE_DEFERRED: ClosureState
CLOSURE_STATE_ESCALATED: ClosureState
CLOSURE_STATE_REOPENED: ClosureState

class CreatePlaybookRequest(_message.Message):
    __slots__ = ("min_failure_count", "lookback_hours")
    MIN_FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    LOOKBACK_HOURS_FIELD_NUMBER: _ClassVar[int]
    min_failure_count: int
    lookback_hours: int
    def __init__(self, min_failure_count: _Optional[int] = ..., lookback_hours: _Optional[int] = ...) -> None: ...

class CreatePlaybookResponse(_message.Message):
    __slots__ = ("playbook",)
    PLAYBOOK_FIELD_NUMBER: _ClassVar[int]
    playbook: _evidence_pb2.Record
    def __init__(self, playbook: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ...) -> None: ...

class CloseRecoveryRequest(_message.Message):
    __slots__ = ("playbook_id", "provider", "closure_state", "external_ref", "notes", "verification_refs")
    PLAYBOOK_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    CLOSURE_STATE_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_REF_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    VERIFICATION_REFS_FIELD_NUMBER: _ClassVar[int]
    playbook_id: str
    provider: str
    closure_state: ClosureState
    external_ref: str
    notes: str
    verification_refs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, playbook_id: _Optional[str] = ..., provider: _Optional[str] = ..., closure_state: _Optional[_Union[ClosureState, str]] = ..., external_ref: _Optional[str] = ..., notes: _Optional[str] = ..., verification_refs: _Optional[_Iterable[str]] = ...) -> None: ...

class CloseRecoveryResponse(_message.Message):
    __slots__ = ("closure",)
    CLOSURE_FIELD_NUMBER: _ClassVar[int]
    closure: _evidence_pb2.Record
    def __init__(self, closure: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ...) -> None: ...

class ListRecoveriesRequest(_message.Message):
    __slots__ = ("playbook_id", "limit")
    PLAYBOOK_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    playbook_id: str
    limit: int
    def __init__(self, playbook_id: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ListRecoveriesResponse(_message.Message):
    __slots__ = ("recoveries",)
    RECOVERIES_FIELD_NUMBER: _ClassVar[int]
    recoveries: _containers.RepeatedCompositeFieldContainer[Recovery]
    def __init__(self, recoveries: _Optional[_Iterable[_Union[Recovery, _Mapping]]] = ...) -> None: ...

class Recovery(_message.Message):
    __slots__ = ("playbook_id", "provider", "state", "superseded", "last_failure_at", "closure_id", "next_states")
    PLAYBOOK_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SUPERSEDED_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_AT_FIELD_NUMBER: _ClassVar[int]
    CLOSURE_ID_FIELD_NUMBER: _ClassVar[int]
    NEXT_STATES_FIELD_NUMBER: _ClassVar[int]
    playbook_id: str
    provider: str
    state: str
    superseded: bool
    last_failure_at: _timestamp_pb2.Timestamp
    closure_id: str
    next_states: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, playbook_id: _Optional[str] = ..., provider: _Optional[str] = ..., state: _Optional[str] = ..., superseded: _Optional[bool] = ..., last_failure_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., closure_id: _Optional[str] = ..., next_states: _Optional[_Iterable[str]] = ...) -> None: ...
