"""One sentence for every key of `access`."""

from __future__ import annotations

from lakewright.spec.access import Access, AccessRole, AccessUser

__all__ = ["ACCESS"]

ACCESS: dict[type, dict[str, str]] = {
    Access: {
        "roles": "Roles by name, and what each may read.",
        "users": "Users by name, and the roles that each may act in.",
        "audit": "Whose queries are written into the audit log: those of roles, or of everyone.",
    },
    AccessRole: {
        "description": "What it is for, for people.",
        "extends": "Roles whose rights it has as well.",
        "zones": "Zones of which it reads every dataset.",
        "datasets": "Datasets that it reads, as `zone.name`; `*` in either part stands for any letters.",
        "columns": "Classifications of columns that it sees; `unclassified` for columns without, `*` for all. Without it those that have none.",
        "masks": "Classifications of columns that it sees masked, and how.",
        "rows": "Conditions that rows must meet, by dataset or pattern: SQL over the columns, where `attribute('x')` is a value of the user.",
    },
    AccessUser: {
        "roles": "Roles that the user may act in; the first when none is asked for.",
        "attributes": "Values that conditions on rows ask for by `attribute('name')`; `user` and `role` are there by themselves.",
    },
}
