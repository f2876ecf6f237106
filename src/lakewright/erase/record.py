"""The record of an erasure: what was done where, signed by Ed25519 (RFC 8032), without a word about anybody.

The signature is over the record in its canonical form: JSON in UTF-8, keys sorted, no blanks. The signing key
is derived from the managed key ``erasure`` by HKDF-SHA-256, so that it is nowhere kept by itself.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from lakewright.errors import RunError
from lakewright.security.forgotten import digest_key
from lakewright.security.keys import Keys

__all__ = ["checked", "keep", "sign"]

_SIGN = b"lakewright erasure: sign"


def sign(keys: Keys, record: dict[str, Any]) -> dict[str, Any]:
    """Return *record* with the public key and the signature in it."""
    key = _private(keys)
    body = {**record, "public_key": _text(key.public_key().public_bytes_raw())}
    return {**body, "signature": _text(key.sign(_canonical(body)))}


def checked(keys: Keys, record: Any) -> dict[str, Any]:
    """Return a signed record without its signature. Raises RunError LW815 unless this project signed it as it is."""
    from cryptography.exceptions import InvalidSignature

    if not isinstance(record, dict) or not isinstance(record.get("signature"), str):
        raise RunError("LW815", "it is no record of an erasure")
    body = {name: value for name, value in record.items() if name != "signature"}
    public = _private(keys).public_key()
    if body.get("public_key") != _text(public.public_bytes_raw()):
        raise RunError("LW815", "another key signed it, of another project or of an earlier state")
    try:
        public.verify(base64.b64decode(record["signature"], validate=True), _canonical(body))
    except (InvalidSignature, ValueError):
        raise RunError("LW815", "its signature does not fit what it says: it was changed") from None
    return body


def keep(root: Path, id: str, record: dict[str, Any]) -> Path:
    """Write the record to ``.lakewright/erasures``, for its owner alone to read, and return its path."""
    folder = root / ".lakewright" / "erasures"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path, part = folder / f"{id}.json", folder / f".{id}.{os.getpid()}.part"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(record, file, indent=2, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return path


def _canonical(body: dict[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _private(keys: Keys) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return Ed25519PrivateKey.from_private_bytes(
        HKDF(SHA256(), 32, None, _SIGN).derive(digest_key(keys).material)
    )
