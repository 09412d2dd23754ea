"""Clocks and memory. What is compared takes turns, so that a noisy machine is noisy for both."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

Work = Callable[[], object]

_PEAK = """\
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def in_turns(*works: Work, rounds: int) -> list[float]:
    """Run each work once a round, in turns; return the median time of each in seconds."""
    took: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for times, work in zip(took, works, strict=True):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
    return [statistics.median(times) for times in took]


def percentile(times: Sequence[float], share: float) -> float:
    """Return the time that this share (0 to 1) of all did not exceed."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def process(*words: str, expected: Sequence[int] = (0,)) -> Work:
    """Return the work of running a program to its end. Another exit code than the expected is an error."""

    def run() -> None:
        done = subprocess.run(words, capture_output=True, check=False)
        if done.returncode not in expected:
            raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stderr.decode()[-500:]}")

    return run


def peak_mib(*words: str, expected: Sequence[int] = (0,)) -> float:
    """Run a program to its end and return the most memory it had resident, in MiB."""
    done = subprocess.run([sys.executable, "-c", _PEAK, *words], capture_output=True, text=True, check=True)
    code, kib = map(int, done.stdout.split())
    if code not in expected:
        raise RuntimeError(f"{words[0]} ended with {code}")
    return kib / 1024


def resident_mib(pid: int) -> float:
    """Return the most memory that a process, or any that it forked, has had resident by itself, in MiB (Linux)."""
    return max(_kib(one, "status", "VmHWM") for one in (pid, *_forked(pid))) / 1024


def together_mib(pid: int) -> float:
    """Return the most memory that a process and those it forked have had resident, in MiB (Linux).

    What they share counts once.
    """
    own = [_kib(one, "status", "VmHWM") - _kib(one, "smaps_rollup", "Shared_") for one in _forked(pid)]
    return (_kib(pid, "status", "VmHWM") + sum(own)) / 1024


def _forked(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def _kib(pid: int, file: str, name: str) -> int:
    """Return the sum of what the lines with such names say."""
    lines = Path(f"/proc/{pid}/{file}").read_text("ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(name))
