"""What roles may read: extending, classifications that follow values, masks, and mistakes told with their place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakewright.plan.access import Rights, rights
from lakewright.plan.check_access import access_notes, access_problems
from lakewright.plan.classify import Classes
from lakewright.project.loader import load
from lakewright.spec.access import Access, AccessRole
from lakewright.spec.mask import Band, Hash, LastFour, Mask, Null
from lakewright.spec.project import Project, ProjectFile, Zone

NAMES = st.sampled_from(["public", "internal", "personal", "secret", "unclassified", "*"])
MASKS: list[Mask] = [Hash(), LastFour(), Null(), Band(width=5)]


def of(role: str = "r", zones: dict[str, Zone] | None = None, **roles: AccessRole) -> Rights:
    """The rights of *role*."""
    return rights(ProjectFile(name="x", zones=zones or {}, access=Access(roles=roles)), role)


def test_what_is_not_given_is_not_read() -> None:
    own = of(r=AccessRole(zones=("curated",), datasets=("processed.dim_*", "*.orders")))
    assert own.reads("curated.daily")
    assert own.reads("processed.dim_day")
    assert own.reads("processed.orders")
    for id in (
        "processed.customers",
        "raw.orders",
        "raw.x",
        "quarantine.curated_daily",
        "lakewright.checkpoints",
        "ops.runs",
    ):
        assert not own.reads(id)
    every = of(r=AccessRole(datasets=("*.*",), columns=("*",)))
    assert every.reads("raw.orders")
    assert every.reads("quarantine.processed_orders")
    assert not every.reads("ops.runs")
    assert not every.reads("lakewright.checkpoints")


def test_columns_without_words_are_those_without_classification() -> None:
    own = of(r=AccessRole(zones=("curated",)))
    assert own.treatment(()) == "clear"
    assert own.treatment(("internal",)) == "hidden"
    named = of(r=AccessRole(zones=("curated",), columns=("Internal",)))
    assert (named.treatment(("internal",)), named.treatment(())) == ("clear", "hidden")
    # a role that extends another adds nothing by saying nothing
    child = of("c", r=AccessRole(columns=("internal",)), c=AccessRole(extends=("r",)))
    assert child.treatment(()) == "hidden"


def test_the_strictest_of_several_classifications_counts() -> None:
    own = of(
        r=AccessRole(
            columns=("internal", "unclassified"), masks={"personal": Hash(), "money": Band(width=10)}
        )
    )
    assert own.treatment(("internal", "personal")) == Hash()
    assert own.treatment(("personal", "money")) == Null()
    assert own.treatment(("personal", "secret")) == "hidden"


def test_own_words_win_over_those_of_extended_roles() -> None:
    base = AccessRole(
        columns=("internal",), masks={"personal": Hash()}, rows={"curated.a": "true", "curated.b": "false"}
    )
    child = AccessRole(
        extends=("base",), columns=("personal",), masks={"internal": Null()}, rows={"curated.b": "true"}
    )
    own = of("child", base=base, child=child)
    assert (own.treatment(("personal",)), own.treatment(("internal",))) == ("clear", Null())
    assert own.conditions("curated.b") == {"curated.b": "true"}
    assert own.conditions("curated.a") == {"curated.a": "true"}
    assert own.conditions("processed.a") == {}


def test_readers_of_a_zone_are_the_only_ones() -> None:
    zones = {"vault": Zone(readers=("boss",))}
    roles = {"boss": AccessRole(zones=("vault",)), "r": AccessRole(datasets=("*.*",))}
    assert of("boss", zones, **roles).reads("vault.pins")
    assert not of("r", zones, **roles).reads("vault.pins")
    assert of("r", zones, **roles).reads("curated.pins")


@given(
    parents=st.lists(st.tuples(st.lists(NAMES, max_size=3), st.dictionaries(NAMES.filter(lambda n: n != "*"), st.sampled_from(MASKS), max_size=2)), max_size=3),
    classes=st.lists(NAMES.filter(lambda n: n != "*"), max_size=3),
)  # fmt: skip
def test_extending_never_shows_less(
    parents: list[tuple[list[str], dict[str, Mask]]], classes: list[str]
) -> None:
    order = {"hidden": 0, "mask": 1, "clear": 2}

    def rank(own: Rights) -> int:
        found = own.treatment(classes)
        return order["mask" if isinstance(found, Mask) else found]

    roles = {
        f"p{number}": AccessRole(
            columns=tuple(columns), masks={name: mask for name, mask in masks.items() if name not in columns}
        )
        for number, (columns, masks) in enumerate(parents)
    }
    together = of("child", child=AccessRole(extends=tuple(roles)), **roles)
    if roles:
        # `*` beside a mask of one's own leaves the mask; without that, the union is at least each of them
        plain = {name: one for name, one in roles.items() if not one.masks}
        for name in plain if len(plain) == len(roles) else ():
            assert rank(together) >= rank(of(name, **roles))


PROJECT = {
    "lakewright.yaml": "name: x\n",
    "sources/f.yaml": "kind: files\npath: in\ndatasets: {people: {files: 'p*.csv', columns: [id, mail, pay, kind]}}\n",
    "datasets/processed/people.yaml": """\
