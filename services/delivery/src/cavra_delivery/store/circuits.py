"""Circuits of connectors: the statement that keeps one, the read that gives them back."""

from cavra_evidence.times import moment, optional_text
from cavra_service.store.protocol import Statement, Store

from cavra_delivery.domain.circuits import Circuit


def circuit_statement(provider: str, circuit: Circuit) -> Statement:
    """Keep a circuit as it is now."""
    params = {
        "provider": provider,
        "failures": circuit.failures,
        "opened_at": optional_text(circuit.opened_at),
        "gone": circuit.gone,
    }
    return Statement("keep_circuit", params)


async def stored_circuits(store: Store) -> dict[str, Circuit]:
    """Circuits by connector, of those that have failed."""
    return {
        row["provider"]: Circuit(
            row["failures"], None if row["opened_at"] is None else moment(row["opened_at"]), row["gone"]
        )
        for row in await store.rows("circuits")
    }
