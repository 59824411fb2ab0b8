"""What no text of a record may hold: the forms of credentials as data, in the common subset of `re` and RE2, and the scan by them.

A pattern has no look-around, no back-reference and no repeat within a repeat that could both run long, so that `re` stays fast too.
`re` needs its ASCII flag: RE2 knows words and letters' cases by ASCII alone.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from hashlib import sha256
from typing import Final

from cavra_verify.canonical import canonical

SECRET_RULES_VERSION: Final = "cavra.secret-rules.v2"  # noqa: S105 a version

TOKEN_RULES: Final[tuple[tuple[str, str], ...]] = (
    ("private_key", r"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY|PuTTY-User-Key-File-[0-9]"),
    ("age_key", r"\bAGE-SECRET-KEY-1[A-Z0-9]{20,}"),
    ("aws_access_key", r"\b(AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ("google_api_key", r"\bAIza[A-Za-z0-9_-]{35}"),
    ("google_oauth", r"\bya29\.[A-Za-z0-9_-]{16,}|\b1//0[A-Za-z0-9_-]{30,}|\bGOCSPX-[A-Za-z0-9_-]{20,}"),
    ("azure_key", r"(?i:\b(accountkey|sharedaccesskey|sig)=[A-Za-z0-9+/%]{32,}={0,2})"),
    ("azure_client_secret", r"[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}"),
    ("azure_devops_token", r"\b[A-Za-z0-9]{70,80}AZDO[A-Za-z0-9]{4}\b"),
    ("github_token", r"\b(ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}"),
    ("gitlab_token", r"\bgl(pat|dt|rt|cbt|ptt|ft|soat|agent|imt|ffct)-[A-Za-z0-9_-]{16,}|\bgloas-[0-9a-f]{64}"),
    ("bitbucket_token", r"\bATBB[A-Za-z0-9_=-]{24,}|\bBBDC-[A-Za-z0-9+/]{40,}"),
    ("atlassian_token", r"\bATATT3[A-Za-z0-9_=-]{20,}|\bATCTT3[A-Za-z0-9_=-]{20,}|\bATSTT3[A-Za-z0-9_=-]{20,}"),
    ("slack_token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxoxe\.xox[bp]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}"),
    ("slack_webhook", r"(?i:hooks\.slack(-gov)?\.com/(services|workflows|triggers)/[A-Za-z0-9/_-]{8,})"),
    ("discord_webhook", r"(?i:\bdiscord(app)?\.com/api/(v[0-9]{1,2}/)?webhooks/[0-9]{5,}/[A-Za-z0-9_-]{8,})"),
    ("discord_token", r"\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,45}"),
    ("telegram_token", r"\b(bot)?[0-9]{8,10}:AA[A-Za-z0-9_-]{32,35}"),
    ("teams_webhook", r"(?i:\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/_-]{8,}|\boutlook\.office\.com/webhook/[A-Za-z0-9@/_-]{8,})"),
    ("zapier_webhook", r"(?i:\bhooks\.zapier\.com/hooks/catch/[A-Za-z0-9/_-]{6,})"),
    ("pagerduty_token", r"\bpd[a-z]{2}\+_?[A-Za-z0-9_+-]{15,}"),
    ("opsgenie_key", r"(?i:\bgeniekey[ \t]+[0-9a-f-]{30,})"),
    ("splunk_hec_token", r"(?i:\b(splunk|hec)[a-z_ :=-]{1,24}[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"),
    ("servicenow_key", r"\bnow_[A-Za-z0-9_-]{24,}"),
    ("newrelic_key", r"\bNR(AK|II|AA|RA|SP|BR|IQ|JS)-[A-Za-z0-9_-]{19,}|\b[0-9a-f]{36}(NRAL|FFFF)\b"),
    ("grafana_token", r"\bgl(c|sa)_[A-Za-z0-9+/_=-]{32,}|\beyJrIjoi[A-Za-z0-9+/_=-]{40,}"),
    ("dynatrace_token", r"\bdt0[a-z][0-9]{2}\.[A-Z0-9]{20,}\.[A-Z0-9]{40,}"),
    ("sentry_token", r"\bsntry[su]_[A-Za-z0-9+/_=-]{40,}"),
    ("stripe_key", r"\b(sk|rk)_(live|test)_[A-Za-z0-9]{16,}|\b(sk|rk)_[A-Za-z0-9]{24,}|\bwhsec_[A-Za-z0-9+/=_-]{16,}"),
    ("sendgrid_key", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("twilio_key", r"\b(SK|AC)[0-9a-f]{32}\b"),
    ("mailgun_key", r"\bkey-[0-9a-z]{32}\b|\b[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}\b"),
    ("mailchimp_key", r"\b[0-9a-f]{32}-us[0-9]{1,2}\b"),
    ("npm_token", r"\bnpm_[A-Za-z0-9]{30,}"),
    ("pypi_token", r"\bpypi-[A-Za-z0-9_-]{32,}"),
    ("rubygems_key", r"\brubygems_[0-9a-f]{40,}"),
    ("docker_token", r"\bdckr_(pat|oat)_[A-Za-z0-9_-]{20,}"),
    ("artifactory_token", r"\bAKCp[A-Za-z0-9]{50,}|\bcmVmdGtu[A-Za-z0-9]{40,}"),
    ("openai_key", r"\bsk-[A-Za-z0-9_-]{20,}"),
    ("huggingface_token", r"\b(hf|api_org)_[A-Za-z0-9]{30,}"),
    ("vault_token", r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}|\b[sbr]\.[A-Za-z0-9]{24}\b"),
    ("terraform_token", r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{40,}"),
    ("pulumi_token", r"\bpul-[0-9a-f]{40}"),
    ("digitalocean_token", r"\bdo[opr]_v1_[0-9a-f]{40,}"),
    ("heroku_key", r"\bHRKU-[A-Za-z0-9_-]{30,}|(?i:\bheroku[a-z_ :=-]{1,24}[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"),
    ("cloudflare_key", r"\bv1\.0-[0-9a-f]{24}-[0-9a-f]{100,}"),
    ("shopify_token", r"\bshp(at|ca|pa|ss|tka)_[0-9a-fA-F]{32}"),
    ("square_token", r"\bsq0(atp|csp|idp)-[A-Za-z0-9_-]{22,}|\bEAAA[A-Za-z0-9_-]{60}\b"),
    ("doppler_token", r"\bdp\.(pt|st|ct|sa|scim|audit)\.([a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,}"),
    ("linear_key", r"\blin_(api|oauth|wh)_[A-Za-z0-9]{32,}"),
    ("notion_token", r"\bntn_[A-Za-z0-9]{40,}|\bsecret_[A-Za-z0-9]{40,}"),
    ("airtable_token", r"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    ("figma_token", r"\bfig[dou]r?_[A-Za-z0-9_-]{36,}"),
    ("databricks_token", r"\bdapi[0-9a-f]{32}"),
    ("planetscale_token", r"\bpscale_(tkn|pw|oauth)_[A-Za-z0-9_.-]{30,}"),
    ("supabase_key", r"\bsbp_[0-9a-f]{40}|\bsb_secret_[A-Za-z0-9_-]{20,}"),
    ("postman_key", r"\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    ("tailscale_key", r"\btskey-[a-z]{2,12}-[A-Za-z0-9-]{16,}"),
    ("netlify_token", r"\bnf[pcoub]_[A-Za-z0-9]{36,}"),
    ("facebook_token", r"\bEAA[A-Za-z0-9]{90,}"),
    ("json_web_token", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
)  # fmt: skip
"""Credentials known by their own form. They are also looked for in a text whose lines are joined: a line break hides nothing."""

CONTEXT_RULES: Final[tuple[tuple[str, str], ...]] = (
    ("bearer_header", r"(?i:\bbearer)[ \t]+([A-Za-z0-9._~+/=-]{1,64}[A-Z0-9_=~+][A-Za-z0-9._~+/=-]{6,}|[A-Za-z0-9._~+/=-]{16,})"),
    ("basic_header", r"(?i:\bbasic)[ \t]+([A-Za-z0-9+/]{2,64}[A-Z0-9][A-Za-z0-9+/]{4,}|[A-Za-z0-9+/]{6,}=)"),
    ("authorization_header", r"(?i:\b(proxy-)?authorization[\x22']?[ \t]*[:=][ \t]*[^ \t\r\n]{4,})|(?i:\bssws[ \t]+[A-Za-z0-9_-]{20,})"),
    ("api_key_header", (r"(?i:\b(dd-(api|application)-key|x-[a-z0-9-]{0,32}(key|token|secret)|api-key|private-token)"
                        r"[\x22']?[ \t]*[:=][ \t]*[^ \t\r\n]{8,})")),
    ("cookie_header", r"(?i:\b(set-)?cookie[ \t]*:[ \t]*[a-z0-9_.-]{1,64}=[^ \t\r\n;]{8,})"),
    ("aws_secret_key", r"(?i:aws[a-z_. -]{0,24}(secret|key)[a-z_ -]{0,16}[\x22']?[ \t]*[:=][ \t]*[\x22']?[A-Za-z0-9/+]{40})"),
    ("connection_string", (r"(?i:\b(postgres(ql)?|mysql|mariadb|mongodb(\+srv)?|rediss?|amqps?|mssql|sqlserver|oracle|clickhouse"
                           r"|jdbc:[a-z0-9]{2,16})(\+[a-z0-9]{2,16})?://[^ \t\r\n]{4,})")),
    ("url_userinfo", r"(?i:\b[a-z][a-z0-9+.-]{1,30}://[^ \t\r\n/@:]{0,256}:[^ \t\r\n/@]{1,512}@)|(?i:\bhttps?://[^ \t\r\n/@]{1,512}@)"),
    ("url_credential", (r"(?i:[?&](access_token|auth|api_?key|client_secret|password|private_token|secret|sig|signature|token"
                        r"|x-amz-(signature|security-token))=[^ \t\r\n&#]{6,})|(?i:[?&](code|key)=[A-Za-z0-9_/+%=-]{24,})")),
    ("curl_user", r"(?i:\bcurl\b[^\r\n]{0,200}[ \t](-u|--user)[ \t=]{0,3}[^ \t\r\n:]{1,64}:[^ \t\r\n]{3,})"),
    ("netrc", r"(?i:\blogin[ \t]+[^ \t\r\n]{1,64}[ \t]+password[ \t]+[^ \t\r\n]{3,})"),
    ("password_assignment", (r"(?i:(password|passwd|\bpwd|passphrase|secret|api[_-]?key|access[_-]?token|client[_-]?secret)"
                             r"[\x22']?[ \t]*(=>|:=|[:=])[ \t]*[\x22']?[^ \t\r\n\x22']{6,})")),
    ("key_assignment", (r"(?i:(api|app|application|auth|access|account|bot|client|encryption|integration|license|master|private"
                        r"|refresh|routing|session|shared|signing|webhook|service|personal access)[ _-]?(key|token|secret)"
                        r"[\x22']?([ \t]*(=>|:=|[:=])|[ \t]+is)[ \t]*[\x22']?[A-Za-z0-9+/_.~=-]{16,})")),
)  # fmt: skip
"""Credentials known by the words beside them."""

SECRET_RULES: Final = TOKEN_RULES + CONTEXT_RULES
"""(name, pattern): a text in which a pattern is found is refused, under the rule's name and never with the text."""

