"""The tests' second reader reads C2SP's own examples, and our library reads what it makes of them."""

import base64

import pytest
from cavra_verify.signatures import Checkpoint, SignatureError, Signer, open_checkpoint, sign_checkpoint
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.log_reader import verified_note, vkey_of

NAME = "example.com/foo"
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""
"""The example of C2SP signed-note."""

CHECKPOINT = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
"""
"""The example of C2SP tlog-checkpoint; its key is not given there."""


def test_the_specifications_note_verifies_by_its_key() -> None:
    assert verified_note(NOTE, VKEY) == "This is an example message.\n"
    assert vkey_of(NAME, base64.b64decode(VKEY.rpartition("+")[2])[1:]) == VKEY


def test_the_specifications_note_changed_does_not() -> None:
    with pytest.raises(InvalidSignature):
        verified_note(NOTE.replace("message", "massage"), VKEY)


def test_our_checkpoints_are_written_as_the_specifications_example() -> None:
    origin, size, root = CHECKPOINT.split("\n")[:3]
    example = Checkpoint(origin, int(size), base64.b64decode(root))
    signer = Signer.of(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    note = sign_checkpoint(example, signer)
    ours, theirs = note.split("\n"), CHECKPOINT.split("\n")
    assert ours[:4] == theirs[:4]
    assert ours[4].split(" ")[:2] == theirs[4].split(" ")[:2]
    assert [len(line) for line in ours] == [len(line) for line in theirs]
    assert verified_note(note, vkey_of(origin, signer.public)) == example.body()
    assert open_checkpoint(note, origin, signer.public) == example


def test_the_specifications_checkpoint_is_not_taken_for_one_of_another_key() -> None:
    signer = Signer.of(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    with pytest.raises(SignatureError):
        open_checkpoint(CHECKPOINT, "example.com/behind-the-sofa", signer.public)
