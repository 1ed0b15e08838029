"""A small shop: products, orders and their lines, and the requests its customers make."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from .ledger import Acknowledged, Check

if TYPE_CHECKING:
    from dbadapter import DatabaseAdapter
    from dbadapter._sync.transaction import Transaction

__all__ = ["Shop", "check_orders"]

PRODUCTS = 200
STOCK = 10_000_000
SHARE_OF_ORDERS = 0.4

_CUSTOMERS = ("Ada", "Grace", "Edgar", "Barbara", "Michael", "Jim", "Frances", "Peter")
_GOODS = ("tea", "coffee", "cocoa", "sugar", "flour", "rice", "salt", "pepper")

# The same words make the same tables on both backends. "demo_home" holds the name of the database it is in.
TABLES = (
    "CREATE TABLE demo_home (name TEXT NOT NULL PRIMARY KEY)",
    """CREATE TABLE demo_products (
        id BIGINT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        price NUMERIC(10, 2) NOT NULL,
        stock BIGINT NOT NULL CHECK (stock >= 0))""",
    """CREATE TABLE demo_orders (
        id UUID NOT NULL PRIMARY KEY,
        customer TEXT NOT NULL,
        placed_at TIMESTAMPTZ NOT NULL,
        total NUMERIC(14, 2) NOT NULL)""",
    """CREATE TABLE demo_lines (
        order_id UUID NOT NULL REFERENCES demo_orders (id) ON DELETE CASCADE,
        product_id BIGINT NOT NULL REFERENCES demo_products (id),
        quantity BIGINT NOT NULL CHECK (quantity > 0),
        PRIMARY KEY (order_id, product_id))""",
)

_LINES = """
SELECT o.id AS id, o.total AS total, l.quantity AS quantity, p.price AS price
FROM demo_orders o
    LEFT JOIN demo_lines l ON l.order_id = o.id
    LEFT JOIN demo_products p ON p.id = l.product_id"""


class Shop:
    """The shop's tables and requests."""

    name = "a small shop"

    def prepare(self, adapter: DatabaseAdapter) -> None:
        """Make and fill the tables in an empty database."""
        with adapter.transaction() as tx:
            for table in TABLES:
                tx.execute(table)
            tx.execute("INSERT INTO demo_home VALUES (?)", [adapter.db_type.value])
            tx.insert_many(
                "demo_products",
                [
                    (i, f"{_GOODS[i % len(_GOODS)]} no. {i}", Decimal(i * 37 % 5000 + 1) / 100, STOCK)
                    for i in range(PRODUCTS)
                ],
            )

    def serve(self, adapter: DatabaseAdapter, random: Random) -> Acknowledged | None:
        """Serve one request; what was acknowledged, if it was an order."""
        if random.random() < SHARE_OF_ORDERS:
            return self._order(adapter, random)
        self._browse(adapter, random)
        return None

    def _browse(self, adapter: DatabaseAdapter, random: Random) -> None:
        first = random.randrange(PRODUCTS)
        adapter.fetch_all(
            "SELECT id, name, price, stock FROM demo_products WHERE id BETWEEN :first AND :last ORDER BY id",
            {"first": first, "last": first + 10},
        )

    def _order(self, adapter: DatabaseAdapter, random: Random) -> Acknowledged:
        order = uuid.UUID(int=random.getrandbits(128), version=4)
        customer = random.choice(_CUSTOMERS)
        wanted = {
            product: random.randint(1, 5) for product in random.sample(range(PRODUCTS), random.randint(1, 3))
        }

        def place(tx: Transaction) -> Acknowledged:
            home = tx.fetch_value("SELECT name FROM demo_home")
            found = tx.fetch_all(
                "SELECT id, price FROM demo_products WHERE id IN :ids", {"ids": list(wanted)}
            )
            total = sum((row["price"] * wanted[row["id"]] for row in found), Decimal())
            tx.execute(
                "INSERT INTO demo_orders VALUES (:id, :customer, :at, :total)",
                {"id": order, "customer": customer, "at": datetime.now(UTC), "total": total},
            )
            # In the order of their ids, so that two orders never wait for each other in a circle.
            for product, quantity in sorted(wanted.items()):
                tx.execute("UPDATE demo_products SET stock = stock - ? WHERE id = ?", [quantity, product])
            tx.insert_many("demo_lines", [(order, product, wanted[product]) for product in sorted(wanted)])
            return Acknowledged(order, total, home)

        return adapter.run_transaction(place)

    def check(self, adapter: DatabaseAdapter, expected: Iterable[Acknowledged], place: str) -> list[Check]:
        """What must hold in one database."""
        # Money is added up here: SQLite's own sum would do it in binary fractions.
        owed: dict[uuid.UUID, Decimal] = {}
        sold = 0
        for row in adapter.stream(_LINES):
            rest = owed.get(row["id"], row["total"])
            owed[row["id"]] = rest - (row["quantity"] or 0) * (row["price"] or 0)
            sold += row["quantity"] or 0
        broken = sum(1 for rest in owed.values() if rest)
        gone = PRODUCTS * STOCK - adapter.fetch_value("SELECT sum(stock) FROM demo_products")
        return [
            *check_orders(adapter, expected, place),
            Check(
                f"{place}: every order is whole, and stock and sales balance",
                not broken and sold == gone,
                f"{sold:,} pieces sold, {gone:,} gone from stock, {broken} orders not whole",
            ),
        ]


def check_orders(adapter: DatabaseAdapter, expected: Iterable[Acknowledged], place: str) -> list[Check]:
    """Every acknowledged order is there as it was told, and no other one is."""
    told = {order.id: order.total for order in expected}
    found = {row["id"]: row["total"] for row in adapter.fetch_all("SELECT id, total FROM demo_orders")}
    lost = sum(1 for order, total in told.items() if found.get(order) != total)
    unknown = len(found.keys() - told.keys())
    return [
        Check(
            f"{place}: every acknowledged write is there, once and unaltered",
            not lost and not unknown,
            f"{len(told):,} acknowledged, {len(found):,} found, {lost} lost, {unknown} unknown",
        )
    ]
