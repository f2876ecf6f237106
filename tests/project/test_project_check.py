"""What is wrong between files: names, references, circles, and settings that do not go together."""

from __future__ import annotations

import pytest
from project_files import Write, all_problems

from lakewright.project import check, load

ORDERS = "datasets/processed/orders.yaml"
FROM = "from: raw.orders\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {ORDERS: "from: raw.order\n"},
            f"{ORDERS}:1: LW321 there is no dataset 'raw.order'; did you mean 'raw.orders'?",
        ),
        (
            {
                ORDERS: FROM + "expect:\n  - references:\n      a: processed.customer.id\n",
                "datasets/processed/customers.yaml": FROM,
            },
            f"{ORDERS}:4: LW321 there is no dataset 'processed.customer'; did you mean 'processed.customers'?",
        ),
        (
            {
                "datasets/curated/x.yaml": "depends_on:\n  - processed.orders\n  - curated.orders\n",
                "datasets/curated/x.sql": "select 1",
            },
            "datasets/curated/x.yaml:3: LW321 there is no dataset 'curated.orders'; did you mean 'raw.orders'?",
        ),
        ({ORDERS: "from: processed.orders\n"}, f"{ORDERS}:1: LW322 processed.orders is made of itself"),
        (
            {
                "datasets/processed/a.yaml": "\nfrom: processed.c\n",
                "datasets/processed/b.yaml": "from: processed.a\n",
                "datasets/processed/c.yaml": "from: processed.b\n",
            },
            "datasets/processed/a.yaml:2: LW322 datasets depend on each other in a circle: "
            "processed.a → processed.c → processed.b → processed.a",
        ),
        (
            {
                "sources/other.yaml": "kind: files\npath: in\ndatasets:\n  x: {files: a}\n  orders: {files: b}\n"
            },
            "sources/shop.yaml:4: LW123 raw.orders is defined in sources/other.yaml already",
        ),
        (
            {
                "lakewright.yaml": "name: x\nzones: {a: {}, a_b: {}}\n",
                "datasets/a/b_c.sql": "select 1",
                "datasets/a_b/c.sql": "select 1",
            },
            "datasets/a_b/c.sql: LW123 the refused rows of a_b.c and a.b_c would share quarantine.a_b_c",
        ),
        (
            {
                "sources/shop.yaml": "kind: files\npath: in\ndatasets:\n  orders: {files: a, format: parquet, options: {delimiter: ','}}\n"
            },
            "sources/shop.yaml:4: LW127 the format parquet has no option 'delimiter'",
        ),
        (
            {
                "sources/shop.yaml": "kind: files\npath: in\ndatasets:\n  orders: {files: a, columns: [a, a]}\n"
            },
            "sources/shop.yaml:4: LW127 a column is listed twice",
        ),
        (
            {
                "sources/erp.yaml": "kind: database\nconnection: sqlite:a.db\ndatasets:\n  t: {table: a, query: select 1}\n"
            },
            "sources/erp.yaml:4: LW127 one of `table` and `query` says what is read",
        ),
        (
            {
                "sources/erp.yaml": "kind: database\nconnection: sqlite:a.db\ndatasets:\n  t: {table: a, load: incremental}\n"
            },
            "sources/erp.yaml:4: LW127 `load: incremental` needs `cursor`, a column that grows with every change",
        ),
        (
            {
                "sources/erp.yaml": "kind: database\nconnection: sqlite:a.db\ndatasets:\n  t: {table: a, cursor: c}\n"
            },
            "sources/erp.yaml:4: LW127 `cursor` is for `load: incremental`",
        ),
        (
            {
                "sources/erp.yaml": "kind: database\nconnection: sqlite:a.db\ndatasets:\n  t: {table: a, load: incremental, cursor: c, deletes: by_key}\n"
            },
            "sources/erp.yaml:4: LW127 `deletes: by_key` needs `keys`",
        ),
        (
            {
                "sources/erp.yaml": "kind: database\nconnection: sqlite:a.db\ndatasets:\n  t: {table: a, keys: [k], columns: [c]}\n"
            },
            "sources/erp.yaml:4: LW127 'k' is not among `columns`",
        ),
        (
            {
                "sources/erp.yaml": "kind: database\nconnection: sqlite:a.db\ndatasets:\n  t: {query: select 1, slices: 2}\n"
            },
            "sources/erp.yaml:4: LW127 `slices` is for a table; the database runs a query as it is",
        ),
        (
            {ORDERS: FROM + "columns: {id: {type: int}}\nwrite: {delete_when: \"op = 'd'\"}\n"},
            f"{ORDERS}:3: LW127 `delete_when` is for mode merge",
        ),
        (
            {"lakewright.yaml": "name: x\nlake: {catalog: 'mysql:x'}\n"},
            "lakewright.yaml:2: LW127 a ducklake's catalog is sqlite:<file> or postgres:<connection string>",
        ),
        (
            {"lakewright.yaml": "name: x\nlake: {kind: iceberg, catalog: 'http://x'}\n"},
            "lakewright.yaml:2: LW127 an iceberg lake needs `warehouse`, its name in the REST catalog",
        ),
        (
            {"tests/a.yaml": "- {name: a, dataset: processed.order, given: {}, expect: []}\n"},
            "tests/a.yaml:1: LW321 there is no dataset 'processed.order'; did you mean 'processed.orders'?",
        ),
        (
            {"tests/a.yaml": "name: a\ndataset: raw.orders\ngiven: {}\nexpect: []\n"},
            "tests/a.yaml:2: LW127 raw.orders holds files; a test is for a dataset under datasets/",
        ),
        (
            {"tests/a.yaml": "name: a\ndataset: processed.orders\ngiven:\n  raw.others: []\nexpect: []\n"},
            "tests/a.yaml:4: LW321 there is no dataset 'raw.others'; did you mean 'raw.orders'?",
        ),
        (
            {
                "tests/a.yaml": "name: a\ndataset: processed.orders\ngiven: {processed.x: []}\nexpect: []\n",
                "datasets/processed/x.yaml": FROM,
            },
            "tests/a.yaml:3: LW127 processed.orders does not read processed.x; it reads raw.orders",
        ),
        (
            {"tests/a.yaml": "- &t {name: a, dataset: processed.orders, given: {}, expect: []}\n- *t\n"},
            "tests/a.yaml:1: LW123 the test 'a' exists already, at tests/a.yaml:1",
        ),
    ],
)
def test_between_files(write: Write, files: dict[str, str], expected: str) -> None:
    assert all_problems(write(files)) == [expected]


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("write:\n  mode: merge\n", 3, "LW127 mode merge needs to know which rows are the same"),
        ("write: {mode: scd2}\n", 2, "LW127 mode scd2 needs to know"),
        (
            "columns: {a: {key: true}}\nwrite: {mode: merge, keys: [b]}\n",
            3,
            "LW127 `write.keys` are b, but `key: true` marks a",
        ),
        ("write: {scd2: {changed_at: a}}\n", 2, "LW127 `write.scd2` is for mode scd2"),
        (
            "write: {mode: scd2, keys: [a], scd2: {track: [b, a]}}\n",
            2,
            "LW127 'a' is a key; keys do not change",
        ),
        (
            "write: {mode: scd2, keys: [a], scd2: {changed_at: b, track: [b]}}\n",
            2,
            "LW127 'b' is the time of the change",
        ),
        ("write: {mode: scd2, keys: [a], scd2: {changed_at: a}}\n", 2, "LW127 'a' is a key; the time"),
        (
            "write: {mode: scd2, keys: [a]}\ncolumns: {valid_to: {}}\n",
            3,
            "LW123 mode scd2 adds the column 'valid_to' itself",
        ),
        ("write: {partition_by: [a, A]}\n", 2, "LW127 'A' is listed twice under partition_by"),
        ("write: {keys: [a, a]}\n", 2, "LW127 'a' is listed twice under keys"),
        ("incremental: {lookback: 1d}\n", 2, "LW127 `lookback` goes back"),
        ("incremental: {column: a, enabled: false}\n", 2, "LW127 `enabled: false` reads everything"),
        ("incremental: {column: a}\nwrite: {mode: replace}\n", 2, "LW127 mode replace rebuilds"),
        ("columns:\n  a: {type: int, min: 5, max: 1}\n", 3, "LW129 columns.a: min 5 lies above max 1"),
        (
            "columns: {a: {type: date, min: 2024-02-01, max: 2024-01-31}}\n",
            2,
            "LW129 columns.a: min '2024-02-01' lies above",
        ),
        (
            "columns: {a: {type: date, min: 2024-02-30}}\n",
            2,
            "LW129 columns.a: min '2024-02-30' does not fit the type date",
        ),
        (
            "columns: {a: {type: int, min: a}}\n",
            2,
            "LW129 columns.a: min 'a' does not fit the type int: write a number",
        ),
        (
            "columns: {a: {type: varchar, max: 5}}\n",
            2,
            "LW129 columns.a: max 5 does not fit the type varchar",
        ),
        ("columns: {a: {type: boolean, max: true}}\n", 2, "LW129 columns.a: max True does not fit"),
        ("columns: {a: {min: 1, max: b}}\n", 2, "LW129 columns.a: min 1 and max 'b' are of different types"),
        ("columns: {a: {in: []}}\n", 2, "LW129 columns.a: `in` lists nothing"),
        ("columns: {a: {min_length: 3, max_length: 2}}\n", 2, "LW129 columns.a: min_length 3 lies above"),
        ("columns: {a: {format: '%d'}}\n", 2, "LW127 columns.a: `format` needs a `type`"),
        ("columns: {a: {type: int, format: '%d'}}\n", 2, "LW127 columns.a: `format` is for dates"),
        ("columns: {a: {}, A: {}}\n", 2, "LW123 the columns 'a' and 'A' differ in case only"),
        ("expect:\n  - row_count\n", 3, "LW129 row_count without `min` and `max` checks nothing"),
        ("expect:\n  - row_count: {min: 2, max: 1}\n", 3, "LW129 row_count: min 2 lies above max 1"),
        ("expect:\n  - unique: [a, A]\n", 3, "LW127 unique lists a column twice"),
        (
            "steps:\n  - drop: [a]\n  - select: [a]\n",
            4,
            "LW128 the column 'a' is no longer there: step 1 drops it",
        ),
        (
            "steps:\n  - rename: {a: b}\ncolumns: {a: {}}\n",
            4,
            "LW128 the column 'a' is no longer there: step 1 renames it to 'b'",
        ),
        (
            "steps:\n  - select: [order_id]\ncolumns:\n  order_ids: {}\n",
            5,
            "LW128 the steps produce no column 'order_ids'; did you mean 'order_id'?",
        ),
        (
            "steps:\n  - select: [a]\nwrite: {partition_by: [month(b)]}\n",
            4,
            "LW128 the steps produce no column 'b'",
        ),
        ("steps:\n  - select: [a]\nwrite: {sort_by: [b desc]}\n", 4, "LW128 the steps produce no column 'b'"),
        (
            "steps:\n  - aggregate: {by: [a], columns: {n: count(*)}}\nexpect:\n  - completeness:\n      m: 1\n",
            6,
            "LW128 the steps produce no column 'm'",
        ),
        ("steps:\n  - python: functions.clean:strip\n", 3, "LW124 there is no module 'functions.clean'"),
    ],
)
def test_in_one_dataset(write: Write, text: str, line: int, expected: str) -> None:
    (problem,) = all_problems(write({ORDERS: FROM + text}))
    assert problem.startswith(f"{ORDERS}:{line}: {expected}"), problem


