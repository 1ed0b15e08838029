"""Make, check, export and drop the platform's tables.

    python manage.py create --url postgresql://me@localhost/platform
    python manage.py check
    python manage.py export sql/
    python manage.py drop

Without ``--url`` the environment says which database (``DATABASE_URL``, ``DB_TYPE`` and so on).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tables import SCHEMA

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.errors import DatabaseAdapterError


def create(adapter: DatabaseAdapter) -> int:
    """Make the tables that are missing."""
    before = set(adapter.list_tables())
    adapter.create_tables(SCHEMA)
    made = [table.name for table in SCHEMA.in_creation_order() if table.name not in before]
    print(f"made {len(made)} of {len(SCHEMA)} tables on {adapter.db_type.value}")
    return 0


def check(adapter: DatabaseAdapter) -> int:
    """Print what differs; 1 if anything does."""
    differences = SCHEMA.check(adapter)
    for difference in differences:
        print(difference)
    print(f"{len(differences)} differences in {len(SCHEMA)} tables")
    return 1 if differences else 0


def drop(adapter: DatabaseAdapter) -> int:
    """Drop the tables, with all their rows."""
    adapter.drop_tables(SCHEMA)
    print("dropped")
    return 0


def export(directory: Path) -> int:
    """Write the schema as SQL for the programs that are not written in Python."""
    directory.mkdir(parents=True, exist_ok=True)
    for dialect in ("postgresql", "sqlite"):
        path = directory / f"{dialect}.sql"
        path.write_text(SCHEMA.to_sql(dialect), encoding="utf-8")
        print(f"wrote {path}")
    return 0


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="The platform's tables.")
    parser.add_argument("command", choices=["create", "check", "export", "drop"])
    parser.add_argument("directory", nargs="?", type=Path, default=Path(__file__).parent / "sql")
    parser.add_argument("--url", help="the database; default: what the environment says")
    options = parser.parse_args()
    if options.command == "export":
        return export(options.directory)
    try:
        config = DatabaseConfig.from_url(options.url) if options.url else DatabaseConfig.from_env()
        with DatabaseAdapter(config) as adapter:
            return {"create": create, "check": check, "drop": drop}[options.command](adapter)
    except DatabaseAdapterError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
