"""What all record models share: closed frozen models, and string types that carry their grammar."""

from typing import Annotated, Any, ClassVar, Self

from cavra_verify.canonical import MAX_SAFE_INTEGER, parse
from cavra_verify.grammar import BOUNDS, PATTERNS
from cavra_verify.kinds import BY_NOUN, PRODUCT, Kind
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from cavra_evidence.guard import external_reference, scan, scan_word, verification_reference


def _exactly(name: str) -> StringConstraints:
    return StringConstraints(pattern=f"^(?:{PATTERNS[name]})$")


def _or_empty(name: str) -> StringConstraints:
    return StringConstraints(pattern=f"^(?:{PATTERNS[name]})?$")


Id = Annotated[str, _exactly("id")]
OptionalId = Annotated[str, _or_empty("id")]
ExternalId = Annotated[str, _exactly("external_id"), AfterValidator(scan)]
OptionalExternalId = Annotated[str, _or_empty("external_id"), AfterValidator(scan)]
Name = Annotated[str, _exactly("name"), AfterValidator(scan_word)]
OptionalName = Annotated[str, _or_empty("name"), AfterValidator(scan_word)]
Provider = Annotated[str, _exactly("provider"), AfterValidator(scan_word)]
OptionalProvider = Annotated[str, _or_empty("provider"), AfterValidator(scan_word)]
Reason = Annotated[str, _exactly("reason"), AfterValidator(scan_word)]
OptionalReason = Annotated[str, _or_empty("reason"), AfterValidator(scan_word)]
Person = Annotated[str, _exactly("person"), AfterValidator(scan)]
OptionalPerson = Annotated[str, _or_empty("person"), AfterValidator(scan)]
Issuer = Annotated[str, _exactly("issuer"), AfterValidator(scan_word)]
Label = Annotated[str, _exactly("label"), AfterValidator(scan)]
OptionalLabel = Annotated[str, _or_empty("label"), AfterValidator(scan)]
OptionalVariable = Annotated[str, _or_empty("variable"), AfterValidator(scan_word)]
Hash = Annotated[str, _exactly("hash")]
OptionalHash = Annotated[str, _or_empty("hash")]
Decimal = Annotated[str, _exactly("decimal")]
Time = Annotated[str, _exactly("time")]
Url = Annotated[str, _exactly("url"), AfterValidator(scan)]
Header = Annotated[str, _exactly("header"), AfterValidator(scan_word)]
Method = Annotated[str, _exactly("method")]
EvidenceRef = Annotated[str, _exactly("evidence_ref"), AfterValidator(scan)]
Control = Annotated[str, _exactly("control"), AfterValidator(scan_word)]
Notes = Annotated[str, StringConstraints(max_length=BOUNDS["notes"]), AfterValidator(scan)]
ExternalRef = Annotated[
    str, StringConstraints(max_length=BOUNDS["external_ref"]), AfterValidator(external_reference)
]
VerificationRef = Annotated[
    str,
    StringConstraints(min_length=1, max_length=BOUNDS["external_ref"]),
    AfterValidator(verification_reference),
]
Count = Annotated[int, Field(ge=0, le=MAX_SAFE_INTEGER)]
StatusCode = Annotated[int, Field(ge=100, le=599)]
Providers = Annotated[list[Provider], Field(max_length=BOUNDS["providers"])]
Controls = Annotated[list[Control], Field(max_length=BOUNDS["controls"])]
AlertLevel = Annotated[str, StringConstraints(pattern="^(?:healthy|warning|critical)$")]


class Part(BaseModel):
    """A closed, frozen piece of a record. It holds no floats and no open maps, so its encoding is canonical by construction."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Record(Part):
    """A full record of one kind."""

    KIND: ClassVar[Kind]
    """The kind it is of."""
    TOP: ClassVar[type[Part] | None] = None
    """The model of what its envelope holds at the top beside the record's own fields, if there is any."""

    def __init_subclass__(cls, noun: str = "", top: type[Part] | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if noun:
            cls.KIND, cls.TOP = BY_NOUN[noun], top

    @property
    def record_id(self) -> str:
        """The record's own id, `session_id` of the envelope."""
        value: str = getattr(self, self.KIND.id_field)
        return value

    def body(self) -> dict[str, Any]:
        """What stands under the kind's key in the envelope."""
        return {"schema_version": self.KIND.schema, "product": PRODUCT, **self.model_dump()}

    @classmethod
    def read(cls, canonical_bytes: bytes) -> Self:
        """The record in an envelope's canonical bytes. Raises ValueError (CanonicalError, ValidationError) for anything else."""
        document = parse(canonical_bytes)
        if document.get("metadata_kind") != cls.KIND.kind:
            raise ValueError(f"got a record of another kind, expected {cls.KIND.noun}")
        body = document[cls.KIND.key]
        body.pop("schema_version"), body.pop("product")
        return cls.model_validate(body, strict=False)
