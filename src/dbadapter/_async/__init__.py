"""The asynchronous half: adapter, pools, transactions. The synchronous half is generated from it."""
