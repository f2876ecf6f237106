"""Targets replace settings key by key; which one is chosen; mistakes in those that are not."""

from __future__ import annotations

from project_files import Write, found

from lakewright.project import load

FILE = """\
name: shop
lake:
  path: lake
  s3: {region: eu-west-1, endpoint: "localhost:9000"}
engine: {threads: 2}
targets:
  dev: {}
  prod:
    lake:
      path: s3://bucket/${NAMESPACE}
      s3: {endpoint: null}
    state: postgresql://host/db
    defaults: {retry: {attempts: 7}}
"""


def test_a_target_replaces_key_by_key(write: Write) -> None:
    root = write({"lakewright.yaml": FILE})
    env = {"NAMESPACE": "x"}
    base = load(root, env=env)
    assert (base.target, base.file.lake.path) == ("default", "lake")
    assert load(root, "dev", env).file.lake == base.file.lake
    prod = load(root, "prod", env)
    assert prod.target == "prod"
    assert prod.file.lake.path == "s3://bucket/x"
    assert prod.file.lake.catalog == base.file.lake.catalog
    assert prod.file.lake.s3 is not None
    assert (prod.file.lake.s3.region, prod.file.lake.s3.endpoint) == ("eu-west-1", None)
    assert prod.file.state == "postgresql://host/db"
    assert prod.file.engine.threads == 2
    assert (prod.file.defaults.retry.attempts, prod.file.defaults.retry.wait) == (7, "1s")
    assert set(prod.file.targets) == {"dev", "prod"}


def test_who_chooses_the_target(write: Write) -> None:
    root = write({"lakewright.yaml": FILE + "default_target: dev\n"})
    env = {"NAMESPACE": "x"}
    assert load(root, env=env).target == "dev"
    assert load(root, env={**env, "LAKEWRIGHT_TARGET": "prod"}).target == "prod"
    assert load(root, "dev", {**env, "LAKEWRIGHT_TARGET": "prod"}).target == "dev"
    write({"lakewright.yaml": FILE, ".env": "LAKEWRIGHT_TARGET=prod\n"})
    assert load(root, env=env).target == "prod"


def test_variables_of_other_targets_need_not_be_set(write: Write) -> None:
    root = write({"lakewright.yaml": FILE})
    assert found(root) == []
    (problem,) = found(root, "prod")
    assert (str(problem.where), problem.code) == ("lakewright.yaml:10", "LW106")


def test_what_a_target_replaces_needs_no_variable(write: Write) -> None:
    text = "name: x\nlake: {path: '${NONE}'}\ntargets: {dev: {lake: {path: here}}}\n"
    root = write({"lakewright.yaml": text})
    assert load(root, "dev", {}).file.lake.path == "here"
    assert [p.code for p in found(root)] == ["LW106"]


def test_an_unknown_target_is_refused_with_the_nearest(write: Write) -> None:
    root = write({"lakewright.yaml": FILE})
    (problem,) = found(root, "prd", {"NAMESPACE": "x"})
    assert problem.code == "LW112"
    assert "did you mean 'prod'?" in problem.message
    assert "dev, prod" in problem.remedy
    (problem,) = found(write({"lakewright.yaml": FILE + "default_target: pro\n"}), env={"NAMESPACE": "x"})
    assert str(problem.where) == "lakewright.yaml:14"


def test_mistakes_in_any_target_are_found_once(write: Write) -> None:
    text = "name: x\ntargets:\n  dev: {lake: {pat: a}}\n  prod: {engine: {threads: 0}, zones: {}}\n"
    root = write({"lakewright.yaml": text})
    places = [("lakewright.yaml:3", "LW103"), ("lakewright.yaml:4", "LW104"), ("lakewright.yaml:4", "LW103")]
    for target in (None, "dev", "prod"):
        assert sorted((str(p.where), p.code) for p in found(root, target)) == sorted(places)
