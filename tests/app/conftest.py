"""Fixtures of the verbs' tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from backup_shops import make_backed_up, values
from shop_folder import ORDERS, Folder


@pytest.fixture
def shop(tmp_path: Path) -> Folder:
    """A project with one source, one processed and one curated dataset, and one file that is not taken yet."""
    folder = Folder(tmp_path / "shop")
    folder.write("lakewright.yaml", "name: shop\n")
    folder.write(
        "sources/files.yaml",
        """
        kind: files
        path: in
        datasets:
          orders: {files: "orders*.csv", format: csv, options: {delimiter: ",", header: true}}
        """,
    )
    folder.write("datasets/processed/orders.yaml", ORDERS)
    folder.write(
        "datasets/curated/daily.sql",
        "select day, count(*) as orders, sum(amount) as amount from processed.orders group by day\n",
    )
    folder.write(
        "in/orders-1.csv",
        """
        order_id,day,amount,status
        1,2024-01-01,10.50,new
        2,2024-01-01,20.00,paid
        3,2024-02-30,5.00,new
        4,2024-02-01,-1.00,new
        5,2024-02-01,7.25,lost
        6,2024-02-02,1.00,paid
        """,
    )
    return folder


@pytest.fixture(scope="session")
def _made_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a shop of two rounds, and a backup of it beside."""
    base = tmp_path_factory.mktemp("backed-up")
    make_backed_up(base)
    return base


@pytest.fixture(scope="session")
def undisturbed(_made_shop: Path) -> dict[str, list[str]]:
    """What that shop holds after rounds 3 and 4, when nobody disturbs it."""
    return values(Folder(_made_shop / "undisturbed"))


@pytest.fixture
def backed_up(_made_shop: Path, tmp_path: Path) -> Folder:
    """A shop with two rounds in files, and a place beside it with one backup."""
    for name in ("shop", "backups"):
        shutil.copytree(_made_shop / name, tmp_path / name)
    return Folder(tmp_path / "shop")
