"""Keys leave the project only under a passphrase: scrypt (RFC 7914) makes a key of it, AES-256-GCM seals."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from lakewright.errors import RunError, UsageError
from lakewright.security.keys import Keys

__all__ = ["LEAST", "collect", "open_sealed", "passphrase", "put_back", "seal"]

_MAGIC = b"lakewright keys 1\n"
_SALT, _NONCE = 16, 12
#: Cost of scrypt: 64 MiB and about 0.2 s for each try of whoever guesses.
_N, _R, _P = 1 << 16, 8, 1

#: A passphrase has this many characters at least.
LEAST = 12


class Bundle(msgspec.Struct, frozen=True):
    """The keys of a project: files of ``.lakewright/keys`` by name, and those of the keyring by name and version."""

    files: dict[str, str]
    keyring: list[tuple[str, int, str]]


def passphrase(text: str | None, env: Mapping[str, str], resolve: Callable[[str], str]) -> str | None:
    """Return the passphrase that *text* says where to find: ``env:NAME``, ``file:PATH`` or ``${secret:NAME}``.

    Raises LW433 when it is not there or too short; a passphrase itself is refused, for commands are seen by others.
    """
    if text is None:
        return None
    kind, _, rest = text.partition(":")
    if kind == "env":
        found = env.get(rest)
        if found is None:
            raise UsageError("LW433", f"the environment variable {rest} with the passphrase is not set")
    elif kind == "file":
        try:
            found = Path(rest).expanduser().read_text("utf-8").removesuffix("\n").removesuffix("\r")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise UsageError("LW433", f"the passphrase cannot be read from {rest}: {why}") from None
    elif text.startswith("${"):
        found = resolve(text)
    else:
        raise UsageError("LW433", "a passphrase is taken from env:NAME, file:PATH or ${secret:NAME}")
    if len(found) < LEAST:
        raise UsageError("LW433", f"the passphrase is shorter than {LEAST} characters")
    return found


def collect(keys: Keys, folder: Path) -> bytes | None:
    """Return all keys that a backup can hold, None when there are none. Those that are secrets of yours are not in it."""
    files = {
        one.name: one.read_text("ascii")
        for one in sorted(folder.glob("*.*") if folder.is_dir() else ())
        if one.suffix in (".key", ".kms") and not one.name.startswith(".")
    }
    keyring = []
    for one in keys.listed():
        if one.store == "keyring" and one.status == "ok":
            material = keys.get(one.name, one.version).material
            keyring.append((one.name, one.version, base64.b64encode(material).decode()))
    if not files and not keyring:
        return None
    return msgspec.json.encode(Bundle(files, keyring))


def seal(content: bytes, phrase: str) -> bytes:
    """Return *content* sealed under the passphrase."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, nonce = secrets.token_bytes(_SALT), secrets.token_bytes(_NONCE)
    return _MAGIC + salt + nonce + AESGCM(_key(phrase, salt)).encrypt(nonce, content, _MAGIC + salt)


def open_sealed(sealed: bytes, phrase: str) -> bytes:
    """Return what was sealed. Raises LW433 for another passphrase, or another content."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    start = len(_MAGIC)
    salt, nonce = sealed[start : start + _SALT], sealed[start + _SALT : start + _SALT + _NONCE]
    try:
        if not sealed.startswith(_MAGIC) or len(nonce) < _NONCE:
            raise InvalidTag
        return AESGCM(_key(phrase, salt)).decrypt(nonce, sealed[start + _SALT + _NONCE :], _MAGIC + salt)
    except InvalidTag:
        raise RunError("LW433", "the keys cannot be opened with this passphrase") from None


def put_back(content: bytes, folder: Path, keep: Callable[[str, int, bytes], None]) -> list[str]:
    """Write the keys to *folder* and, by *keep*, to the keyring; a key that is there stays. Return those that differ."""
    bundle = msgspec.json.decode(content, type=Bundle)
    differ = []
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in bundle.files.items():
        if Path(name).name != name:
            raise RunError("LW434", f"the backup has a key of the impossible name {name!r}")
        file = folder / name
        if file.exists():
            if file.read_text("ascii") != text:
                differ.append(str(file))
            continue
        part = folder / f".{name}.{os.getpid()}"
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    for key, version, material in bundle.keyring:
        keep(key, version, base64.b64decode(material))
    return differ


def _key(phrase: str, salt: bytes) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=salt, length=32, n=_N, r=_R, p=_P).derive(phrase.encode())
