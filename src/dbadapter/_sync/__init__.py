# Generated from src/dbadapter/_async/__init__.py by tools/unasync.py; do not edit.
"""The asynchronous half: adapter, pools, transactions. The synchronous half is generated from it."""
