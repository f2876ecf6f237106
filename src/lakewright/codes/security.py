"""Codes of security: 8xx."""

from __future__ import annotations

from lakewright.codes.model import Code

__all__ = ["CODES"]

CODES: dict[str, Code] = {
    "LW801": Code(
        "mask does not fit the type",
        "A rule of masking is for texts, numbers or dates, and the column is something else.",
        "choose a rule for the column's type; hash and null fit every type",
    ),
    "LW802": Code(
        "key is lost",
        "A key that masked values before is not where it is kept. With another key the same values would be "
        "masked differently, and joins and tokens would break, so none is made.",
        "put the key's file (or secret) back from a copy; `lakewright keys list` says where it belongs",
    ),
    "LW803": Code(
        "key is another one",
        "The key found is not the one that was used before under this name and version.",
        "put the right key back; to change keys on purpose, use `lakewright keys rotate`",
    ),
    "LW804": Code(
        "masked column is needed clear",
        "A column tells rows apart or orders them, and its rule of masking does not keep that.",
        "mask it by hash or token, which keep different values different, or use another column",
    ),
    "LW805": Code(
        "key cannot be read or made",
        "The place that keeps a key refuses, or what it holds is no key.",
        "see the message; a key is 32 bytes, written as 64 hexadecimal digits",
    ),
    "LW806": Code(
        "reference between masks that differ",
        "A reference is looked up by masked values. They are equal on both sides only when both columns are "
        "masked by the same hash and key.",
        "give both columns the same `mask`: hash, with the same key",
    ),
    "LW807": Code(
        "unknown key",
        "A mask names a key that lakewright.yaml does not have.",
        "add it under `keys`, or leave it out: the key `default` needs no entry",
    ),
    "LW808": Code(
        "token not known",
        "The vault has no such token in this domain.",
        "check the token and `--domain`; only values of columns with `mask: token` can be revealed",
    ),
    "LW809": Code(
        "vault entry cannot be opened",
        "A value of the vault does not decrypt: it was changed, or its key is another one.",
        "restore the state database, or the key, from a copy",
    ),
    "LW810": Code(
        "people cannot be found as declared",
        "Something under `subjects` names what is not there, or a column that does not tell one person from another.",
        "correct the dataset or column under `subjects` of lakewright.yaml",
    ),
    "LW811": Code(
        "subject not understood",
        "The person to erase or export is named as `<subject>=<value>` or `<subject>.<identifier>=<value>`.",
        "use a subject and an identifier that lakewright.yaml declares",
    ),
    "LW812": Code(
        "value is shared by several people",
        "What leads to the person, such as an e-mail address, also stands in rows of somebody else. Following it "
        "would erase more than was asked for.",
        "`--shared keep` leaves rows alone that only the shared value points to; `--shared same` says that all of "
        "them are this person",
    ),
    "LW813": Code(
        "not everything can be erased",
        "Something that holds the person cannot be rewritten or must stay: a held dataset, a file in a format "
        "that nothing writes faithfully, or versions that the lake cannot forget. Nothing was changed.",
        "see the places listed; `--partial` erases the rest and says in the record what stays",
    ),
    "LW814": Code(
        "erasure is not complete",
        "A search after the erasure still finds the person, or a place could not be reached.",
        "see the places listed, then run the same command again: it goes on where it stopped",
    ),
    "LW815": Code(
        "record of an erasure is not genuine",
        "The record is damaged, was changed after it was signed, or was signed with another key.",
        "use the record as it was written under .lakewright/erasures",
    ),
    "LW816": Code(
        "erasure not known",
        "The state has no erasure of this number, or none that was begun and not finished.",
        "list them with `lakewright erasures`",
    ),
    "LW817": Code(
        "raw file cannot be rewritten",
        "A file of the raw zone holds the person, and cannot be written again without them.",
        "`--drop-originals` deletes such a file and keeps the readable copy without the person",
    ),
    "LW820": Code(
        "access rules do not fit",
        "A role or user under `access` names what is not there, or says two things that contradict each other.",
        "correct lakewright.yaml at the place shown; `lakewright access show ROLE` tells what a role sees",
    ),
    "LW821": Code(
        "not to be read by the role",
        "A query names something that the role may not read, or that does not exist: which of the two is not said.",
        "`lakewright access show ROLE` lists what the role reads; the project's owner can add to it",
    ),
    "LW822": Code(
        "not allowed in a role's query",
        "A role's query may use tables of the lake and functions that only compute. Everything that looks at "
        "files, settings, catalogs or other statements is left out, and what is not known is refused.",
        "write the query without it, or ask the project's owner for a dataset",
    ),
    "LW823": Code(
        "only for the owner",
        "This command or property shows or changes more than a role's rules can be applied to.",
        "roles can query, list the catalog, look at lineage, quality and profiles of what they see, and ask for their own rights; leave out --role and LAKEWRIGHT_ROLE to act as the owner",
    ),
    "LW824": Code(
        "no such role or user",
        "The role or user to act as is not one of `access` in lakewright.yaml, or the user may not act in the role.",
        "correct the name, or add it under `access`",
    ),
    "LW825": Code(
        "attribute is missing",
        "A condition on rows asks for an attribute that whoever asks does not have. Without it no row is shown.",
        "give the user the attribute under access.users, or pass it: --attribute name=value",
    ),
    "LW826": Code(
        "rules of a role could not be applied",
        "Reading a dataset under the role's rules failed, so nothing was shown. What the database said may hold values that "
        "the role must not see, so it is not repeated.",
        "the project's owner can try the condition in a query of their own",
    ),
    "LW827": Code(
        "audit log was changed",
        "Entries of the audit log do not follow from each other: one was edited, added or removed by another way than this program.",
        "keep a copy of the state database as it is, and compare it with a backup from before the first entry named",
    ),
    "LW830": Code(
        "encryption does not fit the lake",
        "What is asked for under `lake` cannot be encrypted, or its catalog could not keep the keys of the files.",
        "an encrypted lake is a DuckLake; its catalog is duckdb:<file> (the default then) or a PostgreSQL that you protect",
    ),
    "LW831": Code(
        "catalog is in use by another process",
        "The catalog of an encrypted lake is a file that one process at a time can open. The other one did not let go "
        "of it in time.",
        "wait for the other process, or stop it; when several must write at once, use a catalog in PostgreSQL",
    ),
    "LW832": Code(
        "key does not open the lake",
        "The lake's catalog is encrypted under another key than the one found, or is no file of this project's lake.",
        "put the right key back from a copy; `lakewright keys list` says where it belongs",
    ),
    "LW833": Code(
        "lake is not what the project says",
        "The lake exists in the clear and `encryption` is set, or it is encrypted and `encryption` is not set. Neither is "
        "turned into the other in place: half of it would stay as it was.",
        "to encrypt a lake, move its catalog and its folder `tables` aside and run: everything is built anew from the raw files",
    ),
    "LW834": Code(
        "keys would lie beside what they open",
        "A backup of an encrypted lake holds its files. The catalog in PostgreSQL holds their keys, so a copy of it in the "
        "same place would open them.",
        "back up the database by the server's own means, and keep that copy elsewhere",
    ),
    "LW835": Code(
        "raw files are in the clear",
        "A warning: encryption is of the lake's tables, archives and catalog. What came is kept byte for byte in the raw "
        "zone, and the state and reports hold figures and a few values.",
        "keep the project on an encrypted disk and raw files in a bucket with SSE-KMS; docs/encryption.md lists what is clear",
    ),
}
