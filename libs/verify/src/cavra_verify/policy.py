"""The auditor's policy: the logs, keys, issuers and floors that a verdict rests on. Never taken out of what is verified."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from cavra_verify.kinds import BY_NOUN, KINDS
from cavra_verify.signatures import key_id

POLICY_SCHEMA: Final = "cavra.policy.v1"
SERVICES: Final = ("delivery", "retry", "recovery")
ROLES: Final = ("approver", "operator")
_MOST_BYTES: Final = 1024 * 1024

T = TypeVar("T")


class PolicyError(ValueError):
    """The policy cannot be used; the message names the field, what was got and what was expected."""


@dataclass(frozen=True, slots=True)
class PinnedKey:
    """A log's signing key, and for which part of the log it is good."""

    public: bytes
    """Raw Ed25519, 32 bytes."""
    from_index: int = 0
    """First record that it may sign."""
    until_index: int | None = None
    """First record that it may no longer sign; None for a key still in use."""
    revoked: str = ""
    """Why it is trusted for nothing; empty for a key that is trusted."""

    @property
    def key_id(self) -> str:
        """Its short name."""
        return key_id(self.public)

    def signs_record(self, index: int) -> bool:
        """Whether it may have signed the record at `index`."""
        return self.from_index <= index and (self.until_index is None or index < self.until_index)

    def signs_checkpoint(self, size: int) -> bool:
        """Whether it may have signed a head of `size` records: where one key takes over from another, both may."""
        return self.from_index <= size and (self.until_index is None or size <= self.until_index)


@dataclass(frozen=True, slots=True)
class PinnedLog:
    """One log that is trusted to be what its keys sign."""

    origin: str
    service: str
    """delivery, retry or recovery."""
    keys: tuple[PinnedKey, ...]
    kinds: frozenset[str]
    """Nouns of the kinds that it may hold."""


@dataclass(frozen=True, slots=True)
class Floors:
    """The least that an approval has to take, whatever the installation said."""

    required_approvals: int = 1
    separation_of_duties: bool = True
    require_retry_ack: bool = True
    longest_expiry_minutes: int = 240
    attempt_ceiling: int = 25
    """Highest attempt number that may be sent; the first send is attempt 1."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All that a verdict takes as given."""

    logs: Mapping[str, PinnedLog]
    """By origin."""
    issuers: frozenset[str]
    """Issuers (`iss`) whose word for who a person is counts."""
    floors: Floors
    roles: Mapping[str, frozenset[tuple[str, str]]] = field(default_factory=dict)
    """Role -> the people, (iss, sub), who have it; whom a role that is not named here was given by the installation is not asked."""


def read_policy(data: bytes) -> Policy:
    """The policy in a JSON file. Raises PolicyError.

    Layout need not be canonical, but every field is known, typed and given once: a misspelt floor must not be a floor left out.
    """
    if len(data) > _MOST_BYTES:
        raise PolicyError(f"policy: got {len(data)} bytes, expected at most {_MOST_BYTES}")
    try:
        document = json.loads(data, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"policy: got no JSON object ({error})") from None
    fields = _Fields(document, "policy")
    schema = fields.take("schema_version", _text)
    if schema != POLICY_SCHEMA:
        raise PolicyError(f"policy.schema_version: got {schema!r}, expected {POLICY_SCHEMA!r}")
    logs = [_log(one, f"policy.logs[{at}]") for at, one in enumerate(fields.take("logs", _list))]
    issuers = [_text(one, "policy.issuers") for one in fields.take("issuers", _list)]
    floors = _floors(fields.take("floors", _dict))
    roles = _roles(fields.take("roles", _dict, {}))
    fields.end()
    _check_apart(logs)
    return Policy({log.origin: log for log in logs}, frozenset(issuers), floors, roles)


def _log(value: Any, where: str) -> PinnedLog:
    fields = _Fields(value, where)
    origin = fields.take("origin", _text)
    service = fields.take("service", _text)
    if service not in SERVICES:
        raise PolicyError(f"{where}.service: got {service!r}, expected one of {', '.join(SERVICES)}")
    keys = [_key(one, f"{where}.keys[{at}]") for at, one in enumerate(fields.take("keys", _list))]
    if not keys:
        raise PolicyError(f"{where}.keys: got none, expected at least one key")
    own = [kind.noun for kind in KINDS if kind.log in ("", service)]
    kinds = [_text(one, f"{where}.kinds") for one in fields.take("kinds", _list, own)]
    fields.end()
    for noun in kinds:
        if noun not in BY_NOUN or noun not in own:
            raise PolicyError(f"{where}.kinds: got {noun!r}, expected kinds of the {service} service")
    return PinnedLog(origin, service, tuple(keys), frozenset(kinds))


