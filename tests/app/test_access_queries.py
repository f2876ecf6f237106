"""What roles are shown: the permitted rows and columns and no others, kept results, other times, the log, refused doors."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest
from access_shop import HIDDEN, access_shop
from hypothesis import given, settings
from hypothesis import strategies as st

import lakewright
from lakewright.api.handle import Lakewright
from lakewright.app.platform import Platform, Restricted
from lakewright.errors import LakewrightError, NotFoundError, RunError, UsageError

VISIBLE = {
    "processed.orders": "select order_id, day, amount, region, repeat('*', length(email) - 4) || email[-4:] as email, code"
    " from processed.orders where region = 'EU'",
    "curated.daily": "select day, mails, amount from curated.daily",
    "curated.profiles": "select p.order_id, p.region, p.amount, null::struct(mail varchar, place varchar) as person, "
    "null::varchar[] as mails, repeat('*', length(last_mail) - 4) || last_mail[-4:] as last_mail, p.code "
    "from curated.profiles p where region = 'EU'",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop, built once; only to be read."""
    folder = access_shop(tmp_path_factory.mktemp("access") / "shop", "query_cache: {lifetime: 1h}\n")
    with lakewright.open(folder.root) as owner:
        owner.run().raise_for_status()
    return folder.root


@pytest.fixture(scope="module")
def alice(built: Path) -> Iterator[Lakewright]:
    """The analyst of Europe."""
    with lakewright.open(built, user="alice") as handle:
        yield handle