from: raw.people
columns:
  id: {type: bigint, key: true}
  mail: {type: varchar, pii: email}
  pay: {type: 'decimal(10,2)', classification: Secret}
  kind: {type: varchar}
write: {mode: merge}
""",
    "datasets/curated/a.sql": """\
select id, upper(mail) as shout, mail || pay as both, max(mail) over () as biggest, kind, md5(mail) as digest, 1 as one
from processed.people
""",
    "datasets/curated/b.sql": "select kind, max(shout) as m, count(shout) as n, sum(one) as s from curated.a group by kind\n",
    "datasets/curated/c.yaml": "columns: {shout: {type: varchar, classification: public}}\n",
    "datasets/curated/c.sql": "select * from curated.a\n",
    "datasets/curated/d.py": "def build(people):\n    return people\n",
}


def project(root: Path, access: str = "", **files: str) -> Project:
    """A project of people in *root*."""
    for path, text in {**PROJECT, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "lakewright.yaml").write_text(f"name: x\n{access}")
    return load(root)


def test_classifications_follow_values(tmp_path: Path) -> None:
    classes = Classes(project(tmp_path))
    found = {
        id: {name: sorted(classes.of(id, name)) for name in names}
        for id, names in {
            "processed.people": ["id", "mail", "pay", "kind"],
            "curated.a": ["shout", "both", "biggest", "kind", "digest", "one"],
            "curated.b": ["kind", "m", "n", "s"],
            "curated.c": ["shout", "both"],
            "curated.d": ["mail", "kind"],
        }.items()
    }
    assert found == {
        "processed.people": {"id": [], "mail": ["personal"], "pay": ["secret"], "kind": []},
        "curated.a": {
            "shout": ["personal"],
            "both": ["personal", "secret"],
            "biggest": ["personal"],
            "kind": [],
            "digest": ["personal"],
            "one": [],
        },
        "curated.b": {"kind": [], "m": ["personal"], "n": [], "s": []},
        "curated.c": {"shout": ["public"], "both": ["personal", "secret"]},
        "curated.d": {"mail": ["personal"], "kind": []},
    }
    assert classes.declared() == {
        "personal": ["processed.people.mail"], "secret": ["processed.people.pay"], "public": ["curated.c.shout"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ("{roles: {r: {zones: [curatd]}}}", "LW820 access.roles.r: there is no zone 'curatd'; did you mean 'curated'?"),
        ("{roles: {r: {zones: [ops]}}}", "LW820 access.roles.r: 'ops' is for the owner alone"),
        ("{roles: {r: {zones: [raw]}}}", "LW820 access.roles.r: columns of raw have no classification, so a role that does not see every column cannot read them"),
        ("{roles: {r: {datasets: [curated.aa]}}}", "LW321 access.roles.r: there is no dataset 'curated.aa'; did you mean 'curated.a'?"),
        ("{roles: {r: {datasets: [curated.x_*]}}}", "LW321 access.roles.r: no dataset matches 'curated.x_*'"),
        ("{roles: {r: {zones: [curated], rows: {processed.peple: 'true'}}}}", "LW321 access.roles.r: there is no dataset 'processed.peple'; did you mean 'processed.people'?"),
        ("{roles: {r: {zones: [curated], rows: {curated.b: 'kin = 1'}}}}", "LW305 access.roles.r.rows: curated.b has no column 'kin'; did you mean 'kind'? (curated.b)"),
        ("{roles: {r: {zones: [curated], rows: {curated.b: 'kind = '}}}}", "LW301 access.roles.r.rows: the SQL cannot be parsed"),
        ("{roles: {r: {zones: [curated], rows: {curated.b: 'attribute(kind) = 1'}}}}", "LW301 access.roles.r.rows: ATTRIBUTE(kind): an attribute is asked for by attribute('name')"),
        ("{roles: {r: {zones: [curated], rows: {curated.b: \"getenv('x') = kind\"}}}}", "LW303 access.roles.r.rows: getenv() is not allowed"),
        ("{roles: {r: {zones: [curated], rows: {curated.b: \"kind in (select kind from processed.peopl)\"}}}}", "LW321 access.roles.r.rows: there is no dataset 'processed.peopl'; did you mean 'processed.people'?"),
        ("{roles: {r: {zones: [curated], rows: {curated.b: \"kind in (select kind from raw.people)\"}}}}", "LW820 access.roles.r.rows: a condition looks into tables, not into files (raw.people)"),
        ("{roles: {r: {zones: [curated], rows: {curated.b: \"kind in (select kin from processed.people)\"}}}}", ""),
        ("{roles: {r: {zones: [curated], rows: {curated.b: \"kind in (select x from curated.b)\"}}}}", "LW305 access.roles.r.rows: there is no column 'x' here (curated.b)"),
        ("{roles: {r: {extends: [s]}, t: {zones: [curated]}}}", "LW820 access.roles.r: there is no role 's'"),
        ("{roles: {r: {extends: [t]}, t: {extends: [r]}}}", "LW820 roles extend each other in a circle: r → t → r"),
        ("{roles: {r: {description: x}}}", "LW820 access.roles.r: the role reads nothing"),
        ("{roles: {r: {zones: [curated], columns: [a], masks: {A: hash}}}}", "LW120 access.roles.r: 'A' is seen clear by `columns` and masked by `masks`"),
        ("{roles: {r: {zones: [curated], masks: {'*': hash}}}}", "LW820 access.roles.r: masks are by classification; `*` is none"),
        ("{roles: {r: {zones: [curated], masks: {a: token}}}}", "LW801 access.roles.r: tokens are made when rows are stored, not when they are read"),
        ("{roles: {r: {zones: [curated], masks: {a: {hash: {key: kye}}}}}}", "LW807 access.roles.r: lakewright.yaml has no key 'kye'"),
        ("{roles: {r: {zones: [curated]}}, users: {u: {roles: [q]}}}", "LW820 access.users.u: there is no role 'q'"),
        ("{roles: {r: {zones: [curated]}}, users: {u: {roles: [r], attributes: {user: x}}}}", "LW820 access.users.u: the attribute 'user' is there by itself"),
        ("{roles: {r: {zones: [curated]}}}\nzones: {curated: {readers: [r, q]}}", "LW820 zones.curated.readers: there is no role 'q'"),
        ("{roles: {r: {zones: [curated]}, q: {zones: [processed]}}}\nzones: {curated: {readers: [q]}}", "LW820 access.roles.r: zones.curated.readers leaves the role out"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(tmp_path: Path, access: str, said: str) -> None:
    found = access_problems(project(tmp_path, f"access: {access}\n"))
    texts = [f"{one.code} {one.message}" for one in found]
    assert [text.startswith(said) for text in texts] == ([True] if said else []), texts
    assert all(
        one.where is not None and one.where.path == "lakewright.yaml" and one.where.line >= 2 for one in found
    )


def test_what_is_worth_a_look(tmp_path: Path) -> None:
    given = project(
        tmp_path,
        """\
zones: {curated: {readers: [s]}}
access:
  roles:
    r: {zones: [processed], columns: [unclassified, persnal], rows: {processed.people: "kind = attribute('kind')"}}
    s: {datasets: [processed.people]}
  users:
    u: {roles: [r], attributes: {king: x}}
""",
    )
    assert list(access_notes(given)) == [
        "zones.curated.readers: role 's' reads nothing of the zone; give it `zones: [curated]`",
        "access.roles.r: no column is classified as 'persnal'; did you mean 'personal'?",
        "access.roles.r: no user of the role has the attribute 'kind'",
        "access: no role sees columns classified as 'personal', such as processed.people.mail",
        "access: no role sees columns classified as 'public', such as curated.c.shout",
        "access: no role sees columns classified as 'secret', such as processed.people.pay",
    ]
