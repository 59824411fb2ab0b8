"""A labelled set for the rules of public safety: credentials of every rule, and clean texts and records; the same at every run."""

import base64
from collections.abc import Iterator
from random import Random
from typing import Any
from uuid import UUID

from cavra_evidence.log import LogState, append
from cavra_verify.canonical import parse
from cavra_verify.kinds import BY_NOUN, KINDS

from tests.support.log import NOW, SIGNER
from tests.support.records import draft

_LETTERS = "aB3xY9kQ7mZ2"
_HEX = "0f3a9c71be5d2846"
_UPPER = "ABCD2345QRST6789"
_LOWER = "a3x9k7m2q5w8"


def some(length: int, alphabet: str = _LETTERS) -> str:
    """So many characters of an alphabet."""
    return (alphabet * (length // len(alphabet) + 1))[:length]


def joined(*parts: str) -> str:
    """A credential put together here, so that none stands in this file."""
    return "".join(parts)


def hexa(length: int) -> str:
    """So many hex digits."""
    return some(length, _HEX)


_UUID = str(UUID(hexa(32)))

SECRETS: tuple[tuple[str, str, str], ...] = tuple((kind, rule, joined(*parts)) for kind, rule, *parts in (
    ("RSA private key", "private_key", "-----BEGIN RSA PRIV", "ATE KEY-----\nMIIE"),
    ("PKCS8 private key", "private_key", "-----BEGIN PRIV", "ATE KEY-----"),
    ("OpenSSH private key", "private_key", "-----BEGIN OPENSSH PRIV", "ATE KEY-----"),
    ("PGP private key", "private_key", "-----BEGIN PGP PRIV", "ATE KEY BLOCK-----"),
    ("PuTTY private key", "private_key", "PuTTY-User-Key-", "File-3: ssh-ed25519"),
    ("age secret key", "age_key", "AGE-SECRET-", "KEY-1", some(58, _UPPER)),
    ("AWS access key", "aws_access_key", "AK", "IA", some(16, _UPPER)),
    ("AWS session key", "aws_access_key", "AS", "IA", some(16, _UPPER)),
    ("AWS secret key", "aws_secret_key", "aws_secret_access_", "key = ", some(40)),
    ("Google API key", "google_api_key", "AI", "za", some(35)),
    ("Google OAuth token", "google_oauth", "ya", "29.", some(40)),
    ("Google refresh token", "google_oauth", "1/", "/0", some(40)),
    ("Google client secret", "google_oauth", "GOC", "SPX-", some(28)),
    ("Azure storage key", "azure_key", "Account", "Key=", some(86), "=="),
    ("Azure SAS signature", "azure_key", "https://x.blob.core.windows.net/c?s", "ig=", some(43)),
    ("Azure client secret", "azure_client_secret", "abc", "8Q~", some(34)),
    ("Azure DevOps token", "azure_devops_token", some(76), "AZ", "DO", "a1b2"),
    ("GitHub token", "github_token", "gh", "p_", some(36)),
    ("GitHub fine-grained token", "github_token", "github", "_pat_", some(60)),
    ("GitLab token", "gitlab_token", "gl", "pat-", some(20)),
    ("GitLab token, lower case", "gitlab_token", "gl", "pat-", some(20, _LOWER)),
    ("GitLab OAuth secret", "gitlab_token", "glo", "as-", hexa(64)),
    ("Bitbucket token", "bitbucket_token", "AT", "BB", some(32)),
    ("Jira (Atlassian) token", "atlassian_token", "ATA", "TT3", some(60)),
    ("Slack bot token", "slack_token", "xo", "xb-", "1234567890-", some(24)),
    ("Slack app token", "slack_token", "xa", "pp-1-", some(24)),
    ("Slack webhook", "slack_webhook", "https://hooks.sl", "ack.com/services/T000/B000/", some(24)),
    ("Discord webhook", "discord_webhook", "https://disc", "ord.com/api/webhooks/123456789/", some(60)),
    ("Discord token", "discord_token", "M", some(25), ".", some(6), ".", some(38)),
    ("Telegram bot token", "telegram_token", "123456789", ":AA", some(33)),
    ("Teams webhook", "teams_webhook", "https://acme.webhook.off", "ice.com/webhookb2/", _UUID, "@", _UUID),
    ("Zapier webhook", "zapier_webhook", "https://hooks.zap", "ier.com/hooks/catch/1234567/abcdefg/"),
    ("PagerDuty token", "pagerduty_token", "pd", "us+_", some(24)),
    ("PagerDuty routing key", "key_assignment", "PagerDuty routing_", "key: ", hexa(32)),
    ("Opsgenie key", "opsgenie_key", "Genie", "Key ", _UUID),
    ("Splunk HEC token", "splunk_hec_token", "Spl", "unk ", _UUID),
    ("Splunk HEC setting", "splunk_hec_token", "hec_", "token=", _UUID),
    ("ServiceNow API key", "servicenow_key", "now", "_", some(32)),
    ("ServiceNow password", "password_assignment", "servicenow pass", "word=", some(12)),
    ("New Relic key", "newrelic_key", "NR", "AK-", some(27, _UPPER)),
    ("New Relic licence", "newrelic_key", hexa(36), "NR", "AL"),
    ("Datadog header", "api_key_header", "DD-API-", "KEY: ", hexa(32)),
    ("Datadog setting", "key_assignment", "DD_APP_", "KEY=", hexa(40)),
    ("Grafana token", "grafana_token", "gl", "sa_", some(32), "_", hexa(8)),
    ("Dynatrace token", "dynatrace_token", "dt0", "c01.", some(24, _UPPER), ".", some(64, _UPPER)),
    ("Sentry token", "sentry_token", "snt", "rys_", some(60)),
    ("Stripe key", "stripe_key", "sk", "_live_", some(24)),
    ("Stripe webhook secret", "stripe_key", "wh", "sec_", some(32)),
    ("SendGrid key", "sendgrid_key", "S", "G.", some(22), ".", some(43)),
    ("Twilio key", "twilio_key", "S", "K", hexa(32)),
    ("Twilio auth token", "key_assignment", "twilio auth ", "token: ", hexa(32)),
    ("Mailgun key", "mailgun_key", "ke", "y-", some(32, _LOWER)),
    ("Mailgun key, new form", "mailgun_key", hexa(32), "-", hexa(8), "-", hexa(8)),
    ("Mailchimp key", "mailchimp_key", hexa(32), "-u", "s21"),
    ("npm token", "npm_token", "np", "m_", some(36)),
    ("PyPI token", "pypi_token", "py", "pi-", some(60)),
    ("RubyGems key", "rubygems_key", "ruby", "gems_", hexa(48)),
    ("Docker token", "docker_token", "dckr", "_pat_", some(27)),
    ("Artifactory token", "artifactory_token", "AK", "Cp", some(69)),
    ("OpenAI key", "openai_key", "s", "k-proj-", some(48)),
    ("Anthropic-like key", "openai_key", "s", "k-ant-api03-", some(60)),
    ("Hugging Face token", "huggingface_token", "h", "f_", some(34)),
    ("Vault token", "vault_token", "hv", "s.", some(24)),
    ("Vault token, old form", "vault_token", "s", ".", some(24)),
    ("Terraform token", "terraform_token", some(14), ".atl", "asv1.", some(60)),
    ("Pulumi token", "pulumi_token", "pu", "l-", hexa(40)),
    ("DigitalOcean token", "digitalocean_token", "do", "p_v1_", hexa(64)),
    ("Heroku key", "heroku_key", "HR", "KU-", some(36)),
    ("Heroku setting", "heroku_key", "HEROKU_API_", "KEY=", _UUID),
    ("Cloudflare origin key", "cloudflare_key", "v1", ".0-", hexa(24), "-", hexa(146)),
    ("Shopify token", "shopify_token", "shp", "at_", hexa(32)),
    ("Square token", "square_token", "sq0", "atp-", some(22)),
    ("Doppler token", "doppler_token", "dp", ".pt.", some(43)),
    ("Linear key", "linear_key", "lin", "_api_", some(40)),
    ("Notion token", "notion_token", "nt", "n_", some(46)),
    ("Airtable token", "airtable_token", "pa", "t", some(14), ".", hexa(64)),
    ("Figma token", "figma_token", "fig", "d_", some(40)),
    ("Databricks token", "databricks_token", "da", "pi", hexa(32)),
    ("PlanetScale token", "planetscale_token", "pscale", "_tkn_", some(43)),
    ("Supabase key", "supabase_key", "sb", "p_", hexa(40)),
    ("Postman key", "postman_key", "PM", "AK-", hexa(24), "-", hexa(34)),
    ("Tailscale key", "tailscale_key", "ts", "key-auth-", some(28)),
    ("Netlify token", "netlify_token", "nf", "p_", some(36)),
    ("Facebook token", "facebook_token", "E", "AA", some(120)),
    ("JSON web token", "json_web_token", "ey", "J", some(20), ".ey", "J", some(40), ".", some(43)),
    ("bearer header", "bearer_header", "Bear", "er ", some(24)),
    ("basic header", "basic_header", "Ba", "sic dXNlcjpwYXNz", "d29yZA=="),
    ("authorization header", "authorization_header", "Authoriz", "ation: Token ", some(12)),
    ("proxy authorization", "authorization_header", "Proxy-Authoriz", "ation=", some(12)),
    ("Okta token", "authorization_header", "SS", "WS ", some(42)),
    ("API key header", "api_key_header", "X-Api-", "Key: ", some(16)),
    ("session cookie", "cookie_header", "Cook", "ie: session=", some(24)),
    ("PostgreSQL connection", "connection_string", "post", "gres://db.internal/app"),
    ("MongoDB connection", "connection_string", "mongodb", "+srv://cluster.example/db"),
    ("JDBC connection", "connection_string", "jdbc:", "postgresql://db:5432/app"),
    ("URL with user and password", "url_userinfo", "https://user:", "hunter22", "@example.com/path"),
    ("URL with token as user", "url_userinfo", "https://tok", "en@example.com/repo.git"),
    ("FTP URL with password", "url_userinfo", "ftp://:", "pw", "@files.example"),
    ("URL with token in query", "url_credential", "https://example.com/hook?to", "ken=", some(20)),
    ("presigned URL", "url_credential", "https://b.s3.amazonaws.com/k?X-Amz-Sig", "nature=", hexa(64)),
    ("curl user", "curl_user", "curl -s -u ", "alice:", "hunter22 https://example.com"),
    ("netrc", "netrc", "machine example.com login alice pass", "word hunter22"),
    ("password", "password_assignment", "pass", "word: ", "correcthorse"),
    ("password in JSON", "password_assignment", '{"pass', 'word": "', 'correcthorse"}'),
    ("client secret", "password_assignment", "client_", 'secret"="', some(20), '"'),
    ("access token", "password_assignment", "access_", "token=", some(20)),
))  # fmt: skip
"""(kind of credential, a rule that finds it, the credential)."""

FORMLESS: tuple[tuple[str, str], ...] = (
    ("32 hex digits", hexa(32)),
    ("40 hex digits", hexa(40)),
    ("64 hex digits", hexa(64)),
    ("a UUID", _UUID),
    ("20 letters and digits", some(20)),
    ("a word as password", "correcthorse"),
)
"""Credentials that look like a hash, an id or a word: by themselves nobody can tell them from one."""

_PROSE = (
    "Receiver was down for maintenance; retry after 14:00 UTC.",
    "Reviewed with the on-call engineer, see {ticket} and {incident}.",
    "The bearer of this message is the approver: basic checks passed.",
    "Rotated the API key in the vault and restarted the connector.",
    "The password was changed by the owner; no secret is named here.",
    "Root hash {hash} matches the checkpoint.",
    "Deployed {sha} (short {short}), build {uuid}.",
    "See https://tickets.example/browse/{ticket} and https://git.example/org/repo/commit/{sha} for the change.",
    "Package checksum sha256:{hash}; content-md5 {word}.",
    "{id} delivered, {id2} skipped.",
    "Splunk answered 503 twice, then 200 at 2026-11-23T09:30:00.000000+00:00.",
    "Token refresh failed with 401: key owner asked; secret store is {ticket}.",
    "Authorization came from the change board.\nSigned off: alice, bob.",
    "Größe des Pakets: 12 kB, zugestellt ✓, siehe {ticket}",
    "Escalated to network team: TLS handshake failed (certificate {short} expired).",
    "postgres failover finished, replication lag below 2 s; redis untouched",
    "Step 1: drain\n  step 2: restart {short}\r\n  step 3: verify\n",
    "docker image registry.example:5000/cavra/delivery@sha256:{hash} rolled back",
    "Mail to oncall@example.com was answered; basic authentication stays off.",
    "再送信を承認しました。{ticket} を参照。",
    "Routing key was wrong, signing key is fine, session token expired.",
    "Ask: who owns arn:aws:sqs:eu-west-1:123456789012:audit? Ticket {ticket}.",
    "Encoded event {word} was truncated by the receiver.",
)


def words(random: Random) -> dict[str, str]:
    """Values such as notes and references quote: tickets, hashes, ids, encoded words."""
    return {
        "ticket": random.choice(["CHG", "OPS", "SEC", "PAY"]) + f"-{random.randrange(1, 99_999)}",
        "incident": random.choice(["INC", "CHG", "RITM"]) + f"{random.randrange(10**7):07}",
        "hash": random.randbytes(32).hex(),
        "sha": random.randbytes(20).hex(),
        "short": random.randbytes(4).hex(),
        "uuid": str(UUID(bytes=random.randbytes(16), version=4)),
        "word": base64.b64encode(random.randbytes(random.randrange(6, 30))).decode(),
        "id": "gordackretryexec-" + random.randbytes(14).hex(),
        "id2": "rcd-" + random.randbytes(14).hex(),
    }


def clean_notes(count: int) -> Iterator[str]:
    """Ordinary notes, of one to four sentences."""
    random = Random(4)
    for _ in range(count):
        chosen = random.sample(_PROSE, random.randrange(1, 5))
        yield " ".join(sentence.format(**words(random)) for sentence in chosen)


def clean_references(count: int) -> Iterator[str]:
    """Ordinary references: tickets and plain URLs."""
    random = Random(5)
    forms = (
        "{ticket}",
        "{incident}",
        "https://tickets.example/browse/{ticket}",
        "https://git.example/org/repo/commit/{sha}",
        "https://snow.example:8443/nav/{uuid}",
        "org/repo#{short}",
    )
    for at in range(count):
        values = words(random)
        values["short"] = str(at + 1)
        yield forms[at % len(forms)].format(**values)


def document(noun: str, **fields: Any) -> dict[str, Any]:
    """A record of a kind as its log holds it."""
    trace = "gordackdelivery-" + "0" * 28
    made = draft(noun, traces=(trace,), **fields)
    return parse(append(LogState(), [made], NOW, SIGNER, {}, {}).entries[0].canonical)


def documents() -> dict[str, dict[str, Any]]:
    """One of every kind, by noun."""
    return {kind.noun: document(kind.noun) for kind in KINDS}


def clean_documents(count: int) -> Iterator[dict[str, Any]]:
    """Clean records of every kind in turn; where a kind has notes or a reference, ordinary ones."""
    bases = list(documents().items())
    for at, (note, reference) in enumerate(zip(clean_notes(count), clean_references(count), strict=True)):
        noun, base = bases[at % len(bases)]
        kind = BY_NOUN[noun]
        body = dict(base[kind.key])
        made = {**base, kind.key: body}
        if "notes" in body:
            body["notes"] = note
        if "external_ref" in body:
            body["external_ref"] = reference
            if "external_ref" in made:
                made["external_ref"] = reference
        yield made


Path = tuple[str | int, ...]


def text_fields(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where a document holds a text, or could: null stands for a text that is not there."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from text_fields(item, (*path, name))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from text_fields(item, (*path, at))
    elif isinstance(value, str) or value is None:
        yield path


def replaced(value: Any, path: Path, text: Any) -> Any:
    """A document with another text at a path; what is beside the path is shared with the first."""
    if not path:
        return text
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], text)
    return copy
