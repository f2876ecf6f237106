"""Projects on every kind of lake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from shop_folder import Folder

from lakes import lake_settings, s3
from lakewright.spec.project import Lake

#: The lakes of the dataset suite, and a DuckLake whose raw files and tables lie in S3.
KINDS = [
    "ducklake-sqlite",
    pytest.param("ducklake-postgres", marks=pytest.mark.postgres),
    pytest.param("iceberg-rest", marks=pytest.mark.iceberg),
    pytest.param("ducklake-s3", marks=pytest.mark.s3),
]


def make_project(root: Path, kind: str, request: pytest.FixtureRequest) -> Folder:
    """Write a project without sources and datasets on a new lake of *kind*."""
    if kind == "ducklake-s3":
        double = request.getfixturevalue("ministack")
        lake = Lake(path=f"s3://{double.bucket()}/shop", s3=s3(double))
    else:
        lake = lake_settings(kind, request)
    settings: dict[str, Any] = {
        "name": "shop",
        "lake": {key: value for key, value in msgspec.to_builtins(lake).items() if value is not None},
        "engine": {"threads": 2, "workers": 2, "memory_limit": "1GB"},
        "defaults": {"quality_threshold": 0},
    }
    folder = Folder(root)
    for key in ("key_id", "secret"):
        if "s3" in settings["lake"]:
            folder.write(f".secrets/S3_{key.upper()}", str(settings["lake"]["s3"][key]))
            settings["lake"]["s3"][key] = f"${{secret:S3_{key.upper()}}}"
    # JSON is YAML
    folder.write("lakewright.yaml", json.dumps(settings))
    return folder


def csv(*rows: str) -> str:
    """Return the text of a CSV file."""
    return "\n".join(rows) + "\n"
