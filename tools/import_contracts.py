"""The import-linter contract that says all a package may import, rather than what it may not."""

import sys
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class OnlyContract(Contract):
    """`package` imports itself, the standard library and what `allowed` names, nothing else."""

    package = fields.StringField()
    allowed = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Collect every direct import of another top-level package."""
        package = str(self.package)
        # A field descriptor has no static type of its own value.
        allowed = cast("set[str]", self.allowed)
        known = {package} | sys.stdlib_module_names | allowed
        strangers = sorted(
            f"{importer} imports {imported}"
            for importer in {package} | graph.find_descendants(package)
            for imported in graph.find_modules_directly_imported_by(importer)
            if imported.split(".")[0] not in known
        )
        return ContractCheck(kept=not strangers, metadata={"strangers": strangers})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line per import that is not allowed."""
        for stranger in check.metadata["strangers"]:
            output.print_error(stranger)
