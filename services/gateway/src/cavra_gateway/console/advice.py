"""What to do about a refusal, for people: by reason code."""

from typing import Final

ADVICE: Final = {
    "unknown_path": "The address may be mistyped, or from another version of the console. Everything there is stands in the menu.",
    "invalid_page_token": "This place in the list is not known here. Begin at its first page.",
    "role_required": "Your token does not give you the role for this. Ask somebody who has it.",
    "self_approval": "You planned or acknowledged this retry, or made its approval plan. Somebody else has to approve it.",
    "self_resolution": "You executed this retry. Somebody else has to say what the receiver has.",
    "policy_floor": "This installation asks for more. Choose a value that is at least as strict.",
    "content_changed": "What would be sent is not what you were shown. Open the item again and look at what it is now.",
    "item_closed": "This item has ended and can't be used any more. Review the failure anew: plan, acknowledge, plan the approval.",
    "acknowledgement_required": "Somebody has to acknowledge the planned retry first; then plan its approval again.",
    "ambiguous_item": "Several items match. Open the one you mean from the list.",
    "invalid_transition": "It is already in a state from which this is not possible. Reload to see where it stands.",
    "verification_required": "Pick a delivery or execution that this provider took after its last failure.",
    "superseded": "A newer playbook names this provider. Close the recovery there.",
    "unknown_reference": "No record has this id. Pick one from the list, or give a ticket id or an https address.",
    "invalid_reference": "Use a ticket id like OPS-1234, or an https address without user name and query.",
    "credential_found": "This text looks like a credential. Evidence is kept for ever: leave secrets out of it.",
    "provider_not_configured": "This connector is not enabled. Choose one that is ready.",
    "service_unavailable": "A service is down. Nothing is lost: send it again, it is not run twice.",
    "deadline_exceeded": "It took too long to answer. It may still be running: send it again, it is not run twice.",
    "in_progress": "The same request is still running. Send it again in a moment to see its result.",
    "conflict": "Somebody changed it meanwhile. Look again, then decide.",
    "resource_exhausted": "That was too much at once. Wait a moment.",
    "cross_site": "Open the page again and send the form from there.",
    "evidence_mismatch": "What is stored is not what was signed. Stop here and tell whoever is responsible for this installation.",
    "idempotency_key_reused": "This form was already used for something else. Open the page again.",
}
