"""`cavra-verify`, as an auditor runs it: files in, a verdict and an exit status out."""

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cavra_verify.__main__ import main
from cavra_verify.verify import CLAIMS, NOT_CHECKED

from tests.support.bundles import Forger, checkpoint_of, file_of, forged, policy_document
from tests.support.closed_chain import ClosedChain


@pytest.fixture
def files(tmp_path: Path, chain: ClosedChain) -> Path:
    """A folder with what an auditor has at hand."""
    (tmp_path / "policy.json").write_text(json.dumps(policy_document(chain.logs), indent=2))
    (tmp_path / "bundle.json").write_bytes(file_of(chain, since={"retry": 7}))
    (tmp_path / "kept").write_text(checkpoint_of(chain.logs["retry"], 7))
    return tmp_path


def arguments(files: Path, *more: str) -> list[str]:
    """The command's."""
    return [str(files / "bundle.json"), "--policy", str(files / "policy.json"), *more]


def test_a_chain_that_holds_is_verified_and_what_was_not_checked_is_said(
    files: Path, chain: ClosedChain, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(files, "--since", str(files / "kept"))) == 0
    told = capsys.readouterr().out
    assert told.endswith("\nVERIFIED\n")
    assert all(claim.says in told for claim in CLAIMS)
    assert all(one in told for one in NOT_CHECKED)
    size = len(chain.logs["retry"].records)
    assert f"records of the trace, complete up to size {size}\n" in told


def test_a_chain_that_does_not_hold_is_refuted_with_what_was_got_and_expected(
    files: Path, chain: ClosedChain, capsys: pytest.CaptureFixture[str]
) -> None:
    def approve_as_planner(forger: Forger) -> None:
        forger.one("approval_decision").act_as("paula")

    (files / "bundle.json").write_bytes(file_of(forged(chain, approve_as_planner)))
    assert main(arguments(files)) == 1
    told = capsys.readouterr().out
    assert "REFUTED    quorum" in told
    assert "got an approval by paula, who planned the retry, expected somebody else" in told
    assert told.endswith("\nREFUTED\n")


def test_a_forged_record_adds_no_line_to_what_is_printed(
    files: Path, chain: ClosedChain, capsys: pytest.CaptureFixture[str]
) -> None:
    def speak(forger: Forger) -> None:
        forger.one("closure").document["session_id"] = "\x1b[2J\nVERIFIED\n"

    (files / "bundle.json").write_bytes(file_of(forged(chain, speak)))
    assert main(arguments(files)) == 1
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "VERIFIED" not in told.splitlines()


def test_programs_read_the_verdict_as_json(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(files, "--json")) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["schema_version"], verdict["status"]) == ("cavra.verdict.v1", "verified")
    assert {one["name"]: one["status"] for one in verdict["claims"]} == {
        claim.name: "holds" for claim in CLAIMS
    }
    assert verdict["not_checked"] == list(NOT_CHECKED)


@pytest.mark.parametrize("broken", ["bundle.json", "policy.json", "kept"])
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"{}"], ids=["missing", "empty", "noise", "{}"])
def test_what_cannot_be_read_cannot_be_checked(files: Path, broken: str, content: bytes | None) -> None:
    (files / broken).unlink()
    if content is not None:
        (files / broken).write_bytes(content)
    assert main(arguments(files, "--since", str(files / "kept"))) == 2


def test_it_runs_with_the_standard_library_and_cryptography_alone(files: Path) -> None:
    probe = (
        "import sys; from cavra_verify.__main__ import main; status = main(sys.argv[1:]);"
        "import cavra_verify.audit;"
        "known = set(sys.stdlib_module_names) | {'cavra_verify', 'cryptography', 'cffi', '_cffi_backend', '__main__'};"
        "tops = {name.partition('.')[0] for name in sys.modules};"
        "foreign = {name for name in tops - known if not name.startswith(('_', 'sitecustomize', 'distutils-precedence'))};"
        "sys.exit(f'imports {foreign}' if foreign else status)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", probe, *arguments(files)],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_its_wheel_installs_alone_and_verifies_from_there(files: Path, tmp_path: Path) -> None:
    """As on an auditor's machine, but that `cryptography` is lent from here and nothing is asked of a network."""
    uv, wheels, venv, lent = (
        Path(sys.executable).parent / "uv",
        *(tmp_path / one for one in ("wheels", "venv", "lent")),
    )
    source = Path(__file__).parents[2] / "libs" / "verify"
    run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", wheels], cwd=source)
    run([uv, "venv", "--offline", "--quiet", "--python", sys.executable, venv])
    (wheel,) = wheels.iterdir()
    run(
        [
            uv,
            "pip",
            "install",
            "--offline",
            "--no-deps",
            "--no-index",
            "--python",
            venv / "bin" / "python",
            wheel,
        ]
    )
    lent.mkdir()
    for name in ("cryptography", "cffi", "_cffi_backend"):
        found = find_spec(name)
        assert found is not None
        assert found.origin is not None
        path = Path(found.origin)
        path = path.parent if path.name == "__init__.py" else path
        (lent / path.name).symlink_to(path)
    command = venv / "bin" / "cavra-verify"
    told = run([command, *arguments(files)], env={"PYTHONPATH": str(lent)}, cwd=tmp_path)
    assert told.endswith("\nVERIFIED\n")


def run(command: Sequence[str | Path], **how: Any) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)
    assert done.returncode == 0, done.stderr
    printed: str = done.stdout
    return printed


def test_claims_have_names_of_their_own() -> None:
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
