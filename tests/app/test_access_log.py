"""The log of what roles asked: what it says, that its entries are bound to each other, that it is there before an answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from access_shop import access_shop

import lakewright
from lakewright.app import access
from lakewright.app.platform import Platform
from lakewright.app.query import query
from lakewright.errors import LakewrightError


def test_the_log_of_queries(tmp_path: Path) -> None:
    folder = access_shop(tmp_path / "shop")
    with lakewright.open(folder.root) as owner:
        owner.run().raise_for_status()
    with lakewright.open(folder.root, user="alice") as handle:
        handle.sql(
            "select code from processed.orders where email = 'ann.private@example.org' -- HIDDENROW"
        ).fetchall()
        handle.sql("select day from curated.daily").fetchone()
        for bad in (
            "from vault.pins where pin = 'pin-4711'",
            "select nothing from curated.daily",
            "select '",
        ):
            with pytest.raises(LakewrightError):
                handle.sql(bad).fetchall()
    with lakewright.open(folder.root, role="auditor") as handle:
        handle.sql("select pin from vault.pins").to_arrow()
        for _ in handle.sql("from vault.pins"):
            break
    with Platform.open(folder.root) as platform:
        lines = access.audit_lines(platform)
        shown = [
            (one.user, one.action, one.role, dict(one.reads), one.rows, one.code, one.statement)
            for one in lines[::-1]
        ]
        me = lines[0].user
        assert shown == [
            ("alice", "query", "analyst", {"processed.orders": ("email", "code")}, 0, "", "select code from processed.orders where email = ?"),
            ("alice", "query", "analyst", {"curated.daily": ("day",)}, 1, "", "select day from curated.daily"),
            ("alice", "refused", "analyst", {"vault.pins": ()}, None, "LW821", "from vault.pins where pin = ?"),
            ("alice", "query", "analyst", {"curated.daily": ()}, 0, "LW907", "select nothing from curated.daily"),
            ("alice", "refused", "analyst", {}, None, "LW907", "(not understood)"),
            (me, "query", "auditor", {"vault.pins": ("pin",)}, 4, "", "select pin from vault.pins"),
            (me, "query", "auditor", {"vault.pins": tuple(lines[0].reads["vault.pins"])}, 4, "stopped", "from vault.pins"),
        ]  # fmt: skip
        assert [one.role for one in access.audit_lines(platform, user="alice", dataset="vault.pins")] == [
            "analyst"
        ]
        assert access.audit_lines(platform, since="1h") == lines
        assert access.audit_lines(platform, since="2020-01-01", limit=1) == lines[:1]
        assert access.audit_verify(platform).problems == ()
    with Platform.open(folder.root) as platform:
        with query(platform, "from vault.pins") as result:
            assert len(result.fetchall()) == 4
        assert access.audit_lines(platform) == lines
    # the owner's are written down where the project asks for it
    text = (folder / "lakewright.yaml").read_text()
    (folder / "lakewright.yaml").write_text(text.replace("access:\n", "access:\n  audit: all\n"))
    with lakewright.open(folder.root) as owner:
        owner.sql("select o.code from processed.orders o join curated.daily using (day)").fetchall()
        owner.sql("from raw.orders").fetchall()
        with pytest.raises(LakewrightError):
            owner.sql("from vault.pinz").fetchall()
    with Platform.open(folder.root) as platform:
        shown = [
            (one.user, one.role, dict(one.reads), one.rows, one.code)
            for one in access.audit_lines(platform, limit=3)
        ]
        assert shown == [
            (me, "owner", {"vault.pinz": ("*",)}, 0, "LW901"),
            (me, "owner", {"raw.orders": ("*",)}, 5, ""),
            (me, "owner", {"curated.daily": ("day",), "processed.orders": ("day", "code")}, 4, ""),
        ]
        assert access.audit_verify(platform).problems == ()


def test_who_is_killed_has_asked(tmp_path: Path) -> None:
    folder = access_shop(tmp_path / "shop")
    with lakewright.open(folder.root) as owner:
        owner.run().raise_for_status()
    program = (
        "import lakewright, time\n"
        f"with lakewright.open({str(folder.root)!r}, user='alice') as lw:\n"
        "    for row in lw.sql('select code from processed.orders'):\n"
        "        print(row, flush=True)\n"
        "        time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"('17',)\n"
        process.kill()
    with lakewright.open(folder.root) as owner:
        (line,) = owner.audit_log(user="alice", dataset="processed.orders", since="1h")
        assert (line.action, line.rows, line.statement) == (
            "query",
            None,
            "select code from processed.orders",
        )
    with Platform.open(folder.root) as platform:
        assert access.audit_verify(platform).problems == ()
