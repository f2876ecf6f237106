"""What files become, and every way in which one can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from project_files import Write, found

from lakewright.errors import ProjectError
from lakewright.project import find, load
from lakewright.spec.dataset import Column, Dataset
from lakewright.spec.expectations import Completeness, Condition, References, RowCount
from lakewright.spec.project import Project
from lakewright.spec.steps import Cast, Deduplicate, Derive, Filter, NormalizeText, Rename, StandardizeNames

ORDERS = "datasets/processed/orders.yaml"


def orders(project: Project) -> Dataset:
    return project.datasets["processed.orders"]


def test_a_whole_project(write: Write) -> None:
    root = write(
        {
            "lakewright.yaml": "name: shop\nlake: {path: data}\ndefaults: {quality_threshold: 1}\n",
            ORDERS: """\
description: One row per order.
from: raw.orders
steps:
  - standardize_names
  - rename: {a: b}
  - rename: {columns: {c: d}}
  - deduplicate: {keys: [order_id], latest_by: updated_at}
  - derive: {total: quantity * unit_price}
  - filter: total > 0
  - normalize_text:
  - normalize_text: [a, b]
  - normalize_text: {columns: [a], case: lower}
  - cast: {a: date, b: {type: date, format: "%d/%m/%Y"}}
columns:
  order_id: {type: bigint, key: true}
  status: {type: varchar, in: [new, paid, no, 1, 2.5, true]}
  day: {type: date, min: 2020-01-01}
write: {mode: merge, partition_by: [year(day), "bucket(4, order_id)"]}
expect:
  - row_count: {min: 1}
  - references: {order_id: raw.orders.id}
  - references: {columns: {order_id: raw.orders.id}, severity: warn}
  - completeness: {status: 1}
  - condition: status <> 'x'