@pytest.mark.parametrize(
    "text",
    [
        "steps:\n  - select: [a, b]\n  - derive: {c: a + b}\n  - date_parts: {column: a, parts: [year]}\n"
        "  - rename: {b: d}\ncolumns: {a: {}, c: {}, a_year: {}, d: {}}\nwrite: {partition_by: [a_year]}\n",
        "steps:\n  - select: [a]\n  - standardize_names\ncolumns: {b: {}}\n",
        "steps:\n  - select: [a]\n  - flatten: [a]\ncolumns: {a_x: {}}\n",
        "steps:\n  - drop: [a]\n  - derive: {a: 1 + 1}\ncolumns: {a: {}}\n",
        "steps:\n  - rename: {a: b, b: a}\ncolumns: {a: {}, b: {}}\n",
        "columns: {a: {type: 'decimal(10,2)', min: '0.01', max: 5}, b: {type: timestamptz, min: 2024-01-01, max: '2024-01-01T10:00:00Z'}}\n",
        "columns: {a: {type: 'int[]', min: x}}\n",
        "expect:\n  - fresh: {column: _ingested_at, within: 1d}\n",
        "columns: {a: {key: true}}\nwrite: {mode: merge}\nexpect:\n  - references: {b: processed.orders.a}\n",
        "write: {partition_by: [year(a), month(a)]}\n",
    ],
)
def test_what_is_right_is_left_alone(write: Write, text: str) -> None:
    assert all_problems(write({ORDERS: FROM + text})) == []


