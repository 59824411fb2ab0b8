"""What must hold whatever happened, judged on what the receiver got and on the records alone."""

from typing import Any

from cavra_verify.kinds import BY_NOUN

from tests.model.house import House

_ACK = BY_NOUN["retry_ack"].kind


class Oracle:
    """Looks at the records as they come."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._digests: set[str] = set()
        self._openers: dict[str, tuple[str, int]] = {}
        """Digest -> who made the approval plan that showed it first, and the quorum it asks for."""
        self._votes: dict[str, list[dict[str, Any]]] = {}
        self._by_id: dict[str, dict[str, Any]] = {}
        self._intents: list[dict[str, Any]] = []

    def look(self, new: list[dict[str, Any]]) -> None:
        """Take in what the retry log has got."""
        for document in new:
            self._by_id[document["session_id"]] = document
            noun = next(one.noun for one in BY_NOUN.values() if one.kind == document["metadata_kind"])
            getattr(self, f"_{noun}", lambda _: None)(document)
        for intent in self._intents:
            self._claim(intent)
        self._intents.clear()

    def _approval_plan(self, document: dict[str, Any]) -> None:
        for item in document[BY_NOUN["approval_plan"].key]["approval_decisions"]:
            if item["item_digest"]:
                known = (document["actor"]["sub"], item["policy"]["required_approvals"])
                self._openers.setdefault(item["item_digest"], known)

    def _approval_decision(self, document: dict[str, Any]) -> None:
        digest = document[BY_NOUN["approval_decision"].key]["item_digest"]
        self._votes.setdefault(digest, []).append(document)

    def _retry_intent(self, document: dict[str, Any]) -> None:
        intent = document[BY_NOUN["retry_intent"].key]
        digest = intent["item_digest"]
        assert digest not in self._digests, "an approval was used twice"
        self._digests.add(digest)
        opener, required = self._openers[digest]
        votes = self._votes.get(digest, [])
        verbs = {vote["approval_state"] for vote in votes}
        assert verbs <= {"approved", "deferred"}, f"something was claimed that is {verbs}"
        approvers = {vote["actor"]["sub"] for vote in votes if vote["approval_state"] == "approved"}
        assert len(approvers) >= required, f"{approvers} are no quorum of {required}"
        acks = [self._by_id[cause["id"]] for cause in document["causes"] if cause["kind"] == _ACK]
        assert acks, "something was claimed that nobody had acknowledged"
        people = {opener, self._by_id[intent["retry_plan_id"]]["actor"]["sub"]}
        people |= {ack["actor"]["sub"] for ack in acks}
        assert not approvers & people, "who planned, acknowledged or asked for the approval approved it"
        assert document["actor"]["sub"] not in approvers, "who approved executed"
        assert intent["claimed_at"] < intent["expires_at"], "something was claimed that had expired"
        self._intents.append(intent)

    def _claim(self, intent: dict[str, Any]) -> None:
        run = self._by_id[intent["run_id"]][BY_NOUN["worker_run"].key]
        plan = self._by_id[run["retry_plan"]["retry_plan_id"]][BY_NOUN["retry_plan"].key]
        assert intent["attempt_number"] <= plan["max_retry_attempts"], (
            "more was sent than the policy's attempts"
        )

    def judge(self) -> None:
        """The receiver got nothing twice, and nothing without an intent."""
        sent = self._house.receiver.count_by("cavra-execution-id")
        first = sent.pop("", 0)
        assert set(sent.values()) <= {1}, "an execution was sent twice"
        intents = {
            one[BY_NOUN["retry_intent"].key]["execution_id"]
            for one in self._house.of_kind("retry", "retry_intent")
        }
        assert sent.keys() <= intents, "something was sent without an intent"
        messages = {
            one.headers["webhook-id"]
            for one in self._house.receiver.received
            if "cavra-execution-id" not in one.headers
        }
        assert len(messages) == first, "a first send was sent twice"

    def settled(self) -> None:
        """Every intent has one execution record."""
        intents = [
            document[BY_NOUN["retry_intent"].key] for document in self._house.of_kind("retry", "retry_intent")
        ]
        records = [
            document[BY_NOUN["execution_record"].key]
            for document in self._house.of_kind("retry", "execution_record")
        ]
        assert sorted(one["execution_id"] for one in intents) == sorted(
            one["execution_id"] for one in records
        )
        done = [
            (one["delivery_id"], one["provider"], one["attempt_number"])
            for one in records
            if one["execution_status"] != "skipped"
        ]
        assert len(done) == len(set(done)), "an attempt was made twice"
