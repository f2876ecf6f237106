"""Where keys are kept: a file, the operating system's keyring, a file wrapped by AWS KMS, or a secret of yours."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from lakewright.errors import LakewrightError, RunError
from lakewright.spec.project import Key

__all__ = ["KEY_BYTES", "FileStore", "KeyStore", "open_store"]

#: 256 bits: the length of HMAC-SHA-256's output, and an AES-256 key.
KEY_BYTES = 32

_SERVICE = "lakewright"


class KeyStore(Protocol):
    """Keeps keys by name and version."""

    #: Whether the store can make keys; one that cannot is given them.
    makes: bool

    def get(self, name: str, version: int) -> bytes | None:
        """Return the key, None when it is not there. Raises LW805 when the place cannot be read."""

    def put(self, name: str, version: int, key: bytes) -> None:
        """Keep *key*. What is there already stays and is no error: read it afterwards."""

    def place(self, name: str, version: int) -> str:
        """Return where the key is, for people; never the key."""


def open_store(name: str, spec: Key, *, root: Path, project: str, resolve: Callable[[str], str]) -> KeyStore:
    """Return the store that *spec* asks for."""
    folder = root / ".lakewright" / "keys"
    if spec.store == "secret":
        return _SecretStore(spec.secret or "", resolve)
    if spec.store == "keyring":
        return _KeyringStore(project)
    if spec.store == "kms":
        return _KmsStore(folder, spec)
    return FileStore(folder)


class FileStore:
    """One file per key and version under ``.lakewright/keys``, readable by its owner alone (mode 0600)."""

    makes = True
    suffix = ".key"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str, version: int) -> bytes | None:
        path = self._path(name, version)
        try:
            text = path.read_text("ascii")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise _unusable(
                f"{path} cannot be read: {getattr(error, 'strerror', None) or 'no text'}"
            ) from None
        return self._unwrap(text, name, version)

    def put(self, name: str, version: int, key: bytes) -> None:
        path = self._path(name, version)
        text = self._wrap(key, name, version)
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # complete before it has its name, and the name is taken only where it is free
            part = self.folder / f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}"
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(handle, "w") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):
                    os.link(part, path)
            finally:
                part.unlink(missing_ok=True)
            _sync(self.folder)
        except OSError as error:
            raise _unusable(f"the key cannot be kept in {path}: {error.strerror}") from None

    def place(self, name: str, version: int) -> str:
        return str(self._path(name, version))

    def _path(self, name: str, version: int) -> Path:
        return self.folder / f"{name}.{version}{self.suffix}"

    def _wrap(self, key: bytes, name: str, version: int) -> str:
        return key.hex() + "\n"

    def _unwrap(self, text: str, name: str, version: int) -> bytes:
        return _from_hex(text, str(self._path(name, version)))


class _KmsStore(FileStore):
    """A file whose content AWS KMS has wrapped: without leave to use the KMS key, it is of no use.

    The encryption context binds it to its name and version.
    """

    suffix = ".kms"

    def __init__(self, folder: Path, spec: Key) -> None:
        super().__init__(folder)
        self.spec = spec

    def _wrap(self, key: bytes, name: str, version: int) -> str:
        found = self._ask(
            "encrypt", KeyId=self.spec.kms_key, Plaintext=key, EncryptionContext=_context(name, version)
        )
        return base64.b64encode(found["CiphertextBlob"]).decode() + "\n"

    def _unwrap(self, text: str, name: str, version: int) -> bytes:
        try:
            blob = base64.b64decode(text, validate=False)
        except ValueError:
            raise _unusable(f"{self._path(name, version)} holds no wrapped key") from None
        found = self._ask(
            "decrypt", KeyId=self.spec.kms_key, CiphertextBlob=blob, EncryptionContext=_context(name, version)
        )
        key: bytes = found["Plaintext"]
        return key

    def _ask(self, what: str, **arguments: object) -> dict[str, bytes]:
        try:
            import boto3  # type: ignore[import-untyped]
            from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
        except ImportError:
            raise _unusable("the key service needs boto3: pip install 'lakewright[aws]'") from None
        try:
            client = boto3.client("kms", endpoint_url=self.spec.endpoint, region_name=self.spec.region)
            found: dict[str, bytes] = getattr(client, what)(**arguments)
        except (BotoCoreError, ClientError) as error:
            code = type(error).__name__
            if isinstance(error, ClientError):
                code = str(error.response.get("Error", {}).get("Code", code))
            raise _unusable(f"the key service refuses to {what} with {self.spec.kms_key}: {code}") from None
        return found


def _context(name: str, version: int) -> dict[str, str]:
    return {"lakewright:key": name, "lakewright:version": str(version)}


class _KeyringStore:
    makes = True

    def __init__(self, project: str) -> None:
        self.project = project

    def get(self, name: str, version: int) -> bytes | None:
        keyring, errors = self._keyring()
        try:
            text = keyring.get_password(_SERVICE, self._user(name, version))
        except errors as error:
            raise _unusable(f"the keyring cannot be read: {type(error).__name__}") from None
        return None if text is None else _from_hex(text, self.place(name, version))

    def put(self, name: str, version: int, key: bytes) -> None:
        if self.get(name, version) is not None:
            return
        keyring, errors = self._keyring()
        try:
            keyring.set_password(_SERVICE, self._user(name, version), key.hex())
        except errors as error:
            raise _unusable(f"the keyring takes no key: {type(error).__name__}") from None

    def place(self, name: str, version: int) -> str:
        return f"keyring entry {_SERVICE} / {self._user(name, version)}"

    def _user(self, name: str, version: int) -> str:
        return f"{self.project}/{name}/{version}"

    def _keyring(self) -> tuple[Any, Any]:
        try:
            import keyring
            from keyring.errors import KeyringError
        except ImportError:
            raise _unusable("the keyring needs a package: pip install 'lakewright[keyring]'") from None
        return keyring, KeyringError


class _SecretStore:
    makes = False

    def __init__(self, reference: str, resolve: Callable[[str], str]) -> None:
        self.reference = reference
        self.resolve = resolve

    def get(self, name: str, version: int) -> bytes | None:
        try:
            text = self.resolve(self.reference)
        except LakewrightError as error:
            if error.code == "LW109":
                return None
            raise
        return _from_hex(text, f"the secret of key {name!r}")

    def put(self, name: str, version: int, key: bytes) -> None:
        raise AssertionError("a secret is given, not made")

    def place(self, name: str, version: int) -> str:
        return self.reference


def _from_hex(text: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise _unusable(f"{where} does not hold {2 * KEY_BYTES} hexadecimal digits")
    return key


def _unusable(message: str) -> LakewrightError:
    return RunError("LW805", message)


def _sync(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
