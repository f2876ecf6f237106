"""Shops that are backed up, destroyed and brought back."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from shop_folder import Folder
from shop_rounds import add_round, contents, make_shop

import lakewright
from lakes import lake_settings, s3
from lakewright.app.backup import create
from lakewright.app.platform import Platform
from lakewright.recovery.create import Made
from lakewright.spec.project import Lake

#: DuckLakes whose files, catalog and state lie in different places.
KINDS = [
    "sqlite",
    pytest.param("postgres", marks=pytest.mark.postgres),
    pytest.param("s3", marks=pytest.mark.s3),
]

#: What differs between a run that went on and one that was done again: nothing that belongs to the data.
MASKED = """
from: raw.customers
columns:
  customer_id: {type: bigint, key: true}
  name: {type: varchar, mask: hash}
  city: {type: varchar, mask: {token: {domain: city}}}
write: {mode: merge}
quality_threshold: 0
"""


def shop_of(root: Path, kind: str, request: pytest.FixtureRequest) -> Folder:
    """Write the shop of the rounds on a lake of *kind*, with a place for backups of the same kind."""
    lake, state, to = Lake(), "", str(root.with_name(f"{root.name}-backups"))
    if kind == "postgres":
        lake = lake_settings("ducklake-postgres", request)
        state = f"state: {request.getfixturevalue('postgres').database()}\n"
    elif kind == "s3":
        double = request.getfixturevalue("ministack")
        lake = Lake(path=f"s3://{double.bucket()}/shop", s3=s3(double))
        to = f"s3://{double.bucket()}/backups"
    values: dict[str, Any] = {k: v for k, v in msgspec.to_builtins(lake).items() if v is not None}
    folder = Folder(root)
    for key in ("key_id", "secret"):
        if "s3" in values:
            folder.write(f".secrets/S3_{key.upper()}", str(values["s3"][key]))
            values["s3"][key] = f"${{secret:S3_{key.upper()}}}"
    make_shop(root, f"lake: {json.dumps(values)}\n{state}backup: {{to: '{to}'}}\n")
    return folder


WITH_RULES = """
from: raw.orders
columns:
  order_id: {type: bigint, key: true}
  customer_id: {type: bigint}
  amount: {type: "decimal(10,2)"}
  updated_at: {type: timestamp}
steps:
  - deduplicate: {keys: [order_id], latest_by: updated_at}
write: {mode: merge}
expect:
  - references: {customer_id: processed.customers.customer_id}
quality_threshold: 0
"""


def make_backed_up(base: Path) -> None:
    """Make a shop with two rounds in files, a place beside it with one backup, and the shop as it is two rounds later."""
    folder = make_shop(base / "shop", "backup: {to: ../backups}\n")
    folder.write("datasets/processed/ruled.yaml", WITH_RULES)
    for number in (0, 1):
        next_round(folder, number)
    with lakewright.open(folder.root) as lw:
        lw.compact()
    back_up(folder)
    shutil.copytree(base / "shop", base / "undisturbed")
    for number in (3, 4):
        next_round(Folder(base / "undisturbed"), number)


def values(folder: Folder) -> dict[str, list[str]]:
    """The rows of every table without batches and times: those of a lake that was put back are others.

    Without those whose rows were judged by what was there when they were built.
    """
    with lakewright.open(folder.root) as lw:
        query = "SELECT COLUMNS(c -> c NOT IN ('_batch_id', '_ingested_at')) FROM {}"
        return {
            id: sorted(map(repr, lw.sql(query.format(id)).fetchall()))
            for id in lw._platform.project.datasets
            if id != "processed.ruled"
        }


def kept(root: Path) -> dict[str, Any]:
    """Everything that a shop holds but its warehouse, which a recovery leaves to the next run."""
    return {part: value for part, value in contents(root).items() if not part.startswith("bi.")}


def next_round(folder: Folder, number: int) -> None:
    """Put a round's files into the shop and build what they bring."""
    add_round(folder, number)
    with lakewright.open(folder.root) as lw:
        lw.run().raise_for_status()


def back_up(folder: Folder, **options: Any) -> Made:
    """Make a backup where the shop says."""
    with Platform.open(folder.root) as platform:
        return create(platform, **options)


def damage(dice: random.Random, file: Path) -> str:
    """Delete, cut off, flip a byte of, or empty a file; return what was done."""
    way = dice.choice(["delete", "cut", "flip", "empty"])
    content = file.read_bytes()
    if way == "delete" or not content:
        file.unlink()
    elif way == "cut":
        file.write_bytes(content[: dice.randrange(len(content))])
    elif way == "flip":
        place = dice.randrange(len(content))
        file.write_bytes(
            content[:place] + bytes([content[place] ^ (1 << dice.randrange(8))]) + content[place + 1 :]
        )
    else:
        file.write_bytes(b"")
    return f"{way} {file.name}"


def destroy(root: Path, dice: random.Random) -> list[str]:
    """Destroy parts of a shop's lake, catalog or state at random; return what was done."""
    done = []
    files = sorted(one for one in (root / "lake").rglob("*") if one.is_file() and "before-" not in str(one))
    for file in dice.sample(files, dice.randint(1, max(1, len(files) // 3))):
        done.append(damage(dice, file))
    for name in ("catalog.sqlite", "state.db"):
        if dice.random() < 0.4:
            for suffix in ("-wal", "-shm"):
                (root / ".lakewright" / f"{name}{suffix}").unlink(missing_ok=True)
            done.append(damage(dice, root / ".lakewright" / name))
    if dice.random() < 0.2:
        shutil.rmtree(root / dice.choice(["lake/tables", "lake/raw", ".lakewright"]), ignore_errors=True)
        done.append("a folder")
    return done
