"""One sentence for every key of masks, of the keys that they use, and of the people in the data."""

from __future__ import annotations

from lakewright.spec.mask import Band, Hash, Redact, Token
from lakewright.spec.project import Backup, Encryption, Key
from lakewright.spec.subject import Subject

__all__ = ["SECURITY"]

SECURITY: dict[type, dict[str, str]] = {
    Hash: {
        "algorithm": "`sha256` and `md5` use no key and can be undone by trying values.",
        "key": "The key's name, one of `keys`; `default` needs no entry there.",
    },
    Token: {
        "domain": "Columns of one domain share their tokens, so that they can be joined.",
        "key": "The key with which the vault keeps clear values, and finds them.",
    },
    Redact: {"kinds": "What is looked for; all of them without it."},
    Band: {"width": "Width of a band, in the column's unit."},
    Encryption: {"key": "The key's name, one of `keys`; `lake` needs no entry there."},
    Key: {
        "store": "Where it is kept.",
        "secret": "Reference to the secret that holds it, as 64 hexadecimal digits, for `store: secret`.",
        "kms_key": "Id, alias or ARN of the key that wraps it, for `store: kms`.",
        "endpoint": "Address of the key service, where it is not the provider's own.",
        "region": "Region of the key service; the environment's without it.",
    },
    Subject: {
        "identifier": "Name of what tells two people apart, such as `customer_id`.",
        "datasets": "Each dataset that holds them, with its columns that hold identifiers: column → identifier.",
        "redact": "Datasets whose rows stay: these columns lose their values instead.",
        "ignore_case": "Identifiers whose values are the same in small letters and capitals.",
        "description": "Who these people are.",
    },
    Backup: {
        "to": "Folder or `s3://bucket/prefix` of the backups; a folder on another disk survives this one.",
        "s3": "The S3 API that `to` is on; that of the lake without it.",
        "passphrase": "Reference to the passphrase that seals the keys; without it they are not in the backups.",
    },
}
