"""What each string in a record may look like, and what no free text may hold: data, in the common subset of `re` and RE2."""

from typing import Final

GRAMMAR_VERSION: Final = "cavra.grammar.v1"

PATTERNS: Final[dict[str, str]] = {
    "id": r"[a-z]{2,40}-[0-9a-z]{20,40}",
    "external_id": r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}",
    "name": r"[a-z0-9][a-z0-9_.-]{0,63}",
    "provider": r"[a-z0-9][a-z0-9_-]{0,63}",
    "reason": r"[a-z][a-z0-9_]{0,63}",
    "person": r"[^\x00-\x20\x7f<>\x22\\][^\x00-\x1f\x7f<>\x22\\]{0,127}",
    "issuer": r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,255}",
    "label": r"[A-Za-z0-9(][A-Za-z0-9 ._,:;()/'+=-]{0,255}",
    "variable": r"[A-Za-z_][A-Za-z0-9_]{0,127}",
    "hash": r"[0-9a-f]{64}",
    "decimal": r"[0-9]{1,9}(\.[0-9]{1,6})?",
    "time": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}\+00:00",
    "schema": r"cavra\.[a-z0-9.-]{1,128}\.v[0-9]{1,4}",
    "method": r"[A-Z]{3,10}",
    "url": r"(https?|archive|smtp)://[A-Za-z0-9.\[\]:_-]{0,255}(/[A-Za-z0-9._~%/-]{0,512})?",
    "evidence_ref": r"[a-z][a-z0-9-]{1,63}://[A-Za-z0-9._-]{1,128}",
    "ticket": r"[A-Za-z][A-Za-z0-9]{0,31}([-_#:/][A-Za-z0-9]{1,32}){0,4}",
    "https_url": r"https://[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]{0,512})?",
    "header": r"[A-Za-z][A-Za-z0-9-]{0,63}",
    "notes": r"(?s:.{0,1000}.{0,1000})",  # RE2 repeats at most 1,000 times
}
"""Grammar by name. A string matches when the whole of it does."""

EXTERNAL_REFERENCE: Final = ("ticket", "https_url")
"""Grammars of which an external reference must match one. An empty string says there is none."""

SECRET_RULES_VERSION: Final = "cavra.secret-rules.v1"  # noqa: S105 a version

SECRET_RULES: Final[tuple[tuple[str, str], ...]] = (
    ("private_key", r"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY"),
    ("bearer_header", r"(?i:\bbearer[ \t]+[A-Za-z0-9._~+/=-]{8,})"),
    ("basic_header", r"(?i:\bbasic[ \t]+[A-Za-z0-9+/]{8,}={0,2})"),
    ("authorization_header", r"(?i:\b(proxy-)?authorization[ \t]*[:=][ \t]*[^ \t\r\n]{4,})"),
    ("aws_access_key", r"\b(AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ("aws_secret_key", r"(?i:aws[a-z_. -]{0,24}(secret|key)[a-z_ -]{0,16}[\x22']?[ \t]*[:=][ \t]*[\x22']?[A-Za-z0-9/+]{40})"),
    ("google_api_key", r"\bAIza[A-Za-z0-9_-]{35}"),
    ("google_oauth", r"\bya29\.[A-Za-z0-9_-]{16,}"),
    ("azure_key", r"(?i:\b(accountkey|sharedaccesskey|sig)=[A-Za-z0-9+/%]{32,}={0,2})"),
    ("github_token", r"\b(ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}"),
    ("gitlab_token", r"\bgl(pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_-]{16,}"),
    ("slack_token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}"),
    ("slack_webhook", r"hooks\.slack(-gov)?\.com/(services|workflows|triggers)/[A-Za-z0-9/_-]{8,}"),
    ("stripe_key", r"\b(sk|rk|whsec)_(live_|test_)?[A-Za-z0-9+/=]{16,}"),
    ("npm_token", r"\bnpm_[A-Za-z0-9]{30,}"),
    ("pypi_token", r"\bpypi-[A-Za-z0-9_-]{32,}"),
    ("sendgrid_key", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("json_web_token", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    ("connection_string", (r"(?i:\b(postgres(ql)?|mysql|mariadb|mongodb(\+srv)?|redis|rediss|amqp|amqps|mssql|sqlserver"
                           r"|jdbc:[a-z0-9]{2,16})://[^ \t\r\n]{4,})")),
    ("url_userinfo", r"(?i:\b[a-z][a-z0-9+.-]{1,30}://[^ \t\r\n/@:]*:[^ \t\r\n/@]*@)|(?i:\bhttps?://[^ \t\r\n/@]+@)"),
    ("password_assignment", (r"(?i:\b(password|passwd|pwd|passphrase|secret|api[_-]?key|access[_-]?token|client[_-]?secret)"
                             r"[\x22']?[ \t]*[:=][ \t]*[\x22']?[^ \t\r\n\x22']{6,})")),
)  # fmt: skip
"""(name, pattern): a text in which a pattern is found is refused, under the rule's name and never with the text."""

BOUNDS: Final = {
    "notes": 2_000,
    "external_ref": 256,
    "record_bytes": 48 * 1024,
    "items": 50,
    "verification_refs": 20,
}
"""Longest text in characters, largest record in bytes, most items of a plan, package or playbook."""
