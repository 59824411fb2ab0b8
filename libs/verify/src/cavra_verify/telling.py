"""Verdicts and reports as text for people."""

from collections.abc import Iterator
from typing import Final

from cavra_verify.audit import Report
from cavra_verify.verify import NOT_CHECKED, Verdict

_MARKS: Final = {"holds": "holds    ", "refuted": "REFUTED  ", "unchecked": "unchecked"}
_VERDICTS: Final = ("VERIFIED", "REFUTED", "COULD NOT CHECK")
"""By exit code."""


def verdict_text(verdict: Verdict) -> str:
    """The verdict on a bundle."""
    lines = [f"Trace {harmless(verdict.trace_id) or '(unreadable)'}", ""]
    for judged in verdict.claims:
        lines.append(f"  {_MARKS[judged.status]}  {judged.name:<12}  {judged.says}")
        lines += [f"{'':<27}{harmless(detail)}" for detail in judged.details]
    lines += ["", "Shown:"]
    lines += [
        f"  {harmless(origin)}: {count} records of the trace, complete up to size {size}"
        for origin, count, size in verdict.heads
    ]
    lines += ["", "Not checked:", *(f"  - {one}" for one in NOT_CHECKED), "", _VERDICTS[verdict.exit_code]]
    return "\n".join(lines)


def report_text(report: Report) -> str:
    """The report of an audit."""
    return "\n".join([*_report(report), "", _VERDICTS[report.exit_code]])


def _report(report: Report) -> Iterator[str]:
    for log in report.logs:
        yield f"{log.origin}: {log.records} records of {log.tree_size}, {log.traces} traces"
        yield "  " + ", ".join(f"{noun} {count}" for noun, count in sorted(log.kinds.items()))
        if log.unchecked_causes:
            yield f"  {log.unchecked_causes} causes in logs that were not replayed"
        beat = log.last_beat
        yield (
            f"  {beat.open_count} open at its last heartbeat, {beat.at.isoformat(timespec='seconds')}"
            if beat
            else "  no heartbeat"
        )
    yield ""
    yield f"{report.intents} intents, {report.executions} execution records"
    for name, findings in (
        ("gaps", report.gaps),
        ("violations", report.violations),
        ("silences", report.silences),
    ):
        yield f"{findings.count} {name}"
        yield from (f"  {harmless(one)}" for one in findings.listed)
    if report.open_intents:
        yield f"{len(report.open_intents)} intents without an end, begun shortly before the heads:"
        yield from (f"  {harmless(one)}" for one in report.open_intents)
    if report.unreconciled:
        yield f"Not replayed, so that nothing was held against them: {', '.join(report.unreconciled)}"


def harmless(text: str) -> str:
    """`text` without what a terminal would obey: a forged record's words are printed as they are told, and are not to add a line."""
    return text.encode("unicode_escape").decode("ascii")