@pytest.fixture(scope="module")
def copy(built: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with only what the analyst may see, made by the owner by other words than the rules'."""
    with lakewright.open(built) as owner, duckdb.connect() as connection:
        for id, text in VISIBLE.items():
            connection.execute(f"create schema if not exists {id.partition('.')[0]}")
            connection.register("_rows", owner.sql(text).to_arrow())
            connection.execute(f"create table {id} as from _rows")
            connection.unregister("_rows")
        yield connection


def same(alice: Lakewright, copy: duckdb.DuckDBPyConnection, sql: str) -> None:
    """The role's answer is that of the copy, value by value; or both refuse."""
    try:
        wanted = copy.execute(sql).fetchall()
    except duckdb.Error:
        with pytest.raises(LakewrightError):
            alice.sql(sql).fetchall()
        return
    assert Counter(map(repr, alice.sql(sql).fetchall())) == Counter(map(repr, wanted)), sql


@pytest.mark.parametrize(
    "sql",
    [
        *(f"from {id}" for id in VISIBLE),
        "select region, count(*), sum(amount), avg(amount)::decimal(9, 3) from processed.orders group by all order by all",
        "select o.order_id, p.code, d.mails from processed.orders o join curated.profiles p using (order_id) "
        "left join curated.daily d on d.day = o.day where d.mails is not null order by 1",
        "select * from processed.orders o where exists (from curated.profiles p where p.order_id = o.order_id and p.code = '17')",
        "with t as materialized (from processed.orders), u as (select order_id from t where amount > 10) select count(*) from u, t",
        "select list(order_id order by order_id desc), string_agg(code, '-' order by code) from processed.orders",
        "select order_id, lag(amount) over w, rank() over (order by amount desc) from processed.orders window w as (order by order_id)",
        "select * from processed.orders qualify row_number() over (partition by region order by amount desc) = 1",
        "select list_filter(list_transform([1, 2, 3], lambda x: x * order_id), lambda y: y > 2) from processed.orders",
        "select [x * 2 for x in range(3) if x > 0], {'a': order_id}.a, map {'k': code}['k'] from processed.orders",
        "select date_trunc('month', day), strftime(day, '%Y/%m'), day + interval 1 day, extract(year from day) from processed.orders",
        "select email[1:3], code::int + 1, try_cast(code as date), coalesce(null, code), code like '1%', code in ('17') from processed.orders",
        "select regexp_replace(code, '1', 'x'), format('{}-{}', code, order_id), printf('%05d', order_id) from processed.orders",
        "select json_object('id', order_id), to_json(o), o.code from processed.orders o",
        "from (pivot processed.orders on region in ('EU', 'US') using sum(amount) group by order_id)",
        "unpivot (select order_id, amount::varchar as amount, code from processed.orders) on amount, code into name n value v",
        "select columns('^(order_id|code)$') from processed.orders",
        "select * from processed.orders asof join curated.daily using (day)",
        "select a.order_id, b.order_id from processed.orders a positional join curated.profiles b",
        "select order_id from processed.orders union all by name select order_id from curated.profiles",
        "select order_id from processed.orders intersect select order_id from curated.profiles where amount > 11",
        "select grouping(region), region, count(*) from processed.orders group by rollup (region)",
        "select count(*) filter (where amount > 11), quantile_cont(amount, 0.5), arg_max(code, amount) from processed.orders",
        "with recursive n as (select 1 as i union all select i + 1 from n where i < 3) select i, count(*) from n, processed.orders group by i",
        "select t.a, t.b from processed.orders as t(a, b, c, d, e, f)",
        "select distinct on (region) region, first(amount order by order_id) from processed.orders group by region",
        "select case when amount > 11 then 'much' else 'little' end, nullif(code, '17'), greatest(order_id, 3) from processed.orders",
        "select * from (values (1, 'a'), (2, 'b')) v(id, name) left join processed.orders on id = order_id",
        "select unnest(generate_series(1, order_id)), x from processed.orders, unnest([1, 2]) as u(x)",
    ],
)  # fmt: skip
def test_queries_of_every_form(alice: Lakewright, copy: duckdb.DuckDBPyConnection, sql: str) -> None:
    copy.execute(sql)  # the query itself is right
    same(alice, copy, sql)


_COLUMN = st.sampled_from(
    ["order_id", "day", "amount", "region", "email", "code", "mails", "last_mail", "salary", "double_pay"]
)
_CONDITION = st.one_of(
    st.sampled_from(["true", "region = 'US'", "region = 'EU'", "cast(code as int) > 17", "amount > 11", "order_id <= 2", "day > '2024-01-01'", "code in ('17', 'HIDDENROW2')", "order_id between 2 and 9", "3 = order_id", "email like '%.org'"]),
    _COLUMN.map("{} is not null".format),
    st.sampled_from(["order_id in (select order_id from curated.profiles)", "exists (from curated.daily d where d.mails > 0)"]),
)  # fmt: skip
_SOURCE = st.sampled_from(
    [
        *VISIBLE,
        "processed.orders o",
        "processed.orders join curated.profiles using (order_id)",
        "processed.orders natural join curated.daily",
        "processed.orders a, curated.daily b",
        "processed.orders o left join curated.profiles p on o.order_id = p.order_id and p.amount > 11",
        "(select * exclude (day) from processed.orders)",
        "(from processed.orders where region = 'EU' limit 100)",
    ]
)
_SHOWN = st.one_of(
    st.just("*"),
    st.lists(_COLUMN, min_size=1, max_size=3, unique=True).map(", ".join),
    _COLUMN.map("count(*), count(distinct {0}), min({0}), max({0})".format),
)


@settings(max_examples=60, deadline=None)
@given(
    shown=_SHOWN,
    source=_SOURCE,
    conditions=st.lists(_CONDITION, max_size=2),
    other=_SOURCE,
    form=st.integers(0, 3),
)
def test_any_query_is_answered_as_over_a_copy_of_what_is_permitted(
    alice: Lakewright,
    copy: duckdb.DuckDBPyConnection,
    shown: str,
    source: str,
    conditions: list[str],
    other: str,
    form: int,
) -> None:
    where = f" where {' and '.join(conditions)}" if conditions else ""
    core = f"select {shown} from {source}{where}"
    sql = [
        core,
        f"with c as ({core}) select count(*) from c",
        f"select count(*) from ({core}) union all select count(*) from {other}",
        f"select (select count(*) from {other}), x.* from ({core}) x",
    ][form]
    same(alice, copy, sql)


def test_masks_hash_and_band(built: Path) -> None:
    with lakewright.open(built, role="hasher") as handle, lakewright.open(built) as owner:
        rows = handle.sql("select email, salary from processed.orders order by order_id").fetchall()
        assert {len(email) for email, _ in rows} == {64}
        assert [salary for _, salary in rows] == [77000, 88000, 77000, 88000]
        assert len({email for email, _ in rows}) == 4
        assert handle.sql("from processed.orders where email like '%@%'").count() == 0
        assert owner.sql("from processed.orders where email like '%@%'").count() == 4


def test_conditions_that_look_elsewhere_and_users_with_several_roles(built: Path) -> None:
    ids = "select list(order_id order by order_id) from processed.orders"
    with lakewright.open(built, user="mia") as handle:
        # Europe is mia's by a table that says so, whatever her attribute
        assert handle.sql(ids).fetchone() == ([1, 3],)
        assert "salary" in handle.table("processed.orders").columns
        assert {"_batch_id", "_source_file"} <= set(handle.table("processed.orders").columns)
    with lakewright.open(built, user="mia", role="analyst") as handle:
        assert handle.sql(ids).fetchone() == ([2, 4],)
    with lakewright.open(built, role="manager", attributes={"user": "noah"}) as handle:
        assert handle.sql(ids).fetchone() == ([2, 4],)
    with lakewright.open(built, role="auditor") as handle:
        assert handle.sql("from raw.orders").count() == 5
        assert handle.sql("from quarantine.processed_orders").count() == 1
        assert handle.sql("select pin from vault.pins limit 1").fetchone() == ("pin-4711",)


def test_who_cannot_be_acted_as(built: Path) -> None:
    for arguments, word in (
        ({"role": "analist"}, "did you mean 'analyst'"),
        ({"user": "alic"}, "did you mean 'alice'"),
        ({"user": "alice", "role": "manager"}, "may not act as 'manager'"),
        ({"user": "alice", "attributes": {"region": "US"}}, "are those of lakewright.yaml"),
        ({"attributes": {"region": "US"}}, "none is chosen"),
    ):
        with pytest.raises(UsageError, match=word) as caught:
            lakewright.open(built, **arguments)  # type: ignore[arg-type]
        assert caught.value.code == "LW824"
    with lakewright.open(built, role="analyst") as handle, pytest.raises(UsageError) as caught:
        handle.sql("from processed.orders").fetchall()
    assert caught.value.code == "LW825"
    with lakewright.open(built, role="analyst", attributes={"region": "EU' or '1' = '1"}) as handle:
        assert handle.sql("from processed.orders").count() == 0


def test_the_environment_chooses_too(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEWRIGHT_USER", "alice")
    with lakewright.open(built) as handle:
        assert handle.sql("from processed.orders").count() == 2
        with pytest.raises(UsageError, match="LW823"):
            handle.run()
    # a variable that a script forgot to set makes nobody the owner
    monkeypatch.setenv("LAKEWRIGHT_USER", "")
    with pytest.raises(UsageError, match="LW824"):
        lakewright.open(built)
    monkeypatch.delenv("LAKEWRIGHT_USER")
    with pytest.raises(UsageError, match="the role to act as is empty"):
        lakewright.open(built, role="")
    folder = access_shop(tmp_path / "shop")
    (folder / ".env").write_text("LAKEWRIGHT_ROLE=analyst\n")
    with lakewright.open(folder.root) as handle:
        assert sorted(handle.tables()) == ["curated.daily", "curated.profiles", "processed.orders"]


def test_what_else_is_open_shows_no_more_than_queries_do(alice: Lakewright) -> None:
    assert set(alice.tables()) == {"processed.orders", "curated.daily", "curated.profiles"}
    found = {one.dataset: one for one in alice.catalog()}
    assert set(found) == set(alice.tables())
    orders = found["processed.orders"]
    assert [one.name for one in orders.columns] == ["order_id", "day", "amount", "region", "email", "code"]
    assert (orders.rows, orders.bytes, orders.score, orders.location, orders.upstream) == (
        None,
        None,
        None,
        "",
        (),
    )
    assert found["curated.daily"].rows == 3 + 1
    assert alice.catalog("salary") == []
    assert alice.catalog("pins") == []
    assert alice.table("daily").entry.dataset == "curated.daily"
    for hidden in ("raw.orders", "pins", "processed.regions"):
        with pytest.raises(NotFoundError):
            alice.table(hidden)
    assert [one.role for one in alice.access()] == ["analyst"]
    assert "salary" not in str(alice.access("analyst"))
    with pytest.raises(UsageError, match="LW823"):
        alice.access("manager")
    assert "alice" not in repr(alice)
    assert "analyst" in repr(alice)


def test_every_other_door_is_shut(alice: Lakewright, built: Path) -> None:
    doors = {
        "run": (), "plan": (), "audit": (), "report": (), "contract": ("processed.orders",), "runs": (), "logs": (), "pii": (),
        "keys": (), "rotate_key": (), "snapshots": (), "cache": (), "compact": (), "lifecycle": (),
        "archives": (), "who": ("processed.orders",), "audit_log": (), "ingest": ("raw.orders", {"order_id": 1}), "restore_archive": ("processed.orders",),
        "run_detail": (), "verify": (), "verify_audit": (),
    }  # fmt: skip
    verbs = {one for one in dir(Lakewright) if not one.startswith("_") and callable(getattr(Lakewright, one))}
    assert verbs - doors.keys() == {
        "sql",
        "table",
        "tables",
        "catalog",
        "lineage",
        "quality",
        "profile",
        "access",
        "close",
        "reveal",
        "restore",
    }
    for name, arguments in doors.items():
        with pytest.raises(UsageError) as caught:
            getattr(alice, name)(*arguments)
        assert caught.value.code == "LW823", name
    for call in (
        lambda: alice.reveal(["x"], reason="y"),
        lambda: alice.restore(to=1),
        lambda: alice.project,
        lambda: alice.backups.create("../away"),
        lambda: alice.backups.list("../away"),
        lambda: alice.backups.show(place="../away"),
        lambda: alice.backups.verify(place="../away"),
        lambda: alice.backups.prune(1, place="../away"),
        lambda: alice.backups.recover("processed.orders", place="../away"),
        lambda: alice.backups.recover_files(place="../away"),
        lambda: alice.people.forget("customer=1"),
        lambda: alice.people.resume(),
        lambda: alice.people.forget_returned(),
        lambda: alice.people.readmit("customer=1"),
        lambda: alice.people.erasures(),
        lambda: alice.people.verify("record.json"),
        lambda: alice.people.export("customer=1", to="all.zip", reason="x"),
        lambda: alice.holds.add("processed.orders", "x"),
        lambda: alice.holds.list(),
        lambda: alice.holds.release(1),
        lambda: alice.sources.list(),
        lambda: alice.sources.resnapshot("files"),
        lambda: alice.sources.remove("files"),
    ):
        with pytest.raises(UsageError, match="LW823"):
            call()
    with Platform.open(built) as owner:
        # a property that is added to what is opened has to be thought about for roles
        own = {name for name, one in vars(Platform).items() if not name.startswith("_")}
    assert own - {"open", "close"} == {
        "project", "resolve", "graph", "state", "journal", "keys", "audit", "vault", "services", "scratch",
        "query_cache", "dataset_id",
    }  # fmt: skip
    restricted = alice._platform
    assert isinstance(restricted, Restricted)
    for name in own - {"open", "close", "resolve", "dataset_id"}:
        with pytest.raises(UsageError, match="LW823"):
            getattr(restricted, name)
    assert owner is not restricted


def test_what_goes_wrong_inside_tells_nothing(tmp_path: Path) -> None:
    folder = access_shop(tmp_path / "shop")
    text = (folder / "lakewright.yaml").read_text()
    (folder / "lakewright.yaml").write_text(
        text.replace(
            "processed.orders: region = attribute('region')", "processed.orders: cast(code as int) > 0"
        )
    )
    with lakewright.open(folder.root) as owner:
        owner.run().raise_for_status()
    with lakewright.open(folder.root, user="alice") as handle:
        with pytest.raises(RunError) as caught:
            handle.sql("from processed.orders").fetchall()
        assert caught.value.code == "LW826"
        assert not any(one in str(caught.value) for one in (*HIDDEN, str(folder.root)))
    shutil.rmtree(folder / "lake")
    with lakewright.open(folder.root, role="auditor") as handle:
        with pytest.raises(RunError) as caught:
            handle.sql("from raw.orders").fetchall()
        assert caught.value.code == "LW826"
        assert str(folder.root) not in str(caught.value)


def test_kept_results_are_those_of_the_same_rights(built: Path) -> None:
    sql = "select count(*), min(order_id) from processed.orders"
    with lakewright.open(built) as owner:
        before = owner.cache(clear=True) and owner.cache().hits
        everything = owner.sql(sql).fetchone()
        with lakewright.open(built, user="alice") as alice, lakewright.open(built, user="mia") as mia:
            for _ in range(2):
                assert alice.sql(sql).fetchone() == (2, 1)
                assert owner.sql(sql).fetchone() == everything == (4, 1)
                assert mia.sql(sql).fetchone() == (2, 1)
        with lakewright.open(built, role="analyst", attributes={"region": "US"}) as us:
            assert us.sql(sql).fetchone() == (2, 2)
            assert us.sql(sql).fetchone() == (2, 2)
        # the owner twice more, alice and us once more; mia's rows follow from another table
        assert owner.cache().hits - before == 4


def test_other_times(tmp_path: Path) -> None:
    folder = access_shop(tmp_path / "shop")
    with lakewright.open(folder.root) as owner:
        owner.run().raise_for_status()
        first = owner.snapshots("processed.orders")[0].id
        # a column that goes away is nobody's to see any more: its classification went with it
        yaml = folder / "datasets/processed/orders.yaml"
        yaml.write_text(
            yaml.read_text()
            .replace("from: raw.orders\n", "from: raw.orders\nsteps: [{drop: [salary]}]\n")
            .replace("  salary: {type: bigint, classification: secret}\n", "")
        )
        (folder / "datasets/curated/profiles.sql").write_text(
            "select order_id, region from processed.orders\n"
        )
    with lakewright.open(folder.root) as owner:
        owner.run(full_refresh=True).raise_for_status()
        assert "salary" in owner.table("processed.orders", first).columns
    with lakewright.open(folder.root, user="alice") as handle:
        assert handle.table("processed.orders", first).columns == [
            "order_id",
            "day",
            "amount",
            "region",
            "email",
            "code",
        ]
        assert handle.table("processed.orders").as_of(first).count() == 2
        with pytest.raises(LakewrightError) as caught:
            handle.sql("from processed.orders", as_of=1_000_000).fetchall()
        assert caught.value.code in ("LW415", "LW826")


def test_many_ask_at_once(built: Path) -> None:
    sql = "select list(order_id order by order_id) from processed.orders where order_id > 0 and $n > 0"
    asking = [
        ({"user": "alice"}, [1, 3]),
        ({"user": "mia"}, [1, 3]),
        ({"role": "analyst", "attributes": {"region": "US"}}, [2, 4]),
        ({"role": "auditor"}, [1, 2, 3, 4]),
        ({}, [1, 2, 3, 4]),
    ]

    def ask(arguments: dict[str, object]) -> list[list[int]]:
        with lakewright.open(built, **arguments) as handle:  # type: ignore[arg-type]
            return [handle.sql(sql, {"n": number}).fetchall()[0][0] for number in range(1, 5)]

    with ThreadPoolExecutor(len(asking)) as pool:
        found = list(pool.map(ask, (arguments for arguments, _ in asking)))
    assert found == [[ids] * 4 for _, ids in asking]
