"""Tokens that nobody may be let in with."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cavra_service.identity import LocalIssuer
from cavra_service.settings import Settings
from joserfc import jws
from joserfc.jwk import OctKey, OKPKey, RSAKey


def bad_tokens(settings: Settings, elsewhere: Path) -> Iterator[tuple[str, str]]:
    """(what is wrong with it, token)."""
    good = LocalIssuer(settings).token("olga", ["operator", "approver", "auditor", "service"])
    header, claims, signature = good.split(".")
    stranger = LocalIssuer(Settings(data_dir=elsewhere))
    key = OKPKey.import_key(json.loads((settings.identity / "issuer" / "private.json").read_text()))
    said = json.loads(_bytes(claims))

    def signed(**changed: Any) -> str:
        body = {name: value for name, value in {**said, **changed}.items() if value is not None}
        return _signed({"alg": "Ed25519", "kid": key.kid}, body, key)

    yield "another installation's", stranger.token("olga", ["operator"])
    yield "expired", signed(exp=int(time.time()) - 60)
    yield "not yet", signed(nbf=int(time.time()) + 600)
    yield "issued later", signed(iat=int(time.time()) + 600)
    for name, values in {
        "aud": ("elsewhere", ["elsewhere"], "", None, 1, {}),
        "iss": ("elsewhere", "", None, ["cavra-local"], 7, "cavra-local "),
        "sub": ("", None, 5, ["olga"], "\x00", "o" * 200, "<olga>", "\ud800", " "),
        "exp": (None, "tomorrow", "", [], -1, 0, True, "9999999999", 1e400, -1e400, float("nan")),
        "roles": ("operator", [1], {"operator": True}, [["operator"]], [None], ["operator", "\udfff"]),
        "groups": ("a", [1], [None], {}, ["\ud800"]),
        "name": (5, ["olga"], "\n", "x" * 200, {"a": 1}, "\ud800"),
    }.items():
        yield from ((f"{name}: {str(value)[:20]!a}", signed(**{name: value})) for value in values)
    without = _text(b'{"alg":"none"}')
    yield from (
        ("no algorithm", f"{without}.{claims}."),
        ("no algorithm, signed", f"{without}.{claims}.{signature}"),
    )
    for algorithm in ("None", "nOnE", "HS256", "RS256", "ES256", "EdDSA ", "", "ed25519"):
        yield (
            f"algorithm {algorithm}",
            f"{_text(json.dumps({'alg': algorithm, 'kid': key.kid}).encode())}.{claims}.{signature}",
        )
    secret = OctKey.import_key(_bytes(str(key.as_dict(private=False)["x"])))
    yield "signed by the public key", _signed({"alg": "HS256", "kid": key.kid}, said, secret)
    yield "RSA", _signed({"alg": "RS256", "kid": key.kid}, said, RSAKey.generate_key(2048))
    own = OKPKey.generate_key("Ed25519")
    with_key = {"alg": "Ed25519", "kid": key.kid, "jwk": own.as_dict(private=False)}
    yield "with its own key", _signed(with_key, said, own)
    for odd in (
        {"kid": "unknown"},
        {"kid": 5},
        {"kid": None},
        {"kid": ["a"]},
        {"crit": ["x"]},
        {"b64": False},
        {"zip": "DEF"},
        {"alg": ["Ed25519"]},
        {"alg": 5},
    ):
        yield (
            f"header {odd}",
            f"{_text(json.dumps({'alg': 'Ed25519', 'kid': key.kid, **odd}).encode())}.{claims}.{signature}",
        )
    for part in (
        b"",
        b"{",
        b"[]",
        b"null",
        b"5",
        b'"a"',
        b"\xff",
        b"[" * 9000,
        b'{"alg":' + b"9" * 6000 + b"}",
        b'{"iss":{}}',
    ):
        yield f"header of {part[:9]!r}", f"{_text(part)}.{claims}.{signature}"
        yield f"claims of {part[:9]!r}", f"{header}.{_text(part)}.{signature}"
    forged = _text(json.dumps({**said, "sub": "root"}).encode())
    yield from (
        ("another's claims", f"{header}.{forged}.{signature}"),
        ("cut signature", good[:-2]),
        ("no signature", f"{header}.{claims}."),
    )
    yield from (
        ("two parts", f"{header}.{claims}"),
        ("four parts", good + ".x"),
        ("five parts", ".".join("abcde")),
        ("dots", ".."),
        ("padded", good + "="),
    )
    yield from (
        ("garbage", "x"),
        ("slashes", good.replace("_", "/").replace("-", "+") + "/"),
        ("long", "x" * 17_000),
        ("spaces", f"{header} .{claims}.{signature}"),
    )
    yield from (("flipped", _flipped(good, place)) for place in range(len(good) - 80, len(good) - 2, 7))


def _signed(header: dict[str, Any], claims: dict[str, Any], key: Any) -> str:
    return jws.serialize_compact(header, json.dumps(claims).encode(), key, algorithms=[header["alg"]])


def _flipped(token: str, place: int) -> str:
    return token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]


def _bytes(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _text(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")
