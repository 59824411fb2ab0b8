"""What the rules of public safety catch on the labelled set, what they catch wrongly, and what a scan costs."""

import time
from collections.abc import Iterator

from cavra_evidence.guard import GuardError, scan
from cavra_evidence.records.base import Part
from cavra_verify.kinds import KINDS
from cavra_verify.public_safe import check
from pydantic import ValidationError

from bench.row import Row, per_second
from tests.support.labelled import (
    FORMLESS,
    SECRETS,
    clean_documents,
    clean_notes,
    documents,
    replaced,
    text_fields,
)
from tests.support.records import MODELS

CLEAN = 10_000


def rows() -> Iterator[Row]:
    """Figures of the labelled set, then of one core, in this process."""
    kinds = len({kind for kind, _, _ in SECRETS})
    fields = sum(len(list(text_fields(one))) for one in documents().values())
    yield Row(f"{kinds} kinds of secrets x {fields} text fields", kinds * fields, "records")
    caught, missed = _verifier([(kind, secret) for kind, _, secret in SECRETS])
    yield Row("caught by the verifier", 100 * caught / (caught + sum(missed.values())), "%", "100")
    for kind, count in missed.items():
        yield Row(f"missed: {kind}", count, "records")
    caught, tried = _models()
    yield Row("caught by the services, in their records", 100 * caught / tried, "%", "100")
    caught, missed = _verifier(list(FORMLESS))
    share = 100 * caught / (caught + sum(missed.values()))
    yield Row("values without a form of their own, by grammar alone", share, "%")
    yield Row(f"false positives in {CLEAN:,} clean records", _false_positives(), "records", "0")
    yield from _costs()


def _verifier(secrets: list[tuple[str, str]]) -> tuple[int, dict[str, int]]:
    """(caught, missed by kind) with each secret in each text field of each record."""
    caught, missed = 0, dict.fromkeys((kind for kind, _ in secrets), 0)
    for document in documents().values():
        for path in text_fields(document):
            for kind, secret in secrets:
                found = bool(check(replaced(document, path, secret)))
                caught += found
                missed[kind] += not found
    return caught, {kind: count for kind, count in missed.items() if count}


def _models() -> tuple[int, int]:
    """(caught, tried) with each secret in each text field of each record, by the models that the services write with."""
    caught = tried = 0
    for (noun, document), kind in zip(documents().items(), KINDS, strict=True):
        body = {
            name: value
            for name, value in document[kind.key].items()
            if name not in ("schema_version", "product")
        }
        for path in text_fields(body):
            for _, _, secret in SECRETS:
                caught += _is_refused(MODELS[noun], replaced(body, path, secret))
                tried += 1
    return caught, tried


def _is_refused(model: type[Part], body: object) -> bool:
    try:
        model.model_validate(body)
    except ValidationError:
        return True
    return False


def _false_positives() -> int:
    return sum(bool(check(document)) for document in clean_documents(CLEAN)) + sum(
        _is_found(note) for note in clean_notes(CLEAN)
    )


def _is_found(text: str) -> bool:
    try:
        scan(text)
    except GuardError:
        return True
    return False


def _costs() -> Iterator[Row]:
    notes = list(clean_notes(1_000))
    start = time.perf_counter()
    for note in notes:
        scan(note)
    yield Row("scan of a note (RE2)", (time.perf_counter() - start) / len(notes) * 1e6, "us")
    made = list(clean_documents(1_000))
    start = time.perf_counter()
    for one in made:
        check(one)
    yield Row("check of a record by the verifier (re)", (time.perf_counter() - start) / len(made) * 1e6, "us")
    first = made[7]
    yield Row("the same, one retry acknowledgement", 1e6 / per_second(lambda: check(first)), "us")
