"""What an auditor's commands take, print and refuse, where no service has to run."""

import json
from pathlib import Path

import pytest
from cavra_service.identity import load_signer
from cavra_service.settings import Settings
from cavra_verify.policy import PinnedKey, read_policy

from tests.support.installation import Installation
from tests.unit.cli.test_commands import cavra

SERVICES = ("delivery", "retry", "recovery")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation whose services never ran, at ports where nobody listens."""
    return Installation(tmp_path).settings


def printed_keys(settings: Settings, service: str) -> tuple[PinnedKey, ...]:
    """A service's keys in the policy that is printed."""
    result = cavra("policy", "--data-dir", str(settings.data_dir))
    assert result.exit_code == 0, result.stderr
    policy = read_policy(result.stdout.encode())
    assert sorted(log.service for log in policy.logs.values()) == sorted(SERVICES)
    return policy.logs[f"cavra.local/{service}"].keys


def test_the_policy_pins_the_key_of_each_service(settings: Settings) -> None:
    for service in SERVICES:
        assert printed_keys(settings, service) == (PinnedKey(load_signer(settings, service).public),)


def test_the_policy_follows_a_rotation_and_a_revocation(settings: Settings) -> None:
    folder = str(settings.data_dir)
    first = load_signer(settings, "retry")
    assert cavra("key", "rotate", "retry", "--data-dir", folder).exit_code == 0
    second = load_signer(settings, "retry")
    before, after = printed_keys(settings, "retry")
    assert (before.public, before.from_index, after.public, after.until_index) == (
        first.public,
        0,
        second.public,
        None,
    )
    assert before.until_index == after.from_index
    reason = ("--from-index", "0", "--reason", "key_compromised")
    assert cavra("key", "revoke", "retry", first.key_id, *reason, "--data-dir", folder).exit_code == 0
    revoked, kept = printed_keys(settings, "retry")
    assert (bool(revoked.revoked), revoked.public, kept) == (True, first.public, after)


def test_a_policy_of_an_installation_that_is_not_there_is_not_made_up(tmp_path: Path) -> None:
    result = cavra("policy", "--data-dir", str(tmp_path / "none"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert not (tmp_path / "none").exists()


def test_logs_that_nobody_serves_are_not_verified(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for service in SERVICES:
        monkeypatch.setenv(f"CAVRA_{service.upper()}_ADDRESS", "127.0.0.1:1")
    result = cavra("audit", "--data-dir", str(settings.data_dir))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "cavra: delivery: " in result.stderr


def test_an_audit_by_a_policy_that_lacks_the_log_checks_nothing(settings: Settings, tmp_path: Path) -> None:
    policy = json.loads(cavra("policy", "--data-dir", str(settings.data_dir)).stdout)
    policy["logs"] = policy["logs"][:1]
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    asked = ("--log", "recovery", "--policy", str(tmp_path / "policy.json"))
    result = cavra("audit", *asked, "--data-dir", str(settings.data_dir))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the policy pins no log of recovery" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit", "--log", "gateway"),
        ("audit", "--policy", "/nonexistent"),
        ("audit", "--since", "/nonexistent"),
        ("audit", "--token-file", "/nonexistent"),
        ("verify", "/nonexistent", "--policy", "/nonexistent"),
        ("verify", "/nonexistent"),
    ],
)
def test_what_cannot_be_read_cannot_be_checked(settings: Settings, arguments: tuple[str, ...]) -> None:
    folder = () if arguments[0] == "verify" else ("--data-dir", str(settings.data_dir))
    result = cavra(*arguments, *folder)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr


def test_verify_takes_what_cavra_verify_takes(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text(cavra("policy", "--data-dir", str(settings.data_dir)).stdout)
    (tmp_path / "-bundle.json").write_text("{}")
    asked = (
        f"--policy={tmp_path / 'policy.json'}",
        "--since",
        str(tmp_path / "policy.json"),
        str(tmp_path / "-bundle.json"),
    )
    assert "COULD NOT CHECK" in cavra("verify", *asked).stdout
    verdict = cavra("verify", "--json", *asked)
    assert (verdict.exit_code, json.loads(verdict.stdout)["status"]) == (2, "unchecked")


@pytest.mark.parametrize("held", [b"", b"a b\nc\n", b"\xdb\x00", b"x" * 20_000])
@pytest.mark.parametrize("command", ["audit", "bundle gordackdelivery-1", "connectors list"])
def test_a_file_that_holds_no_token_is_told_and_not_sent(
    settings: Settings, tmp_path: Path, command: str, held: bytes
) -> None:
    (tmp_path / "my.token").write_bytes(held)
    asked = ("--token-file", str(tmp_path / "my.token"), "--data-dir", str(settings.data_dir))
    result = cavra(*command.split(), *asked)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "my.token: got no token" in result.stderr


def test_a_bundle_that_cannot_be_had_is_told_in_words(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for service in SERVICES:
        monkeypatch.setenv(f"CAVRA_{service.upper()}_ADDRESS", "127.0.0.1:1")
    result = cavra("bundle", "gordackdelivery-1", "--data-dir", str(settings.data_dir))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "cavra: A service is down (service_unavailable)\n"


def test_a_services_keys_are_listed_by_their_ids(settings: Settings) -> None:
    folder = ("--data-dir", str(settings.data_dir))
    first = load_signer(settings, "retry")
    assert cavra("key", "rotate", "retry", *folder).exit_code == 0
    second = load_signer(settings, "retry")
    before, after = cavra("key", "list", "retry", *folder).stdout.splitlines()
    assert before.startswith(f"{first.key_id}  {first.public.hex()}  0..")
    assert after.startswith(f"{second.key_id}  {second.public.hex()}  ")
    assert after.endswith("..")
    assert int(after.split()[-1][:-2]) == int(before.rpartition("..")[2]) + 1
