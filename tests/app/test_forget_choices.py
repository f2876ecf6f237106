"""What an erasure asks about: shared values, holds, files that nothing writes, tables that nobody declared, returns."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import pytest
from shop_folder import Folder

import lakewright
from lakewright.app import forget as verbs
from lakewright.app.export_subject import export_subject
from lakewright.app.forget import Forgotten, Options
from lakewright.app.lifecycle import hold, lifecycle, release, restore_archive
from lakewright.app.platform import Platform
from lakewright.engine.extensions import load
from lakewright.errors import LakewrightError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Customers, of whom 1 and 2 share an e-mail; their orders; and visits that know an e-mail only."""
    folder = Folder(tmp_path_factory.mktemp("choices") / "shop")
    folder.write(
        "lakewright.yaml",
        """
        name: choices
        subjects:
          customer:
            identifier: id
            datasets:
              raw.customers: {id: id, email: email}
              raw.visits: {email: email}
              processed.customers: {id: id, email: email}
              processed.visits: {email: email}
        """,
    )
    folder.write(
        "sources/shop.yaml",
        """
        kind: files
        path: in
        datasets:
          customers: {files: "customers-*"}
          visits: {files: "visits-*"}
        """,
    )
    folder.write(
        "datasets/processed/customers.yaml",
        """
        from: raw.customers
        columns:
          id: {type: bigint, key: true}
          email: {type: varchar, mask: token}
          name: {type: varchar, pii: name}
        write: {mode: merge}
        """,
    )
    folder.write(
        "datasets/processed/visits.yaml",
        """
        from: raw.visits
        columns: {visit: {type: bigint}, email: {type: varchar, mask: hash}, day: {type: date}}
        write: {mode: append, partition_by: [year(day)]}
        """,
    )
    folder.write(
        "datasets/curated/names.sql", "select name, count(*) as n from processed.customers group by name\n"
    )
    folder.write(
        "in/customers-1.csv",
        """
        id,email,name
        0001,family@ex.org,Ann Archer
        2,family@ex.org,Bob Archer
        3,cleo@ex.org,Cleo Carter
        4,dan@ex.org,Dan Dexter
        """,
    )
    folder.write(
        "in/visits-1.csv",
        """
        visit,email,day
        1,family@ex.org,2020-01-01
        2,cleo@ex.org,2020-01-01
        3,cleo@ex.org,2999-01-01
        4,dan@ex.org,2020-05-05
        """,
    )
    with lakewright.open(folder.root) as lw:
        lw.run().raise_for_status()
    return folder


@pytest.fixture
def shop(made: Folder, tmp_path: Path) -> Folder:
    shutil.copytree(made.root, tmp_path / "shop")
    return Folder(tmp_path / "shop")


def forget(folder: Folder, *names: str, **options: Any) -> Forgotten:
    with Platform.open(folder.root) as platform:
        return verbs.forget(platform, verbs.named_people(platform, names), Options(**options))


def ids(folder: Folder, id: str = "processed.customers", name: str = "id") -> list[Any]:
    with lakewright.open(folder.root) as lw:
        return [row[0] for row in lw.sql(f"select {name} from {id} order by 1").fetchall()]


def undeclared(folder: Folder) -> None:
    """Leave out the table that holds names and that nobody declared."""
    (folder / "datasets/curated/names.sql").unlink()
    with Platform.open(folder.root) as platform, platform.services.session.cursor() as cursor:
        platform.services.lake.drop_table(cursor, "curated.names")


def test_a_value_that_others_have_is_asked_about(shop: Folder) -> None:
    undeclared(shop)
    for name in ("customer=1", "customer.email=family@ex.org"):
        with pytest.raises(LakewrightError, match="LW812") as caught:
            forget(shop, name)
        assert "family" not in str(caught.value)
    assert ids(shop) == [1, 2, 3, 4]
    kept = Folder(shop.root.with_name("kept"))
    shutil.copytree(shop.root, kept.root)
    done = forget(kept, "customer=1", sharing="keep")
    assert done.complete
    assert (ids(kept), ids(kept, "raw.visits", "visit"), ids(kept, "raw.customers")) == (
        [2, 3, 4], ["1", "2", "3", "4"], ["2", "3", "4"],
    )  # fmt: skip
    done = forget(shop, "customer.email=family@ex.org", sharing="same")
    assert (done.people, ids(shop), ids(shop, "processed.visits", "visit")) == (2, [3, 4], [2, 3, 4])