def test_refused_rows_can_be_read(write: Write) -> None:
    assert all_problems(write({"datasets/curated/bad.yaml": "from: quarantine.processed_orders\n"})) == []


def test_references_look_into_columns_that_are_known(write: Write) -> None:
    files = {
        "datasets/processed/customers.yaml": "from: raw.orders\nsteps:\n  - select: [customer_id]\n",
        ORDERS: FROM + "expect:\n  - references: {a: processed.customers.id}\n",
    }
    (problem,) = all_problems(write(files))
    assert problem == f"{ORDERS}:3: LW128 processed.customers has no column 'id'"


def test_functions_of_the_project_are_found_without_running_them(write: Write) -> None:
    files = {
        ORDERS: FROM + "steps:\n  - python: functions.clean:strip\n  - python: functions.clean:stripp\n"
        "  - python: broken:x\n  - python: json:dumps\n",
        "functions/clean.py": "raise SystemExit\ndef strip(table): ...\n",
        "broken.py": "def (:\n",
    }
    problems = all_problems(write(files))
    assert problems == [
        f"{ORDERS}:4: LW124 functions/clean.py has no function 'stripp'; did you mean 'strip'?",
        f"{ORDERS}:5: LW124 broken.py:1 is not valid Python: invalid syntax",
    ]


def test_references_to_what_is_broken_are_not_reported_again(write: Write) -> None:
    files = {
        "sources/shop.yaml": "kind: files\n",
        ORDERS: "from: raw.orders\nzzz: 1\n",
        "datasets/curated/x.yaml": "from: processed.orders\n",
        "datasets/curated/y.yaml": "from: processed.order\n",
        "tests/a.yaml": "name: a\ndataset: processed.orders\ngiven: {raw.orders: []}\nexpect: []\n",
    }
    codes = sorted(one.split()[1] for one in all_problems(write(files)))
    assert codes == ["LW103", "LW105", "LW105", "LW321"]


def test_every_circle_is_shown(write: Write) -> None:
    names = {f"datasets/processed/{a}.yaml": f"from: processed.{b}\n" for a, b in ("ab", "ba", "cd", "dc")}
    problems = all_problems(write(names))
    assert [one.rpartition(": ")[2] for one in problems] == [
        "processed.a → processed.b → processed.a",
        "processed.c → processed.d → processed.c",
    ]


def test_check_takes_a_loaded_project(write: Write) -> None:
    project = load(write({"datasets/curated/x.yaml": "from: raw.none\n"}), env={})
    assert [one.code for one in check(project)] == ["LW321"]
