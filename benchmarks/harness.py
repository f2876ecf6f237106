"""Runs a contender as a process of its own, several times, and keeps time, CPU and peak memory."""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE / ".data"
ENVS = HERE / ".envs"
ROOT = HERE.parent

#: Packages of each peer's environment; the newest that an index has, as its users would get.
PEERS: dict[str, tuple[str, ...]] = {
    "duckdb": ("duckdb==1.5.5", "duckdb-extension-tpch==1.5.5", "pyarrow"),
    "polars": ("polars",),
    "pyspark": ("pyspark",),
    "great_expectations": ("great-expectations", "pyarrow"),
    "dlt": ("dlt[duckdb]", "pyarrow"),
    # dbt-core 1.12 downloads a part of itself while it is installed, from a place that no index serves.
    "dbt": ("dbt-core<1.12", "dbt-duckdb", "duckdb==1.5.5"),
    "delta": ("deltalake", "pyarrow"),
    "clients": ("psycopg[binary]", "pymysql", "pyarrow"),
}


#: What the extra for MySQL and MariaDB adds to the lock of what a user installs.
MYSQL = "pymysql>=1.1"


class Unavailable(Exception):
    """A contender cannot run here; the text says why."""


@dataclass(frozen=True)
class Run:
    """One run of one contender: seconds by the wall, CPU seconds, peak bytes of its processes."""

    seconds: float
    cpu: float
    peak: int
    said: dict[str, object] = field(default_factory=dict)


@dataclass
class Contender:
    """A way to do the work: *start* runs it once. ``prepare`` is not timed."""

    name: str
    start: Callable[[], Run]
    prepare: Callable[[], None] = lambda: None
    runs: list[Run] = field(default_factory=list)
    unavailable: str = ""

    @property
    def seconds(self) -> float:
        """The median of the runs."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def peak(self) -> int:
        """The largest of the runs."""
        return max(run.peak for run in self.runs)

    def summary(self) -> dict[str, object]:
        if not self.runs:
            return {"unavailable": self.unavailable}
        return {
            "seconds": round(self.seconds, 4),
            "all_seconds": [round(run.seconds, 4) for run in self.runs],
            "cpu_seconds": round(statistics.median(run.cpu for run in self.runs), 3),
            "peak_mib": round(self.peak / 2**20),
            "said": self.runs[-1].said,
        }


def compete(contenders: Sequence[Contender], rounds: int) -> None:
    """Run all in turn, *rounds* times, so that a slow minute of the machine strikes each of them."""
    for _ in range(rounds):
        for one in contenders:
            if one.unavailable:
                continue
            try:
                one.prepare()
                run = one.start()
            except Unavailable as reason:
                one.unavailable = str(reason)
                note(f"    {one.name}: not measured: {reason}")
                continue
            one.runs.append(run)
            note(f"    {one.name}: {run.seconds:.2f} s, CPU {run.cpu:.2f} s, {run.peak / 2**20:.0f} MiB")


def process(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    timeout: float = 3600,
    allowed: Sequence[int] = (0,),
) -> Run:
    """Run *command* to its end. Its last line of output, if JSON, becomes ``said``."""
    # Byte code is kept between runs, as on any installation.
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    child = subprocess.Popen(
        [str(one) for one in command],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    watch = _Watch(child.pid)
    try:
        out, errors = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, 9)
        child.communicate()
        raise Unavailable(f"took longer than {timeout:.0f} s") from None
    finally:
        watch.stop()
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if child.returncode not in allowed:
        raise Unavailable(f"exit {child.returncode}: {' | '.join((errors or out).strip().splitlines()[-4:])}")
    # A process that its parent never waited for, such as a JVM, is only in what was sampled.
    cpu = max(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, watch.cpu)
    return Run(seconds, cpu, watch.peak, _last_json(out))


class _Watch:
    """Samples memory and CPU time of a session's processes, a Spark driver's JVM included."""

    def __init__(self, session: int) -> None:
        self.peak = 0
        self._ticks: dict[str, int] = {}
        self._session = session
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        page = resource.getpagesize()
        while not self._ended.wait(0.05):
            total = 0
            for stat in Path("/proc").glob("[0-9]*/stat"):
                try:
                    fields = stat.read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(fields[3]) == self._session:
                    total += int(fields[21]) * page
                    self._ticks[stat.parent.name] = int(fields[11]) + int(fields[12])
            self.peak = max(self.peak, total)

    @property
    def cpu(self) -> float:
        """CPU seconds of all processes that were seen."""
        return sum(self._ticks.values()) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()


def _last_json(text: str) -> dict[str, object]:
    """What a contender says of itself: all of its output, or its last line that is an object."""
    for one in (text, *reversed(text.strip().splitlines())):
        if one.startswith("{"):
            try:
                found = json.loads(one)
            except json.JSONDecodeError:
                continue
            return found if isinstance(found, dict) else {}
    return {}


def peer(name: str) -> Path:
    """The Python of a peer's environment, made on first use. Raises Unavailable where it cannot be.

    ``lakewright`` is one of them: what a user installs, without the packages to develop it.
    """
    home = ENVS / name
    python = home / "bin" / "python"
    ready = home / ".ready"
    uv = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
    if name == "lakewright":
        lock = ROOT / "requirements.lock"
        wanted = lock.read_text() + MYSQL
        steps = [
            [*install, "--require-hashes", "-r", str(lock)],
            [*install, MYSQL],
            [*install, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
        ]
    else:
        wanted = "\n".join(PEERS[name])
        steps = [[*install, *PEERS[name]]]
    if ready.is_file() and ready.read_text() == wanted:
        return python
    if name == "pyspark" and shutil.which("java") is None:
        raise Unavailable("no Java on this machine")
    note(f"    installing {name} …")
    for command in ([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)], *steps):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise Unavailable("uv is not installed") from None
        if done.returncode:
            raise Unavailable(f"could not be installed: {done.stderr.strip().splitlines()[-1:]}")
    ready.write_text(wanted)
    return python


def ours(*arguments: str | Path) -> list[str | Path]:
    """The command line of ``lakewright`` with *arguments*."""
    return [peer("lakewright").with_name("lakewright"), *arguments]


def fresh(folder: Path) -> Path:
    """An empty *folder*."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def note(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)