def test_what_nobody_declared_is_found_and_named(shop: Folder) -> None:
    with pytest.raises(LakewrightError, match="LW813") as caught:
        forget(shop, "customer=3")
    assert "curated.names" in str(caught.value)
    assert ids(shop) == [1, 2, 3, 4]
    with pytest.raises(LakewrightError, match="LW814"):
        forget(shop, "customer=3", partial=True)
    assert ids(shop) == [1, 2, 4]
    # once it is declared, the same command ends what it began
    text = (shop / "lakewright.yaml").read_text()
    declared = "processed.customers: {id: id, email: email, name: name}\n      curated.names: {name: name}"
    shop.write("lakewright.yaml", text.replace("processed.customers: {id: id, email: email}", declared))
    assert forget(shop, "customer=3").complete
    assert ids(shop, "curated.names", "name") == ["Ann Archer", "Bob Archer", "Dan Dexter"]
    with Platform.open(shop.root) as platform:
        assert [one.complete for one in verbs.erasures(platform)] == [True]


def test_what_is_held_stays_until_it_is_released(shop: Folder) -> None:
    undeclared(shop)
    with Platform.open(shop.root) as platform:
        number = hold(platform, "processed.visits", "a case").id
    with pytest.raises(LakewrightError, match="LW813") as caught:
        forget(shop, "customer=3")
    assert "a case" in str(caught.value)
    with pytest.raises(LakewrightError, match="LW814"):
        forget(shop, "customer=3", partial=True)
    assert (ids(shop), ids(shop, "processed.visits", "visit")) == ([1, 2, 4], [1, 2, 3, 4])
    with Platform.open(shop.root) as platform:
        assert not verbs.erasures(platform)[0].complete
        release(platform, number)
        # what led from the number to the visits is gone, and still known
        assert [one.complete for one in verbs.resume(platform)] == [True]
    assert ids(shop, "processed.visits", "visit") == [1, 4]


def test_archives_are_written_anew(shop: Folder) -> None:
    undeclared(shop)
    with Platform.open(shop.root) as platform:
        assert [one.rows for one in lifecycle(platform) if one.action == "archive"] == [3]
    done = forget(shop, "customer=3")
    assert {(one.place, one.rows) for one in done.places} >= {("archive", 1)}
    assert done.complete
    with Platform.open(shop.root) as platform:
        assert restore_archive(platform, "processed.visits").rows == 2
    assert ids(shop, "processed.visits", "visit") == [1, 4]


def test_workbooks_go_as_a_whole_or_not_at_all(shop: Folder) -> None:
    undeclared(shop)
    values = "(5, 'cleo@ex.org', '2020-01-01'), (6, 'dan@ex.org', '2020-01-01')"
    _workbook(shop / "in/visits-2.xlsx", f"SELECT * FROM (VALUES {values}) t(visit, email, day)")
    with lakewright.open(shop.root) as lw:
        lw.run("+processed.visits").raise_for_status()
    with pytest.raises(LakewrightError, match="LW813"):
        forget(shop, "customer=3")
    assert forget(shop, "customer=3", drop_originals=True).complete
    assert not list((shop / "lake").rglob("*.xlsx"))
    with lakewright.open(shop.root) as lw:
        lw.run(full_refresh=True).raise_for_status()
    assert ids(shop, "processed.visits", "visit") == [1, 4, 6]


def test_who_was_forgotten_does_not_come_in_again(shop: Folder) -> None:
    undeclared(shop)
    assert forget(shop, "customer=3", "customer=4").people == 2
    shop.write("in/customers-2.csv", "id,email,name\n003,cleo@ex.org,Cleo Carter\n5,eve@ex.org,Eve Ellis\n")
    with lakewright.open(shop.root) as lw:
        report = lw.run().raise_for_status()
        assert "1 rows of people who were forgotten" in " ".join(report["processed.customers"].notes)
        assert (report["processed.customers"].rows, report["processed.customers"].removed) == (1, 1)
    assert ids(shop) == [1, 2, 5]
    with Platform.open(shop.root) as platform:
        groups = verbs.returned(platform)
        assert {one.value for one in groups[0]} == {"003", "cleo@ex.org"}
        assert verbs.forget(platform, groups[0]).complete
        assert verbs.returned(platform) == []
    assert "Cleo" not in "".join(one.read_text() for one in (shop / "lake/raw").rglob("customers-2.csv"))
    with Platform.open(shop.root) as platform:
        people = verbs.named_people(platform, ["customer=4", "customer.email=dan@ex.org"])
        assert verbs.readmit(platform, people) == 2
    shop.write("in/customers-3.csv", "id,email,name\n4,dan@ex.org,Dan Dexter\n")
    with lakewright.open(shop.root) as lw:
        lw.run().raise_for_status()
    assert ids(shop) == [1, 2, 4, 5]


