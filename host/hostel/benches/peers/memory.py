"""How much memory many calls of a function in Python take that sleep at once: the rows of peers.py --memory. Linux only."""

import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from sleep import sleep_until

SLEEP = Path(__file__).resolve().with_name("sleep.py")

# The columns of the table.
PEAK, SHARE = "peak RSS per task", "PSS per task"
COLUMNS = (PEAK, SHARE)

# How many tasks sleep at once, and with how many the rows do that have a process for each.
TASKS, PROCESSES = 1_000, 50

# How long the tasks of Hostel and of the others have to begin, in seconds, also on a busy machine. They sleep a second longer.
HOSTEL_SECONDS, SECONDS = 18, 4

# Hostel limits the sum of what its guests address, by default to half of the machine's memory. They share most of it.
ADDRESSED = "64GiB"


def hostel(place):
    begun, end = times(HOSTEL_SECONDS)
    command = [place.hostel, "map", "--quiet", f"{SLEEP}#sleep_until", "--over", f"x=0..{TASKS}", "--with", f"end={end}"]
    command += ["--cache", "none", "--max-host-memory", ADDRESSED, "--data-dir", place.data]
    output = Path(place.directory, "began.jsonl")
    with open(output, "w") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file)
    columns = asleep(begun, end, [process.pid], TASKS)
    if process.wait():
        raise RuntimeError(f"hostel map ended with {process.returncode}")
    check([json.loads(line) for line in output.read_text().splitlines()], begun, TASKS)
    return columns


def threads(_place):
    begun, end = times(SECONDS)
    with concurrent.futures.ThreadPoolExecutor(TASKS) as pool:
        calls = [pool.submit(sleep_until, x, end) for x in range(TASKS)]
        columns = asleep(begun, end, [os.getpid()], TASKS)
        check([call.result() for call in calls], begun, TASKS)
    return columns


def processes(_place):
    begun, end = times(SECONDS)
    with concurrent.futures.ProcessPoolExecutor(PROCESSES) as pool:
        calls = [pool.submit(sleep_until, x, end) for x in range(PROCESSES)]
        columns = asleep(begun, end, list(pool._processes), PROCESSES)
        check([call.result() for call in calls], begun, PROCESSES)
    return columns


def new_interpreters(_place):
    begun, end = times(SECONDS)
    program = f"{SLEEP.read_text()}\nimport sys\nprint(sleep_until(int(sys.argv[1]), float(sys.argv[2])))"
    commands = [[sys.executable, "-c", program, str(x), str(end)] for x in range(PROCESSES)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for command in commands]
    columns = asleep(begun, end, [process.pid for process in started], PROCESSES)
    check([float(process.communicate()[0]) for process in started], begun, PROCESSES)
    return columns


def times(seconds):
    """When all tasks have to have begun, and when they end."""
    begun = time.time() + seconds
    return begun, begun + 1


def asleep(begun, end, pids, tasks):
    """The columns of the processes in which so many tasks sleep, measured between the two times."""
    time.sleep(max(0.0, begun - time.time()))
    peak = sum(size(f"/proc/{pid}/status", "VmHWM") for pid in pids)
    share = sum(size(f"/proc/{pid}/smaps_rollup", "Pss") for pid in pids)
    if time.time() >= end:
        raise TimeoutError("the tasks ended while their memory was measured: the machine is too busy")
    return [(PEAK, peak / tasks), (SHARE, share / tasks)]


def size(file, name):
    """A size in bytes."""
    return 1024 * int(re.search(rf"^{name}:\s+(\d+) kB$", Path(file).read_text(), re.MULTILINE)[1])


def check(began, begun, tasks):
    in_time = sum(isinstance(at, float) and at < begun for at in began)
    if in_time != tasks:
        raise RuntimeError(f"only {in_time} of {tasks} tasks slept at once: the machine is too busy")
