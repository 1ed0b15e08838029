"""A forked child and the servers of a cluster."""

from __future__ import annotations

import json

import attrs

from dbadapter.embedded import EmbeddedPostgres
from tests.faults.scripts import run
from tests.servers import fresh_database

SCRIPT = """
import gc, logging, warnings
warnings.simplefilter("ignore")
logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
config = DatabaseConfig(db_type=DatabaseType.POSTGRESQL, pool=PoolConfig(**json.loads(sys.argv[1])))
adapter = DatabaseAdapter(config)
adapter.initialize()
adapter.execute("CREATE TABLE t (a BIGINT)")

def work():
    for n in range(100):
        adapter.execute("INSERT INTO t (a) VALUES (?)", (os.getpid(),))
        found = adapter.fetch_value("SELECT count(*) FROM t WHERE a = ?", (os.getpid(),))
        assert found == n + 1, found
    begun = time.monotonic()
    while not adapter.get_stats()["reads"]["replica"] and time.monotonic() < begun + 30:
        adapter.fetch_value("SELECT 1")
    assert adapter.get_stats()["reads"]["replica"], adapter.get_stats()

pid = os.fork()
if pid == 0:
    code = 1
    try:
        work()
        gc.collect()
        adapter.close()
        code = 0
    finally:
        os._exit(code)
work()
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
print(adapter.fetch_value("SELECT count(*) FROM t", consistency="strong"))
adapter.close()
"""


def test_parent_and_child_read_from_replicas(postgres_cluster: EmbeddedPostgres) -> None:
    """Each with connections and a watch of its own; neither disturbs the other's, so nothing is logged."""
    with fresh_database(postgres_cluster) as config:
        postgres_cluster.wait_for_replicas()
        said = run(SCRIPT, json.dumps(attrs.asdict(config.pool)))
    assert said.strip() == "200"