def test_what_is_kept_is_handed_out(shop: Folder, tmp_path: Path) -> None:
    with Platform.open(shop.root) as platform:
        named = verbs.named_people(platform, ["customer=3"])
        with pytest.raises(LakewrightError, match="LW904"):
            export_subject(platform, named, tmp_path / "cleo", reason=" ")
        made = export_subject(platform, named, tmp_path / "cleo", reason="asked")
        export_subject(platform, named, tmp_path / "cleo.zip", reason="asked")
        with pytest.raises(LakewrightError, match="LW904"):
            export_subject(platform, named, tmp_path / "cleo", reason="asked")
        entry = next(iter(platform.audit.entries(1)))
    assert (entry.action, entry.reason) == ("export", "asked")
    assert {(one.dataset, one.rows) for one in made.parts} == {
        ("raw.customers", 1), ("raw.visits", 2), ("processed.customers", 1), ("processed.visits", 2),
    }  # fmt: skip
    files = {
        str(one.relative_to(tmp_path / "cleo")) for one in (tmp_path / "cleo").rglob("*") if one.is_file()
    }
    with zipfile.ZipFile(tmp_path / "cleo.zip") as archive:
        assert set(archive.namelist()) == files
    assert {one.stat().st_mode & 0o777 for one in (tmp_path / "cleo").rglob("*") if one.is_file()} == {0o600}
    assert (tmp_path / "cleo.zip").stat().st_mode & 0o777 == 0o600
    rows = json.loads((tmp_path / "cleo/table/processed.customers.json").read_text())
    assert [(row["id"], row["email"], row["name"]) for row in rows] == [(3, "cleo@ex.org", "Cleo Carter")]
    overview = (tmp_path / "cleo/overview.md").read_text()
    assert "`customers-1.csv`" in overview
    assert "shown here in clear: email" in overview
    assert not list(tmp_path.glob(".cleo*"))


def _workbook(path: Path, query: str) -> None:
    with duckdb.connect(config={"allow_unsigned_extensions": "true"}) as connection:
        load(connection, "excel")
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT xlsx, HEADER true)")


def test_who_is_in_earlier_versions_alone_is_erased_there(shop: Folder) -> None:
    undeclared(shop)
    for file in ("customers", "visits"):
        path = shop / f"in/{file}-1.csv"
        path.write_text("\n".join(one for one in path.read_text().splitlines() if "cleo" not in one) + "\n")
    with lakewright.open(shop.root) as lw:
        lw.run(full_refresh=True).raise_for_status()
        assert lw.sql("select count(*) from processed.customers where id = 3").fetchall() == [(0,)]
        versions = [one.id for one in lw.snapshots("processed.customers")]
        counts = [
            lw.sql("select count(*) from processed.customers where id = 3", as_of=one).fetchall()[0][0]
            for one in versions
        ]
        assert (counts[0], max(counts)) == (0, 1)
    done = forget(shop, "customer=3")
    assert {(one.place, one.rows) for one in done.places if one.rows} >= {("versions", 3)}
    assert done.complete
    assert not [
        one
        for one in shop.root.rglob("*")
        if one.is_file() and (shop / "in") not in one.parents and b"Cleo Carter" in one.read_bytes()
    ]


def test_numbers_are_found_where_lineage_leads(shop: Folder) -> None:
    undeclared(shop)
    shop.write(
        "datasets/curated/numbers.sql",
        "select id as member, count(*) as n from processed.customers group by id\n",
    )
    with lakewright.open(shop.root) as lw:
        lw.run("curated.numbers").raise_for_status()
    with pytest.raises(LakewrightError, match="LW813") as caught:
        forget(shop, "customer=3")
    assert "curated.numbers.member" in str(caught.value)
    text = (shop / "lakewright.yaml").read_text().rstrip()
    shop.write("lakewright.yaml", text + "\n      curated.numbers: {member: id}\n")
    assert forget(shop, "customer=3").complete
    assert ids(shop, "curated.numbers", "member") == [1, 2, 4]
