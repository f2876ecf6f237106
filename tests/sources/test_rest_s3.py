"""An API into raw on S3, read on from a position."""

from __future__ import annotations

from pathlib import Path

import pytest
from raw_zone import Zone
from rest_zone import Rest
from test_rest_incremental import describe, since

from http_api import serve
from lakes import s3
from lakewright.engine.extensions import load
from lakewright.engine.session import Session
from lakewright.lake.raw import open_raw
from lakewright.lake.storage import s3_secret
from lakewright.spec.project import Engine, Lake
from lakewright.state import State
from servers import Ministack

pytestmark = pytest.mark.s3


def test_answers_and_records_on_s3(ministack: Ministack, tmp_path: Path) -> None:
    settings = s3(ministack)
    store = open_raw(Lake(path=f"s3://{ministack.bucket()}/lake", s3=settings), tmp_path, str)
    state = State("sqlite:state.db", tmp_path)
    records = [{"id": 1, "at": "2024-01-01"}, {"id": 2, "at": "2024-01-02"}]
    with Session.open(Engine(), root=tmp_path) as session, serve() as api:
        load(session.cursor(), "httpfs")
        session.execute(s3_secret("test", settings, session, str))
        rest = Rest(Zone(tmp_path, store, state, session.cursor(), tmp_path), api)
        api.on("/items", since(records))
        describe(rest)
        assert rest.take().rows == 2
        records.append({"id": 3, "at": "2024-01-02"})
        taken = rest.take()
        assert (taken.rows, rest.take().batch) == (1, 0)
        assert sorted(rest.rows("d", "id")) == [(1,), (2,), (3,)]
        assert [answer["status"] for answer in rest.answers(taken)] == [200, 200]
    state.close()