def _key(value: Any, where: str) -> PinnedKey:
    fields = _Fields(value, where)
    key = PinnedKey(
        fields.take("public_key", _public_key),
        fields.take("from_index", _count, 0),
        fields.take("until_index", _count_or_none, None),
        fields.take("revoked", _text_or_empty, ""),
    )
    fields.end()
    if key.until_index is not None and key.until_index <= key.from_index:
        raise PolicyError(f"{where}.until_index: got {key.until_index}, expected more than from_index")
    return key


def _floors(value: Any) -> Floors:
    fields, least = _Fields(value, "policy.floors"), Floors()
    floors = Floors(
        fields.take("required_approvals", _count, least.required_approvals),
        fields.take("separation_of_duties", _bool, least.separation_of_duties),
        fields.take("require_retry_ack", _bool, least.require_retry_ack),
        fields.take("longest_expiry_minutes", _count, least.longest_expiry_minutes),
        fields.take("attempt_ceiling", _count, least.attempt_ceiling),
    )
    fields.end()
    return floors


def _roles(value: Any) -> dict[str, frozenset[tuple[str, str]]]:
    fields = _Fields(value, "policy.roles")
    named = {
        role: [_person(one, f"policy.roles.{role}[{at}]") for at, one in enumerate(fields.take(role, _list))]
        for role in ROLES
        if role in value
    }
    fields.end()
    return {role: frozenset(people) for role, people in named.items()}


def _person(value: Any, where: str) -> tuple[str, str]:
    fields = _Fields(value, where)
    person = fields.take("iss", _text), fields.take("sub", _text)
    fields.end()
    return person


def _check_apart(logs: Iterable[PinnedLog]) -> None:
    """One log a service, and no key under two names: who holds it would speak for both."""
    origins: set[str] = set()
    services: set[str] = set()
    keys: dict[bytes, str] = {}
    for log in logs:
        if log.origin in origins or log.service in services:
            raise PolicyError(f"policy.logs: got {log.origin!r} twice, expected one log for each service")
        origins.add(log.origin)
        services.add(log.service)
        for key in log.keys:
            if keys.setdefault(key.public, log.origin) != log.origin:
                raise PolicyError(
                    f"policy.logs: got key {key.key_id} for two logs, expected a key of its own for each"
                )
    if not origins:
        raise PolicyError("policy.logs: got none, expected at least one log")


_REQUIRED: Final = object()


class _Fields:
    """The fields of one object, each taken once; what is left over at the end is unknown."""

    def __init__(self, value: Any, where: str) -> None:
        self._left = dict(_dict(value, where))
        self._where = where

    def take(self, name: str, read: Callable[[Any, str], T], default: Any = _REQUIRED) -> T:
        if name not in self._left:
            if default is _REQUIRED:
                raise PolicyError(f"{self._where}.{name}: got nothing, expected a value")
            taken: T = default
            return taken
        return read(self._left.pop(name), f"{self._where}.{name}")

    def end(self) -> None:
        for name in self._left:
            raise PolicyError(f"{self._where}.{name}: got a field that no policy has")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise PolicyError("policy: got a field twice")
    return document


def _of_type(kind: type, name: str) -> Callable[[Any, str], Any]:
    def read(value: Any, where: str) -> Any:
        if type(value) is not kind:
            raise PolicyError(f"{where}: got {type(value).__name__}, expected {name}")
        return value

    return read


_dict = _of_type(dict, "an object")
_list = _of_type(list, "a list")
_bool = _of_type(bool, "true or false")
_text_or_empty = _of_type(str, "a text")


def _text(value: Any, where: str) -> str:
    if type(value) is not str or not value:
        raise PolicyError(f"{where}: got {type(value).__name__}, expected a text that is not empty")
    return value


def _count(value: Any, where: str) -> int:
    if type(value) is not int or value < 0:
        raise PolicyError(f"{where}: got {value!r:.40}, expected a whole number from 0 on")
    return value


def _count_or_none(value: Any, where: str) -> int | None:
    return None if value is None else _count(value, where)


def _public_key(value: Any, where: str) -> bytes:
    try:
        public = base64.b64decode(_text(value, where), validate=True)
    except (binascii.Error, ValueError):
        public = b""
    if len(public) != 32:
        raise PolicyError(f"{where}: got no Ed25519 public key, expected 32 bytes in base64")
    return public