NORMAL_FORM: Final = "raw; nfkd-without-marks-and-controls; that-with-lines-joined"
"""The views of a text that are scanned; named here so that the hash of the rules covers them."""

RULES_HASH: Final = sha256(
    canonical([SECRET_RULES_VERSION, NORMAL_FORM, [name for name, _ in TOKEN_RULES], SECRET_RULES])
).hexdigest()
"""SHA-256 over the canonical JSON of version, views and rules: with it, one can say by which rules a text was found clean."""

SCANNED_CONTROL: Final = f"secret_rules.sha256.{RULES_HASH}"
"""The control that a record names whose notes were scanned by these rules."""

SHORTEST_FINDING: Final = 8
"""No rule finds anything in fewer characters."""

_INVISIBLE: Final = frozenset({"Cf", "Mn", "Me", "Cc"})
_BLANK_LETTERS: Final = "\u115f\u1160\u2800"  # They have a letter's or symbol's category, and no ink.
_LINES: Final = re.compile(r"[ \t]*[\r\n]+[ \t]*")


def views(text: str) -> Iterator[tuple[str, bool]]:
    """(text to be searched, whether by the token rules alone): as it is; as it reads; and as it reads with its lines joined.

    As it reads: full-width and other compatibility forms are what they stand for, and what has no width or sits on another letter
    is gone. Letters of other scripts that look alike stay what they are.
    """
    yield text, False
    if text.isascii() and text.isprintable():
        return
    seen = unicodedata.normalize(
        "NFKD", text.replace("\u2028", "\n").replace("\u2029", "\n").replace("\x85", "\n")
    )
    seen = "".join(
        letter
        for letter in seen
        if letter in "\t\n\r"
        or (letter not in _BLANK_LETTERS and unicodedata.category(letter) not in _INVISIBLE)
    )
    if seen != text:
        yield seen, False
    if "\n" in seen or "\r" in seen:
        yield _LINES.sub("", seen), True


def finding(text: str) -> str:
    """The name of a rule that finds a credential in `text`, or "" when none does."""
    if len(text) < SHORTEST_FINDING:
        return ""
    for view, tokens_alone in views(text):
        for name, pattern in _compiled(tokens_alone):
            if pattern.search(view):
                return name
    return ""


known_finding = lru_cache(maxsize=4096)(finding)
"""`finding` for words that come again and again: names of providers, reasons, controls."""


@cache
def _compiled(tokens_alone: bool) -> tuple[tuple[str, re.Pattern[str]], ...]:
    rules = TOKEN_RULES if tokens_alone else SECRET_RULES
    return tuple((name, re.compile(pattern, re.ASCII)) for name, pattern in rules)
