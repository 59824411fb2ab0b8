"""Somebody with a service's database and not with its key: changes rows, and appends records as the service's own code would."""

import sqlite3
from contextlib import closing
from typing import Any, Final

from cavra_evidence.draft import Draft
from cavra_service.identity import load_signer
from cavra_service.runtime import open_store
from cavra_service.settings import Settings
from cavra_service.store.protocol import Commit
from cavra_verify.merkle import leaf_hash
from cavra_verify.signatures import Signer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

UNSIGNED: Final = {"nobody": b"", "garbage": b"x" * 64}
"""What stands for a signature where no key was at hand."""
_NOTICED: Final = "UPDATE approval_items SET change = change + (SELECT max(change) FROM approval_items)"
"""A service that runs reads items again whose number has grown."""


class Forger:
    """Knows the schema and the code of one service, and holds the keys of the others."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._settings = settings
        self._service = service

    def sql(self, statement: str, *values: Any) -> None:
        """Change rows of the running service's file, and fail if there are none to change."""
        with closing(self._connect()) as connection:
            changed = connection.execute(statement, values).rowcount
            if statement.startswith("UPDATE approval_items"):
                connection.execute(_NOTICED)
        assert changed > 0, f"nothing to forge: {statement}"

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """What a query finds."""
        with closing(self._connect()) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    async def append(self, draft: Draft, by: str) -> str:
        """Append a record with its terms, chains and tree, signed `by` nobody, garbage, a stranger or another service; gives its id."""
        assert by != self._service, "the service's own key is what a forger lacks"
        store: Any = await open_store(self._settings, self._service)
        signer = store._groups._signer = self._signer(by)
        try:
            (entry,) = await store.commit(Commit([draft]))
        finally:
            await store.close()
        assert entry.key_id in ("", signer.key_id), "some kinds are not signed"
        if by in UNSIGNED:
            self.sql("UPDATE records SET signature = ? WHERE id = ?", UNSIGNED[by], entry.id)
        return str(entry.id)

    def rewrite(self, record_id: str, before: str, after: str) -> None:
        """Change what a record says, hash included; the signature stays as it was."""
        (row,) = self.rows("SELECT canonical FROM records WHERE id = ?", record_id)
        canonical = bytes(row["canonical"]).replace(before.encode(), after.encode())
        assert canonical != row["canonical"], f"nothing to forge: {before} is not in the record"
        changed = (canonical, leaf_hash(canonical), record_id)
        self.sql("UPDATE records SET canonical = ?, record_hash = ? WHERE id = ?", *changed)

    def delete(self, record_id: str) -> None:
        """Take a record out of the log, so that nothing finds it."""
        self.sql("DELETE FROM terms WHERE idx = (SELECT idx FROM records WHERE id = ?)", record_id)
        self.sql("DELETE FROM records WHERE id = ?", record_id)

    def _signer(self, by: str) -> Signer:
        if by in UNSIGNED or by == "stranger":
            return Signer.of(Ed25519PrivateKey.generate())
        return load_signer(self._settings, by)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._settings.store_path(self._service), isolation_level=None, timeout=10)