quality_threshold: 0.5
""",
            "datasets/curated/totals.sql": "select 1 as one\n",
            "datasets/curated/made.py": "def build(orders, raw_orders, other=1): ...\n",
            "tests/a.yaml": "- {name: t, dataset: processed.orders, given: {raw.orders: [{id: 1, d: 2024-01-01}]}, expect: []}\n",
            "tests/b.yaml": "name: u\ndataset: processed.orders\ngiven: {raw.orders: []}\nexpect: [{id: '${X}'}]\n",
        }
    )
    project = load(root, env={})
    assert project.root == str(root)
    assert project.target == "default"
    assert project.file.lake.path == "data"
    assert project.file.defaults.quality_threshold == 1.0
    assert project.raw == {"raw.orders": "shop"}
    assert project.source_paths == {"shop": "sources/shop.yaml"}
    file = orders(project).file
    assert file.from_ == "raw.orders"
    assert file.steps == (
        StandardizeNames(),
        Rename(columns={"a": "b"}),
        Rename(columns={"c": "d"}),
        Deduplicate(keys=("order_id",), latest_by="updated_at"),
        Derive(columns={"total": "quantity * unit_price"}),
        Filter(where="total > 0"),
        NormalizeText(),
        NormalizeText(columns=("a", "b")),
        NormalizeText(columns=("a",), case="lower"),
        Cast(columns={"a": "date", "b": {"type": "date", "format": "%d/%m/%Y"}}),
    )
    assert file.columns["order_id"] == Column(type="bigint", key=True)
    assert file.columns["status"].in_ == ("new", "paid", "no", 1, 2.5, True)
    assert file.columns["day"].min == "2020-01-01"
    assert file.expect == (
        RowCount(min=1),
        References(columns={"order_id": "raw.orders.id"}),
        References(columns={"order_id": "raw.orders.id"}, severity="warn"),
        Completeness(columns={"status": 1.0}),
        Condition(sql="status <> 'x'"),
    )
    totals = project.datasets["curated.totals"]
    assert (totals.sql, totals.sql_path, totals.path) == (
        "select 1 as one\n",
        "datasets/curated/totals.sql",
        "datasets/curated/totals.sql",
    )
    made = project.datasets["curated.made"]
    assert made.python is not None
    assert made.python.startswith("def build")
    assert made.sql_path == "datasets/curated/made.py"
    assert made.file.depends_on == ("processed.orders", "raw.orders")
    first, second = project.tests
    assert first.given == {"raw.orders": ({"id": 1, "d": "2024-01-01"},)}
    assert (first.path, second.path) == ("tests/a.yaml", "tests/b.yaml")
    # Rows of tests are data: nothing in them is a reference.
    assert second.expect == ({"id": "${X}"},)


@pytest.mark.parametrize(
    ("text", "line", "code", "words"),
    [
        ("from: raw.orders\ncolums: {}\n", 2, "LW103", "did you mean 'columns'?"),
        ("from: raw.orders\nzzz: {}\n", 2, "LW103", "unknown key 'zzz'"),
        ("from: raw.orders\nowner: 5\n", 2, "LW104", "owner: expected text, got the number 5"),
        ("from: raw.orders\nowner:\n", 2, "LW104", "expected text, got nothing"),
        ("from: raw.orders\nowner: [a]\n", 2, "LW104", "expected text, got a list"),
        ("from: raw.orders\nfrom: raw.orders\n", 2, "LW110", "first in line 1"),
        (
            "from: raw.orders\ncolumns:\n  a: {type: int}\n  a: {type: int}\n",
            4,
            "LW110",
            "columns: the key 'a'",
        ),
        ("from: raw.orders\ncolumns: {a: {type: [int]}}\n", 2, "LW104", "columns.a.type: expected text"),
        ("from: raw.orders\ncolumns: {a: {type: bigit}}\n", 2, "LW104", "did you mean 'bigint'?"),
        ("from: raw.orders\ncolumns: {a: {type: 'decimal(40,2)'}}\n", 2, "LW104", "1 to 38 digits"),
        ("from: raw.orders\ncolumns: {a: {type: 'struct(a int'}}\n", 2, "LW104", "not closed"),
        (
            "from: raw.orders\ncolumns: {a: {key: yes}}\n",
            2,
            "LW104",
            "expected true or false, got the text 'yes'",
        ),
        ("from: raw.orders\ncolumns: {a: {pattern: '(a'}}\n", 2, "LW104", "regular expression"),
        ("from: raw.orders\ncolumns: {a: {pattern: '(?=a)'}}\n", 2, "LW104", "look-around"),
        ("from: raw.orders\ncolumns: {_a: {type: int}}\n", 2, "LW122", "does not start with _"),
        ("from: raw.orders\ncolumns:\n  a:\n", 3, "LW104", "expected a mapping with the keys type"),
        ("from: raw.orders\ncolumns: [a]\n", 2, "LW104", "expected a mapping"),
        ("from: orders\n", 1, "LW104", "zone.name"),
        ("from: raw.orders\nwrite: {mode: mrege}\n", 2, "LW104", "did you mean 'merge'?"),
        ("from: raw.orders\nwrite: {partition_by: [years(a)]}\n", 2, "LW104", "year(c)"),
        ("from: raw.orders\ntimeout: soon\n", 2, "LW104", "length of time"),
        ("from: raw.orders\nretention: never\n", 2, "LW104", "or forever"),
        ("from: raw.orders\nquality_threshold: 95\n", 2, "LW104", "a number from 0 to 1"),
        ("from: raw.orders\nquality_threshold: .nan\n", 2, "LW104", "a number from 0 to 1"),
        ("from: raw.orders\nretry: {attempts: 0}\n", 2, "LW104", "whole number from 1"),
        ("from: raw.orders\nretry: {attempts: 1.5}\n", 2, "LW104", "whole number from 1"),
        ("from: raw.orders\nsteps: standardize_names\n", 2, "LW104", "expected a list"),
        ("from: raw.orders\nsteps:\n  - dedupe\n", 3, "LW103", "unknown step 'dedupe'"),
        (
            "from: raw.orders\nsteps:\n  - deduplicat: {keys: [a]}\n",
            3,
            "LW103",
            "did you mean 'deduplicate'?",
        ),
        ("from: raw.orders\nsteps:\n  - rename\n", 3, "LW105", "rename needs a value"),
        ("from: raw.orders\nsteps:\n  - aggregate\n", 3, "LW105", "aggregate needs settings: by, columns"),
        ("from: raw.orders\nsteps:\n  - aggregate: {by: [a]}\n", 3, "LW105", "'columns' is missing"),
        ("from: raw.orders\nsteps:\n  - []\n", 3, "LW104", "expected a step"),
        ("from: raw.orders\nsteps:\n  - {}\n", 3, "LW104", "empty mapping"),
        ("from: raw.orders\nsteps:\n  - filter: a\n    where: b\n", 3, "LW104", "expected one key"),
        (
            "from: raw.orders\nsteps:\n  - select: []\n",
            3,
            "LW104",
            "steps[1].select: expected a list of text, got an",
        ),
        (
            "from: raw.orders\nsteps:\n  - deduplicate: [a]\n",
            3,
            "LW104",
            "expected a mapping with the keys keys",
        ),
        (
            "from: raw.orders\nsteps:\n  - cast: {a: dat}\n",
            3,
            "LW104",
            "steps[1].cast.a: expected a SQL type",
        ),
        ("from: raw.orders\nsteps:\n  - cast: {a: {typ: date}}\n", 3, "LW103", "did you mean 'type'?"),
        ("from: raw.orders\nsteps:\n  - python: clean\n", 3, "LW104", "module:function"),
        ("from: raw.orders\nexpect:\n  - row_count: {min: -1}\n", 3, "LW104", "whole number from 0"),
        ("from: raw.orders\nexpect:\n  - rowcount: {min: 1}\n", 3, "LW103", "did you mean 'row_count'?"),
        ("from: raw.orders\nexpect:\n  - references: {a: customers}\n", 3, "LW104", "zone.dataset.column"),
        ("from: raw.orders\nexpect:\n  - fresh: {column: a, within: 2}\n", 3, "LW104", "expected text"),
        ("from: raw.orders\nexpect:\n  - condition: {sql: a, mostly: 2}\n", 3, "LW104", "from 0 to 1"),
        ("from: raw.orders\n? [a]\n: b\n", 2, "LW104", "expected a name"),
        ("from: raw.orders\n~: b\n", 2, "LW104", "expected a name"),
        ("from: raw.orders\n<<: 5\n", 2, "LW103", "unknown key '<<'"),
        ("just text\n", 1, "LW104", "expected a mapping"),
        ("- a\n", 1, "LW104", "expected a mapping"),
        ("# nothing\n", 1, "LW121", "nothing says what this dataset is made of"),
        ("description: x\n", 1, "LW121", "nothing says"),
        ("from: raw.orders\ndepends_on: [raw.orders]\n", 1, "LW120", "depends_on"),
    ],
)
def test_one_mistake_is_one_problem_at_its_line(
    write: Write, text: str, line: int, code: str, words: str
) -> None:
    problems = found(write({ORDERS: text}))
    assert len(problems) == 1, problems
    assert str(problems[0].where) == f"{ORDERS}:{line}"
    assert problems[0].code == code
    assert words in problems[0].message


def test_a_setting_among_the_names_of_the_short_form_gets_a_hint(write: Write) -> None:
    (problem,) = found(
        write({ORDERS: "from: raw.orders\nexpect:\n  - completeness: {email: 0.9, severity: warn}\n"})
    )
    assert problem.remedy == "put the names under `columns:` to set 'severity' as well"


@pytest.mark.parametrize(
    ("files", "place", "code", "words"),
    [
        ({"lakewright.yaml": "nam: x\n"}, "lakewright.yaml:1", "LW103", "'nam'; did you mean 'name'?"),
        ({"lakewright.yaml": ""}, "lakewright.yaml:1", "LW105", "'name' is missing"),
        (
            {"lakewright.yaml": "name: x\nzones: {raw2: {}, lake: {}}\n"},
            "lakewright.yaml:2",
            "LW122",
            "reserved",
        ),
        ({"lakewright.yaml": "name: x\nstate: mysql://x\n"}, "lakewright.yaml:2", "LW104", "sqlite:<file>"),
        ({"lakewright.yaml": "name: x\nengine: {memory_limit: lots}\n"}, "lakewright.yaml:2", "LW104", "2GB"),
        ({"lakewright.yaml": b"\xff"}, "lakewright.yaml:1", "LW102", "UTF-8"),
        (
            {"sources/shop.yaml": "path: in\ndatasets: {a: {files: x}}\n"},
            "sources/shop.yaml:1",
            "LW105",
            "kind",
        ),
        (
            {"sources/shop.yaml": "kind: carrier_pigeon\npath: in\ndatasets: {a: {files: x}}\n"},
            "sources/shop.yaml:1",
            "LW104",
            "kind: expected one of files",
        ),
        (
            {"sources/shop.yaml": "kind: files\npath: in\ndatasets: {}\n"},
            "sources/shop.yaml:3",
            "LW104",
            "got an empty one",
        ),
        (
            {"sources/shop.yaml": "kind: files\npath: in\ndatasets: {A b: {files: x}}\n"},
            "sources/shop.yaml:3",
            "LW122",
            "snake_case",
        ),
        (
            {"sources/shop.yaml": "kind: files\npath: in\ndatasets: {a: {files: 5}}\n"},
            "sources/shop.yaml:3",
            "LW104",
            "text or a list of text",
        ),
        (
            {
                "sources/shop.yaml": "kind: files\npath: in\ndatasets: {a: {files: x, options: {encoding: klingon}}}\n"
            },
            "sources/shop.yaml:3",
            "LW104",
            "an encoding",
        ),
        (
            {"sources/Shop.yaml": "kind: files\npath: in\ndatasets: {a: {files: x}}\n"},
            "sources/Shop.yaml",
            "LW122",
            "name",
        ),
        ({"sources/shop.yml": ""}, "sources/shop.yml", "LW113", ".yml are not read"),
        ({"sources/shop.json": ""}, "sources/shop.json", "LW113", ".json are not read"),
        ({"datasets/orders.yaml": "from: raw.orders\n"}, "datasets/orders.yaml", "LW113", "no zone"),
        ({"datasets/raw/x.sql": "select 1"}, "datasets/raw", "LW122", "cannot be a zone"),
        ({"datasets/curatd/x.sql": "select 1"}, "datasets/curatd", "LW122", "did you mean 'curated'?"),
        ({"datasets/curated/_x.sql": "select 1"}, "datasets/curated/_x.sql", "LW122", "snake_case"),
        ({"datasets/curated/deep/x.sql": "select 1"}, "datasets/curated/deep/x.sql", "LW113", "too deep"),
        ({"datasets/curated/x.csv": "a"}, "datasets/curated/x.csv", "LW113", ".csv are not read"),
        ({"datasets/curated/x.sql": " \n"}, "datasets/curated/x.sql", "LW121", "empty"),
        ({"datasets/curated/x.sql": b"select '\xe9'"}, "datasets/curated/x.sql:1", "LW102", "UTF-8"),
        (
            {"datasets/curated/x.sql": "select 1", "datasets/curated/x.py": "def build(): ..."},
            "datasets/curated/x.sql:1",
            "LW120",
            "both",
        ),
        ({"datasets/processed/orders.sql": "select 1"}, f"{ORDERS}:1", "LW120", "`from` and"),
        (
            {
                "datasets/curated/x.yaml": "steps: [standardize_names]\n",
                "datasets/curated/x.sql": "select 1",
            },
            "datasets/curated/x.yaml:1",
            "LW120",
            "`steps` cannot follow",
        ),
        (
            {"tests/a.yaml": "- {name: a, dataset: x.y, given: {}, expect: []}\n- {name: b}\n"},
            "tests/a.yaml:2",
            "LW105",
            "[2]: the key 'dataset'",
        ),
        (
            {"tests/a.yaml": "- {name: a, dataset: x.y, given: {}, expect: [], path: z}\n"},
            "tests/a.yaml:1",
            "LW103",
            "path",
        ),
        (
            {"tests/a.yaml": "- {name: a, dataset: x.y, given: {b: []}, expect: []}\n"},
            "tests/a.yaml:1",
            "LW122",
            "zone.name",
        ),
        ({"tests/a.yaml": "text\n"}, "tests/a.yaml:1", "LW104", "expected a mapping"),
    ],
)
def test_mistakes_in_other_files(
    write: Write, files: dict[str, str | bytes | None], place: str, code: str, words: str
) -> None:
    problems = found(write(files))
    assert any((str(p.where), p.code) == (place, code) and words in p.message for p in problems), problems


def test_every_problem_is_told_at_once(write: Write) -> None:
    problems = found(
        write(
            {
                "lakewright.yaml": "name: x\nlak: {}\n",
                "sources/shop.yaml": "kind: files\n",
                ORDERS: "from: raw.orders\nsteps: [a, b]\ncolumns: {a: {type: x, key: 5}}\n",
                "datasets/curated/x.sql": "",
            }
        )
    )
    assert [(str(p.where), p.code) for p in problems] == [
        ("datasets/curated/x.sql", "LW121"),
        (f"{ORDERS}:2", "LW103"),
        (f"{ORDERS}:2", "LW103"),
        (f"{ORDERS}:3", "LW104"),
        (f"{ORDERS}:3", "LW104"),
        ("lakewright.yaml:2", "LW103"),
        ("sources/shop.yaml:1", "LW105"),
        ("sources/shop.yaml:1", "LW105"),
    ]


def test_declared_zones_hold_datasets(write: Write) -> None:
    root = write({"lakewright.yaml": "name: x\nzones: {staging: {}}\n", "datasets/staging/a.sql": "select 1"})
    assert "staging.a" in load(root, env={}).datasets


def test_what_editors_and_systems_leave_behind_is_no_problem(write: Write) -> None:
    root = write(
        {
            "datasets/README.md": "x",
            "datasets/curated/.x.sql.swp": "x",
            "datasets/curated/x.sql~": "x",
            "datasets/curated/notes.md": "x",
            "datasets/curated/__init__.py": "",
            "datasets/curated/__pycache__/x.pyc": "x",
            "tests/test_functions.py": "x",
            "tests/__pycache__/a.py": "x",
        }
    )
    assert found(root) == []


def test_find_looks_upwards(write: Write, tmp_path: Path) -> None:
    root = write({"a/b/c.txt": ""})
    assert find(root / "a" / "b") == root
    with pytest.raises(ProjectError, match="LW101"):
        find(Path("/"))
    with pytest.raises(ProjectError, match="LW101"):
        load(root / "a", env={})


def test_the_query_of_a_yaml_may_be_beside_it(write: Write) -> None:
    root = write({"datasets/curated/x.yaml": "# as the query says\n", "datasets/curated/x.sql": "select 1"})
    dataset = load(root, env={}).datasets["curated.x"]
    assert dataset.path == "datasets/curated/x.yaml"
    assert dataset.sql_path == "datasets/curated/x.sql"


def test_anchors_share_settings(write: Write) -> None:
    text = "from: raw.orders\ncolumns:\n  a: &money {type: 'decimal(10,2)', min: 0}\n  b: *money\n  c: {<<: *money, max: 5}\n"
    columns = orders(load(write({ORDERS: text}), env={})).file.columns
    assert columns["a"] == columns["b"]
    assert (columns["c"].min, columns["c"].max) == (0, 5)
