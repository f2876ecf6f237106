"""A shop whose roles see parts of it: the project, its data, and what must never reach a role."""

from __future__ import annotations

from pathlib import Path

from shop_folder import Folder

__all__ = ["ACCESS", "HIDDEN", "access_shop"]

ACCESS = """
access:
  roles:
    analyst:
      zones: [curated]
      datasets: [processed.orders]
      masks: {personal: last_four}
      rows:
        processed.orders: region = attribute('region')
        curated.profiles: region = attribute('region')
    hasher:
      datasets: [processed.orders]
      masks: {personal: hash, secret: {band: 1000}}
    manager:
      datasets: ["processed.*"]
      columns: ["*"]
      rows: {processed.orders: "region in (select region from processed.regions where boss = attribute('user'))"}
    auditor:
      zones: [raw, processed, curated, quarantine, vault]
      columns: ["*"]
  users:
    alice: {roles: [analyst], attributes: {region: EU}}
    mia: {roles: [manager, analyst], attributes: {region: US}}
"""

#: Values of rows and columns that the analyst must not see, in whatever form: results, errors, the catalog.
HIDDEN = (
    "ann.private",
    "bob.private",
    "cid.private",
    "dora.private",
    "HIDDENROW",
    "77123",
    "88123",
    "pin-4711",
    "NOTEXT",
)

ORDERS = """\
order_id,day,amount,region,email,salary,code
1,2024-01-01,10.50,EU,ann.private@example.org,77123,17
2,2024-01-02,20.50,US,bob.private@example.org,88123,HIDDENROW2
3,2024-01-03,30.50,EU,cid.private@example.org,77123,18
4,2024-01-04,40.50,US,dora.private@example.org,88123,HIDDENROW4
5,2024-01-05,NOTEXT,EU,eve.private@example.org,77123,19
"""


def access_shop(root: Path, settings: str = "") -> Folder:
    """Write the project into *root*; *settings* are more lines of lakewright.yaml."""
    folder = Folder(root)
    folder.root.mkdir(parents=True, exist_ok=True)
    (folder / "lakewright.yaml").write_text(
        f"name: shop\ndefaults: {{quality_threshold: 0.5}}\nzones: {{vault: {{purpose: pins}}}}\n{settings}{ACCESS}"
    )
    folder.write(
        "sources/files.yaml",
        """
        kind: files
        path: in
        datasets:
          orders: {files: "orders*.csv", format: csv}
          regions: {files: "regions.csv", format: csv, columns: [region, boss]}
        """,
    )
    folder.write(
        "datasets/processed/orders.yaml",
        """
        from: raw.orders
        columns:
          order_id: {type: bigint, key: true}
          day: {type: date}
          amount: {type: "decimal(10,2)"}
          region: {type: varchar}
          email: {type: varchar, pii: email}
          salary: {type: bigint, classification: secret}
          code: {type: varchar}
        write: {mode: merge}
        """,
    )
    folder.write("datasets/processed/regions.yaml", "from: raw.regions\n")
    folder.write(
        "datasets/curated/profiles.sql",
        """
        select order_id, region, amount, struct_pack(mail := email, place := region) as person,
            [email] as mails, salary * 2 as double_pay, max(email) over () as last_mail, upper(code) as code
        from processed.orders
        """,
    )
    folder.write(
        "datasets/curated/daily.sql",
        "select day, count(email) as mails, sum(amount) as amount from processed.orders group by day\n",
    )
    folder.write("datasets/vault/pins.sql", "select order_id, 'pin-4711' as pin from processed.orders\n")
    (folder / "in").mkdir()
    (folder / "in/orders.csv").write_text(ORDERS)
    (folder / "in/regions.csv").write_text("region,boss\nEU,mia\nUS,noah\n")
    return folder
