"""`forget`, `erasures` and `export-subject` as they are typed."""

from __future__ import annotations

from pathlib import Path

from command_line import run_cli, write

PROJECT = {
    "lakewright.yaml": """
name: people
subjects:
  person:
    identifier: id
    datasets:
      raw.people: {id: id, email: email}
      processed.people: {id: id, email: email}
""",
    "sources/files.yaml": "kind: files\npath: in\ndatasets: {people: {files: 'people*.csv'}}\n",
    "datasets/processed/people.yaml": "from: raw.people\ncolumns: {id: {type: bigint, key: true}, email: {type: varchar}}\n",
    "in/people.csv": "id,email\n1,ann@example.org\n2,bob@example.org\n",
}


def test_from_the_first_look_to_the_proof(tmp_path: Path) -> None:
    write(tmp_path, PROJECT)
    assert run_cli("run", cwd=tmp_path).code == 0
    for words, code, told in (
        ((), 2, "LW811"),
        (("--subject", "person"), 2, "LW811"),
        (("--subject", "persn=1"), 2, "did you mean 'person'"),
        (("--subject", "person.mail=x"), 2, "LW811"),
        (("--subject", "person=1", "--shared", "maybe"), 2, "LW904"),
        (("--subjects-from", "nobody.txt"), 2, "LW904"),
        # it has to be confirmed
        (("--subject", "person=1"), 2, "--yes"),
        (("--verify", "in/people.csv"), 1, "LW815"),
    ):
        ran = run_cli("forget", *words, cwd=tmp_path)
        assert (ran.code, told in ran.err) == (code, True), (words, ran)
    look = run_cli("forget", "--subject", "person=1", "--dry-run", "--json", cwd=tmp_path).json
    assert {(one["place"], one["rows"]) for one in look["places"]} >= {("raw files", 1), ("table", 1)}
    assert run_cli("query", "select count(*) as n from processed.people", "--json", cwd=tmp_path).json == [
        {"n": 2}
    ]

    out = run_cli(
        "export-subject", "--subject", "person=1", "-o", "ann", "--reason", "asked", "--json", cwd=tmp_path
    )
    assert [one["rows"] for one in out.json["parts"]] == [1, 1]
    write(tmp_path, {"names.txt": "person=1\n\nperson.email=bob@example.org\n"})
    ran = run_cli(
        "forget", "--subjects-from", "names.txt", "--yes", "--reason", "for ann@example.org", cwd=tmp_path
    )
    assert (ran.code, "record: " in ran.err) == (0, True), ran
    assert run_cli("query", "select count(*) as n from processed.people", "--json", cwd=tmp_path).json == [
        {"n": 0}
    ]
    assert (tmp_path / "in/people.csv").read_text().count("@") == 2
    listed = run_cli("erasures", "--json", cwd=tmp_path).json
    assert [(one["people"], one["complete"], one["reason"]) for one in listed] == [(2, True, "for •••")]
    record = str(next((tmp_path / ".lakewright/erasures").glob("*.json")))
    assert run_cli("forget", "--verify", record, "--subjects-from", "names.txt", cwd=tmp_path).code == 0
    # nobody is there any more: nothing to do, and that is proven, too
    again = run_cli("forget", "--subject", "person=1", "--yes", "--json", cwd=tmp_path)
    assert (again.code, again.json["complete"], [one for one in again.json["places"] if one["rows"]]) == (
        0,
        True,
        [],
    )


def test_what_check_says_of_subjects(tmp_path: Path) -> None:
    wrong = (
        PROJECT["lakewright.yaml"]
        .replace("processed.people", "processed.peple")
        .replace("identifier: id", "identifier: nr")
    )
    write(
        tmp_path,
        {
            **PROJECT,
            "lakewright.yaml": wrong + "    redact: {raw.people: [email]}\n    ignore_case: [emial]\n",
        },
    )
    ran = run_cli("check", cwd=tmp_path)
    assert ran.code == 2
    for told in (
        "lakewright.yaml:4: LW810 no column of subject 'person' holds its identifier 'nr'",
        "LW321 there is no dataset 'processed.peple'; did you mean 'processed.people'?",
        "LW810 raw.people holds files as they came",
        "LW810 subject 'person' has no identifier 'emial'; did you mean 'email'?",
    ):
        assert told in ran.err, ran.err
