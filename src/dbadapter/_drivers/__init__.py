"""The drivers' room: the only place that knows sqlite3, psycopg and pgvector."""
