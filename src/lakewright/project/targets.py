"""Apply a target: its settings replace the project's own, key by key."""

from __future__ import annotations

import msgspec
from yaml.nodes import MappingNode, Node, ScalarNode

from lakewright.errors import Problem, Where, nearest
from lakewright.project.context import BAD, Context
from lakewright.project.convert import convert
from lakewright.project.document import Document, key_text, pairs
from lakewright.project.environment import Environment, override
from lakewright.project.scalars import expand_quietly
from lakewright.spec.project import ProjectFile, Target

__all__ = ["DEFAULT_TARGET", "PROJECT_FILE", "read_project_file"]

PROJECT_FILE = "lakewright.yaml"
#: What the target is called when the project declares none.
DEFAULT_TARGET = "default"

#: The keys of a target; each replaces the project's key of the same name.
_REPLACED = ("lake", "engine", "state", "lineage", "defaults", "query_cache")


def read_project_file(
    document: Document, target: str | None, environment: Environment
) -> tuple[ProjectFile | None, str, list[Problem]]:
    """The project file with its target and the environment applied, the target's name, and all problems."""
    # First as written, so that a mistake in any target is found; references are not looked up, for the
    # variables of a target that is not chosen need not be set here.
    written = Context(document.path, None)
    convert(ProjectFile, document, written)
    problems = written.problems

    root = document.root
    targets = _child(root, "targets")
    names = [key_text(key) or "" for key, _ in pairs(targets)] if isinstance(targets, MappingNode) else []
    chosen, wrong = _choose(root, names, target, environment)
    problems += wrong
    if isinstance(root, MappingNode):
        entries = [(key, value) for key, value in pairs(root) if key_text(key) != "targets"]
        extra = _child(targets, chosen)
        if isinstance(extra, MappingNode):
            replaced = [(key, value) for key, value in pairs(extra) if key_text(key) in _REPLACED]
            entries = _merge(entries, replaced)
        root = MappingNode(root.tag, entries, root.start_mark, root.end_mark)
    applied = Context(document.path, environment)
    file = convert(ProjectFile, Document(document.path, root), applied)
    # A mistake in the chosen target shows twice: under its own key and under the one that it replaces.
    reported = {(one.code, one.where) for one in problems}
    problems += [one for one in applied.problems if (one.code, one.where) not in reported]
    if file is BAD:
        return None, chosen, problems
    assert isinstance(file, ProjectFile)
    file = msgspec.structs.replace(file, targets=_declared(targets, document.path, environment))
    file, more = override(file, environment)
    return file, chosen, problems + more


def _choose(
    root: Node | None, names: list[str], target: str | None, environment: Environment
) -> tuple[str, list[Problem]]:
    node = _child(root, "default_target")
    default = expand_quietly(node.value, environment) if isinstance(node, ScalarNode) else ""
    asked = target or environment.get("LAKEWRIGHT_TARGET") or ""
    known = f"targets here: {', '.join(names)}" if names else "add it under `targets` in lakewright.yaml"
    problems = []
    for name, place in ((asked, None), (default, node)):
        if name and name not in names and not (name == DEFAULT_TARGET and not names):
            where = Where(PROJECT_FILE, place.start_mark.line + 1) if place is not None else None
            message = f"unknown target {name!r}{nearest(name, names)}"
            problems.append(Problem("LW112", message, where, remedy=known))
    return asked or default or DEFAULT_TARGET, problems


def _declared(targets: Node | None, path: str, environment: Environment) -> dict[str, Target]:
    """Every target by name; one whose references cannot be resolved here is left without settings."""
    result: dict[str, Target] = {}
    for key, value in pairs(targets) if isinstance(targets, MappingNode) else []:
        target = convert(Target, Document(path, value), Context(path, environment))
        result[key_text(key) or ""] = Target() if target is BAD else target
    return result


def _child(node: Node | None, key: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    return next((value for name, value in pairs(node) if key_text(name) == key), None)


def _merge(
    base: list[tuple[ScalarNode, Node]], over: list[tuple[ScalarNode, Node]]
) -> list[tuple[ScalarNode, Node]]:
    """*base* with the entries of *over* put in, mappings merged at every depth; places stay their own."""
    result: dict[str, tuple[ScalarNode, Node]] = {}
    for key, value in (*base, *over):
        name = key_text(key) or ""
        old = result.get(name)
        if old is not None and isinstance(old[1], MappingNode) and isinstance(value, MappingNode):
            merged = _merge(pairs(old[1]), pairs(value))
            value = MappingNode(value.tag, merged, value.start_mark, value.end_mark)
        result[name] = (key, value)
    return list(result.values())
