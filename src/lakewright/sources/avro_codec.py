"""Walk the blocks of an Avro container, and rewrite those packed by a codec that DuckDB lacks.

The layout is the object container file of the Avro 1.12 specification: ``Obj\\x01``, metadata map,
sync marker, then blocks of (count, size, bytes, sync marker); numbers are zig-zag varints.
"""

from __future__ import annotations

import bz2
import lzma
from pathlib import Path
from typing import BinaryIO

from lakewright.sources.text import Unreadable

__all__ = ["plain_avro"]

_MAGIC = b"Obj\x01"
#: Codecs that DuckDB's extension unpacks by itself.
_KNOWN = frozenset((b"null", b"deflate", b"snappy"))
_LARGEST = 1 << 31


def plain_avro(source: Path, target: Path) -> tuple[int, bool]:
    """Return the number of records that the block heads tell, and whether *target* was written.

    It is written, with the codec ``null``, when the file's codec is zstandard, bzip2 or xz. Raises
    :class:`Unreadable` for a broken or cut-off container.
    """
    with source.open("rb") as stream:
        if stream.read(4) != _MAGIC:
            raise Unreadable("not an Avro container file: it does not begin with Obj and version 1")
        meta = _metadata(stream)
        marker = _take(stream, 16)
        codec = meta.get(b"avro.codec", b"null") or b"null"
        if codec in _KNOWN:
            return _blocks(stream, marker, None, b""), False
        with target.open("wb") as out:
            out.write(_MAGIC + _header({**meta, b"avro.codec": b"null"}) + marker)
            return _blocks(stream, marker, out, codec), True


def _blocks(stream: BinaryIO, marker: bytes, out: BinaryIO | None, codec: bytes) -> int:
    total = 0
    while (head := stream.read(1)) != b"":
        count = _long(stream, head)
        size = _long(stream)
        if count < 0 or size < 0 or size > _LARGEST:
            raise Unreadable("the Avro file is broken: a block has an impossible size")
        data = _take(stream, size)
        if _take(stream, 16) != marker:
            raise Unreadable("the Avro file is broken: a block does not end with the file's marker")
        if out is not None:
            data = _unpack(data, codec)
            out.write(_varint(count) + _varint(len(data)) + data + marker)
        total += count
    return total


def _unpack(data: bytes, codec: bytes) -> bytes:
    try:
        if codec == b"zstandard":
            import pyarrow as pa

            with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
                return bytes(stream.read())
        if codec == b"bzip2":
            return bz2.decompress(data)
        if codec == b"xz":
            return lzma.decompress(data)
    except (OSError, ValueError, lzma.LZMAError) as error:
        raise Unreadable(f"the Avro file is broken: {error}") from None
    raise Unreadable(f"the Avro codec {codec.decode('ascii', 'replace')!r} is not supported")


def _metadata(stream: BinaryIO) -> dict[bytes, bytes]:
    meta: dict[bytes, bytes] = {}
    while count := _long(stream):
        if count < 0:
            count = -count
            _long(stream)  # a negative count is followed by the size in bytes
        for _ in range(min(count, 10_000)):
            key = _take(stream, _length(stream))
            meta[key] = _take(stream, _length(stream))
    return meta


def _header(meta: dict[bytes, bytes]) -> bytes:
    pairs = b"".join(_varint(len(key)) + key + _varint(len(value)) + value for key, value in meta.items())
    return _varint(len(meta)) + pairs + _varint(0)


def _length(stream: BinaryIO) -> int:
    size = _long(stream)
    if not 0 <= size <= 1 << 26:
        raise Unreadable("the Avro file is broken: its header has an impossible size")
    return size


def _long(stream: BinaryIO, head: bytes = b"") -> int:
    value = shift = 0
    while True:
        byte = (head or _take(stream, 1))[0]
        head = b""
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return (value >> 1) ^ -(value & 1)
        shift += 7
        if shift > 63:
            raise Unreadable("the Avro file is broken: a number has no end")


def _varint(value: int) -> bytes:
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _take(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise Unreadable("the Avro file is cut off")
    return data
