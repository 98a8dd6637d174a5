#!/usr/bin/env python3
"""Measures the same small task with Hostel and with its peers, on this machine, and prints one Markdown table.

    python3 host/hostel/benches/peers/peers.py --hostel target/release/hostel --component arith.wasm

README.md, beside this file, says what each column counts. Each measurement is a process of its own: this script again, with
--measure. It is bounded in time, and everything that it started is killed when it ends.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import http.client
import itertools
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

# No files beside the source.
sys.dont_write_bytecode = True
import memory  # noqa: E402
from tasks import add_one  # noqa: E402

SCRIPT = Path(__file__).resolve()
HERE = SCRIPT.parent
TASKS = HERE / "tasks.py"
ROOT = HERE.parents[3]

# The columns of the table.
RATE, CALL, CACHED, DELAYED = "calls per second", "one call", "a cached call", "delay → result"
COLUMNS = (RATE, CALL, CACHED, DELAYED)

# How many different calls are stored before cached calls are measured.
STORED = 100

# The name of a variable that marks the processes of one measurement.
MARK = "HOSTEL_PEERS_MARK"


@dataclasses.dataclass
class Place:
    """Where one measurement happens."""

    directory: str  # for its files, empty
    round: int
    cores: int
    hostel: str
    component: str  # with an export add-one
    data: str  # Hostel's data directory, in which the component and the runtime are compiled
    compiled: str  # the runtime, compiled by wasmtime-py


# --- How rates and times are measured.


def rate(batch, seconds=0.5):
    """Calls per second. `batch(n)` makes n calls and returns their results; batches grow until one takes `seconds`."""
    n = 100
    check(batch(n), range(n))
    while True:
        start = time.perf_counter()
        results = batch(n)
        took = time.perf_counter() - start
        check(results, range(n))
        if took >= seconds:
            return n / took
        n = max(2 * n, min(10 * n, int(1.3 * n * seconds / took)))


def latency(call, inputs=range(1_000), seconds=0.5):
    """The median time of `call(x)` in seconds, one call after the other, without the first ones, which warm it up."""
    times = []
    warm = False
    end = time.perf_counter() + seconds
    for x in inputs:
        start = time.perf_counter()
        result = call(x)
        stop = time.perf_counter()
        check([result], [x])
        times.append(stop - start)
        if not warm and (len(times) == 10 or stop >= end):
            warm = True
            times.clear()
            end = stop + seconds
        elif warm and stop >= end and len(times) >= 5:
            break
    return statistics.median(times)


def again():
    """Inputs of calls whose results are stored: each of them in turn, many times."""
    return itertools.islice(itertools.cycle(range(STORED)), 1_000)


def check(results, inputs):
    if list(results) != [x + 1 for x in inputs]:
        raise RuntimeError("a result is wrong")


# --- Processes that a measurement needs: servers and workers.


@contextlib.contextmanager
def running(command, directory, name, **options):
    """A process that ends with the block. What it prints is in a file, unless `options` say otherwise."""
    with open(Path(directory, f"{name}.log"), "w") as log:
        process = subprocess.Popen(command, **{"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **options})
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(condition, what, seconds=40):
    """Waits until `condition()` is true, and not for longer."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} is not there after {seconds} s")
        time.sleep(0.02)


def itself(role, place):
    """The command that runs this script in another role."""
    return [sys.executable, str(SCRIPT), role, json.dumps(dataclasses.asdict(place))]


# --- The peers. Each yields columns with their values.


def executor(pool, call=add_one):
    with pool:
        yield RATE, rate(lambda n: [future.result() for future in [pool.submit(call, x) for x in range(n)]])
        yield CALL, latency(lambda x: pool.submit(call, x).result())


def threads(place):
    yield from executor(concurrent.futures.ThreadPoolExecutor(place.cores))


def processes(place):
    yield from executor(concurrent.futures.ProcessPoolExecutor(place.cores))


def new_interpreters(place):
    program = f"{TASKS.read_text()}\nimport sys\nprint(add_one(int(sys.argv[1])))"

    def call(x):
        process = subprocess.run([sys.executable, "-c", program, str(x)], stdout=subprocess.PIPE, check=True)
        return int(process.stdout)

    # The threads only wait for the processes.
    yield from executor(concurrent.futures.ThreadPoolExecutor(place.cores), call)


def joblib_memory(place):
    from joblib import Memory

    stored = Memory(place.directory, verbose=0).cache(add_one)
    yield CALL, latency(stored)
    yield CACHED, latency(stored, again())


def dask(place, in_processes):
    from dask import config
    from distributed import Client, LocalCluster

    config.set({"temporary_directory": place.directory})
    workers, each = (place.cores, 1) if in_processes else (1, place.cores)
    cluster = LocalCluster(n_workers=workers, threads_per_worker=each, processes=in_processes, dashboard_address=None)
    with cluster, Client(cluster) as client:
        yield RATE, rate(lambda n: client.gather(client.map(add_one, range(n), pure=False)))
        yield CALL, latency(lambda x: client.submit(add_one, x, pure=False).result())
        held = client.map(add_one, range(STORED), pure=True)
        check(client.gather(held), range(STORED))
        yield CACHED, latency(lambda x: client.submit(add_one, x, pure=True).result(), again())


def ray(place):
    import ray

    # Ray's sockets need a short path.
    with tempfile.TemporaryDirectory(prefix="ray") as directory:
        ray.init(num_cpus=place.cores, include_dashboard=False, log_to_driver=False, _temp_dir=directory)
        remote = ray.remote(add_one)
        yield RATE, rate(lambda n: ray.get([remote.remote(x) for x in range(n)]))
        yield CALL, latency(lambda x: ray.get(remote.remote(x)))
        ray.shutdown()


def prefect(place):
    port = free_port()
    os.environ |= {
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_HOME": place.directory,
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    server = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port), "--no-ui"]
    with running(server, place.directory, "server"):
        until(lambda: answers(f"http://127.0.0.1:{port}/api/health"), "Prefect's server")
        from prefect import flow, task
        from prefect.cache_policies import INPUTS, NO_CACHE
        from prefect.task_runners import ThreadPoolTaskRunner

        plain = task(cache_policy=NO_CACHE)(add_one)
        stored = task(cache_policy=INPUTS, persist_result=True)(add_one)

        def batch(n):
            return [future.result() for future in [plain.submit(x) for x in range(n)]]

        @flow(task_runner=ThreadPoolTaskRunner(max_workers=place.cores))
        def measured():
            for x in range(STORED):
                stored.submit(x).result()
            return [
                (RATE, rate(batch)),
                (CALL, latency(lambda x: plain.submit(x).result())),
                (CACHED, latency(lambda x: stored.submit(x).result(), again())),
            ]

        # First, because the server works on the events of many calls for a while after they have ended.
        with running(itself("--prefect-worker", place), place.directory, "worker"):
            delayed = prefect_delayed()
            yield DELAYED, latency(lambda x: delayed.delay(x).result(timeout=40), seconds=1)
        yield from measured()


def prefect_delayed():
    from prefect import task
    from prefect.cache_policies import NO_CACHE

    return task(cache_policy=NO_CACHE, persist_result=True)(add_one)


def prefect_worker(place):
    from prefect.task_worker import serve

    serve(prefect_delayed(), limit=place.cores)


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return response.status == 200
    except OSError:
        return False


def celery(place):
    redis = shutil.which("redis-server")
    port = free_port()
    os.environ["CELERY_URL"] = f"redis://127.0.0.1:{port}/0" if redis else ""
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", place.directory]
    broker = running([redis, *options], place.directory, "redis") if redis else contextlib.nullcontext()
    with broker, running(itself("--celery-worker", place), place.directory, "worker"):
        task = celery_app(place).tasks["add_one"]
        task.delay(1).get(timeout=40)
        yield RATE, rate(lambda n: [result.get(timeout=40) for result in [task.delay(x) for x in range(n)]])
        yield DELAYED, latency(lambda x: task.delay(x).get(timeout=40))


def celery_app(place):
    from celery import Celery

    url = os.environ["CELERY_URL"]
    files = (f"sqla+sqlite:///{place.directory}/broker.db", f"db+sqlite:///{place.directory}/results.db")
    broker, results = (url, url) if url else files
    app = Celery("peers", broker=broker, backend=results)
    app.conf.broker_connection_retry_on_startup = True
    app.task(name="add_one")(add_one)
    app.finalize()
    return app


def celery_worker(place):
    options = ["--pool", "prefork", "--concurrency", str(place.cores), "--without-mingle", "--loglevel", "ERROR"]
    celery_app(place).worker_main(["worker", *options])


def wasmtime_py(place):
    from wasmtime import Engine, Store, WasiConfig
    from wasmtime.component import Component, Linker

    engine = Engine()
    component = Component.deserialize_file(engine, place.compiled)
    linker = Linker(engine)
    linker.add_wasip2()
    linker.add_wasi_http()
    exported = component.get_export_index("call", component.get_export_index("hostel:runtime/language@0.1.0"))
    source = TASKS.read_text()

    def call(x):
        store = Store(engine)
        store.set_wasi(WasiConfig())
        store.set_wasi_http()
        function = linker.instantiate(store, component).get_func(store, exported)
        answer = function(store, TASKS.name, source, "add_one", [json.dumps(x)], [])
        if not isinstance(answer, str):
            raise RuntimeError(f"the runtime answered {answer}")
        return json.loads(answer)

    # While a guest computes, its thread does not hold the lock of the interpreter.
    yield from executor(concurrent.futures.ThreadPoolExecutor(place.cores), call)


def wasmtime_compile(place, runtime):
    from wasmtime import Engine
    from wasmtime.component import Component

    Path(place.compiled).write_bytes(Component.from_file(Engine(), runtime).serialize())


# --- Hostel.


def hostel(place, *arguments, output=subprocess.PIPE):
    """Runs the command to its end, and returns its output."""
    command = [place.hostel, *arguments, "--data-dir", place.data]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"hostel {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def hostel_map(place, task, few, many):
    def took(start, rows, *options):
        begin = time.perf_counter()
        over = f"x={start}..{start + rows}"
        hostel(place, "map", "--quiet", task, "--over", over, *options, output=subprocess.DEVNULL)
        return time.perf_counter() - begin

    # What the command needs to start is the same for few rows and for many.
    took(0, few, "--cache", "none")
    yield RATE, (many - few) / (took(0, many, "--cache", "none") - took(0, few, "--cache", "none"))
    with conversation(place, task, "--cache", "none") as call:
        yield CALL, latency(call)
    # Each round has rows of its own, so that the first map finds nothing.
    start = 1_000_000 * (place.round + 1)
    took(start, few)
    with conversation(place, task) as call:
        yield CACHED, latency(call, range(start, start + few))


@contextlib.contextmanager
def conversation(place, task, *options):
    """A `hostel map` that executes each argument as it comes, and answers with a line."""
    command = [place.hostel, "map", "--quiet", task, "--over", "x=-", "--data-dir", place.data, *options]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with running(command, place.directory, "map", **pipes) as process:

        def call(x):
            process.stdin.write(f"{x}\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield call


def hostel_commands(place, task):
    yield CALL, latency(lambda x: int(hostel(place, "run", "--quiet", task, str(x), "--cache", "none")))
    for x in range(10):
        hostel(place, "run", "--quiet", task, str(x))
    yield CACHED, latency(lambda x: int(hostel(place, "run", "--quiet", task, str(x))), [x % 10 for x in again()])
    worker = [place.hostel, "worker", "--quiet", "--workers", str(place.cores), "--data-dir", place.data]
    with running(worker, place.directory, "worker"):

        def delayed(x):
            run = hostel(place, "delay", "--cache", "none", task, str(x)).strip()
            ended = hostel(place, "runs", "wait", run)
            return x + 1 if "Completed" in ended else ended

        yield DELAYED, latency(delayed, seconds=1)


def hostel_server(place):
    task = hostel(place, "push", place.component, "--name", "peers").strip() + "#add-one"
    command = [place.hostel, "serve", "--quiet", "--addr", "127.0.0.1:0", "--workers", str(place.cores)]
    command += ["--drain", "1s", "--data-dir", place.data]
    with running(command, place.directory, "serve", stdout=subprocess.PIPE, text=True) as server:
        address = server.stdout.readline().split("//")[1].split("/")[0]
        token = Path(place.data, "token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(address, timeout=40)

        def call(x):
            body = json.dumps({"task": task, "args": [x], "options": {"cache": "none"}})
            connection.request("POST", "/api/v1/runs?wait=30s", body, headers)
            answer = json.load(connection.getresponse())
            return answer.get("value", answer)

        yield DELAYED, latency(call)


def in_rust(place):
    return f"{place.component}#add-one"


def in_python(_place):
    return f"{TASKS}#add_one"


@dataclasses.dataclass
class Peer:
    label: str
    measure: object  # a function of a Place
    requirement: str = ""  # what is installed for it, with its exact version
    memory: object = None  # a function of a Place that measures the memory of its tasks


PEERS = {
    "threads": Peer("`ThreadPoolExecutor`", threads, memory=memory.threads),
    "processes": Peer("`ProcessPoolExecutor`", processes, memory=memory.processes),
    "python-c": Peer("`python -c`", new_interpreters, memory=memory.new_interpreters),
    "joblib": Peer("`joblib.Memory`", joblib_memory, "joblib==1.6.0"),
    "dask-threads": Peer("Dask, threads", lambda place: dask(place, False), "distributed==2026.8.0"),
    "dask-processes": Peer("Dask, processes", lambda place: dask(place, True), "distributed==2026.8.0"),
    "ray": Peer("Ray", ray, "ray==2.60.0"),
    "prefect": Peer("Prefect", prefect, "prefect==3.9.1"),
    "celery": Peer("Celery", celery, "celery[redis,sqlalchemy]==5.7.0"),
    "wasmtime-py": Peer("`wasmtime-py`, Python", wasmtime_py, "wasmtime==50.0.1"),
    "hostel-map": Peer("`hostel map`, Rust", lambda place: hostel_map(place, in_rust(place), 1_000, 101_000)),
    "hostel-map-python": Peer(
        "`hostel map`, Python",
        lambda place: hostel_map(place, in_python(place), 100, 1_100),
        memory=memory.hostel,
    ),
    "hostel-run": Peer("`hostel run` and `delay`, Rust", lambda place: hostel_commands(place, in_rust(place))),
    "hostel-run-python": Peer(
        "`hostel run` and `delay`, Python", lambda place: hostel_commands(place, in_python(place))
    ),
    "hostel-server": Peer("`hostel serve`, over HTTP, Rust", hostel_server),
}


# --- One measurement as a process.


def kill_marked(mark):
    """Kills what a measurement has left, also what has made a process group of its own. Linux only."""
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)


def measure(python, key, what, place, timeout):
    """The columns of one peer, and what went wrong, if anything did. `what` is the field of Peer that measures them."""
    mark = uuid.uuid4().hex
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOSTEL_")}
    environment |= {MARK: mark, "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    output, log = Path(place.directory, "columns.jsonl"), Path(place.directory, "measure.log")
    command = [python, str(SCRIPT), "--measure", json.dumps(dataclasses.asdict(place)), key, what]
    trouble = ""
    with open(log, "w") as file:
        streams = {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": file}
        process = subprocess.Popen(command, **streams, env=environment, cwd=place.directory, start_new_session=True)
        try:
            if process.wait(timeout):
                lines = log.read_text(errors="replace").strip().splitlines()
                trouble = lines[-1] if lines else f"it ended with {process.returncode}"
        except subprocess.TimeoutExpired:
            trouble = f"killed after {timeout:.0f} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kill_marked(mark)
    columns = dict(json.loads(line) for line in output.read_text().splitlines()) if output.exists() else {}
    return columns, trouble


def measured(place, key, what):
    with open(Path(place.directory, "columns.jsonl"), "a") as output:
        for column, value in getattr(PEERS[key], what)(place):
            output.write(json.dumps([column, value]) + "\n")
            output.flush()


# --- The whole.


def say(text):
    print(text, file=sys.stderr, flush=True)


def install(directory, keys):
    """A virtual environment with what the peers need. Returns its Python, and why a requirement is not in it."""
    python = directory / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    missing = {}
    for requirement in dict.fromkeys(PEERS[key].requirement for key in keys):
        if not requirement:
            continue
        say(f"installing {requirement}")
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--prefer-binary", requirement]
        try:
            done = subprocess.run(pip, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
            if done.returncode:
                missing[requirement] = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        except subprocess.TimeoutExpired:
            missing[requirement] = "pip took longer than 300 s"
    return str(python), missing


def prepare_hostel(keys, place):
    """Compiles the component and the runtime, for speed. Returns why a peer cannot be measured."""
    reasons = {}
    for in_python, file, option in ((False, place.component, "--component"), (True, runtime(), "HOSTEL_RUNTIMES")):
        group = [key for key in keys if key.startswith("hostel") and key.endswith("python") == in_python]
        if not group:
            continue
        try:
            needs(place.hostel, "--hostel")
            needs(file, option)
            say(f"compiling {file}")
            if in_python:
                hostel(place, "runtime", "install", "python", str(file))
            hostel(place, "compile", str(file))
        except (OSError, RuntimeError) as error:
            reasons |= dict.fromkeys(group, str(error))
    return reasons


def prepare_wasmtime(keys, python, place):
    """Compiles the runtime with wasmtime-py. Returns why it cannot be measured."""
    file = runtime()
    try:
        for key in keys:
            needs(file, "HOSTEL_RUNTIMES")
            say(f"compiling {file} with {key}")
            command = [python, str(SCRIPT), "--wasmtime-compile", json.dumps(dataclasses.asdict(place)), str(file)]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
            if done.returncode:
                raise RuntimeError((done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1])
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
        return dict.fromkeys(keys, str(error))
    return {}


def runtime():
    """The component that executes functions in Python."""
    return Path(os.environ.get("HOSTEL_RUNTIMES", ROOT / "target/runtimes"), "python.wasm").resolve()


def needs(file, option):
    if not Path(file).is_file():
        raise FileNotFoundError(f"there is no {file}: build it, or name another one with {option}")


def version(key, hostel_path):
    peer = PEERS[key]
    if peer.requirement:
        text = peer.requirement.split("==")[1]
        if key == "celery":
            redis = shutil.which("redis-server")
            text += f", Redis {first_line([redis, '--version'], 2)[2:]}" if redis else ", SQLite"
        return text
    return first_line([hostel_path, "--version"], 1) if key.startswith("hostel") else platform.python_version()


def first_line(command, word):
    return subprocess.run(command, capture_output=True, text=True).stdout.split()[word]


def machine(hostel_path):
    try:
        infos = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":")[1].strip() for line in infos if line.startswith("model name"))
        memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    except (OSError, StopIteration):
        cpu, memory = platform.processor() or platform.machine(), float("nan")
    parts = [cpu, f"{cores()} cores", f"{memory:.0f} GiB", f"{platform.system()} {platform.release()}"]
    parts.append(f"Python {platform.python_version()}")
    if Path(hostel_path).is_file():
        parts.append(f"Hostel {first_line([hostel_path, '--version'], 1)}")
    return ", ".join([*parts, time.strftime("%Y-%m-%d")])


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def cell(column, values):
    """The median, with two significant digits."""
    if not values:
        return "–"
    value = statistics.median(values)
    if column == RATE:
        return f"{float(f'{value:.2g}'):,.0f}/s"
    if column in memory.COLUMNS:
        unit, scale = ("MiB", 2**20) if value >= 2**20 else ("KiB", 2**10)
        return f"{float(f'{value / scale:.2g}'):g} {unit}"
    unit, scale = next((unit for unit in (("µs", 1e6), ("ms", 1e3)) if value * unit[1] < 999.5), ("s", 1))
    return f"{float(f'{value * scale:.2g}'):g} {unit}"


def arguments():
    asleep = [key for key, peer in PEERS.items() if peer.memory]
    parser = argparse.ArgumentParser(description="Compares Hostel with its peers, and prints one Markdown table.")
    parser.add_argument("--hostel", default=str(ROOT / "target/release/hostel"), help="Hostel's program")
    parser.add_argument("--component", default="", help="the guest arith, which exports add-one")
    parser.add_argument("--only", default="", help=f"names joined by commas, or their beginnings: {', '.join(PEERS)}")
    parser.add_argument("--memory", action="store_true", help=f"measure the memory of sleeping tasks: {', '.join(asleep)}")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured, in turns [default: 5]")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one measurement [default: 60]")
    parser.add_argument("--seconds", type=float, default=320, help="start nothing after this long [default: 320]")
    parser.add_argument("--venv", type=Path, help="where to install the peers, and keep them [default: temporary]")
    chosen = parser.parse_args()
    names = [name for name in chosen.only.split(",") if name]
    keys = asleep if chosen.memory else list(PEERS)
    unknown = [name for name in names if not any(key.startswith(name) for key in keys)]
    if unknown:
        what = "memory is not measured of" if chosen.memory else "there is no peer"
        parser.error(f"{what} {', '.join(unknown)}: expected one of {', '.join(keys)}")
    if chosen.rounds < 1:
        parser.error(f"--rounds {chosen.rounds}: expected 1 or more")
    chosen.columns = memory.COLUMNS if chosen.memory else COLUMNS
    chosen.keys = [key for key in keys if not names or any(key.startswith(name) for name in names)]
    built = sorted(ROOT.glob("target/guests/*/wasm32-wasip2/release/arith.wasm"), key=os.path.getmtime)
    chosen.component = os.path.abspath(chosen.component or (built[-1] if built else "arith.wasm"))
    chosen.hostel = os.path.abspath(chosen.hostel)
    return chosen


def main():
    chosen = arguments()
    end = time.monotonic() + chosen.seconds
    load = os.getloadavg()[0]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    target = ROOT / "target"
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="peers.", dir=target, ignore_cleanup_errors=True) as work:
        work = Path(work)
        python, missing = install(chosen.venv.resolve() if chosen.venv else work / "venv", chosen.keys)
        files = [str(work / name) for name in ("data", "python.cwasm")]
        everywhere = Place("", 0, cores(), chosen.hostel, chosen.component, *files)
        skipped = {key: missing[PEERS[key].requirement] for key in chosen.keys if PEERS[key].requirement in missing}
        skipped |= prepare_hostel(chosen.keys, everywhere)
        skipped |= prepare_wasmtime({"wasmtime-py"}.intersection(chosen.keys).difference(skipped), python, everywhere)
        found = {key: {column: [] for column in chosen.columns} for key in chosen.keys}
        for number in range(chosen.rounds):
            for key in chosen.keys:
                if key in skipped or time.monotonic() > end:
                    continue
                say(f"round {number + 1} of {chosen.rounds}: {key}")
                directory = work / f"{key}-{number}"
                directory.mkdir()
                place = dataclasses.replace(everywhere, directory=str(directory), round=number)
                began = time.monotonic()
                columns, trouble = measure(python, key, "memory" if chosen.memory else "measure", place, chosen.timeout)
                say(f"  took {time.monotonic() - began:.1f} s")
                for column, value in columns.items():
                    found[key][column].append(value)
                if trouble:
                    skipped[key] = trouble
                    say(f"  {trouble}")
    print_table(chosen, found, skipped, load)


def print_table(chosen, found, skipped, load):
    print(f"| peer | version | {' | '.join(chosen.columns)} |")
    print("|---" * (len(chosen.columns) + 2) + "|")
    for key, columns in found.items():
        if any(columns.values()):
            cells = [cell(column, columns[column]) for column in chosen.columns]
            print(f"| {PEERS[key].label} | {version(key, chosen.hostel)} | {' | '.join(cells)} |")
    rounds = {len(values) for columns in found.values() for values in columns.values() if values} or {0}
    rounds = "–".join(str(count) for count in sorted({min(rounds), max(rounds)}))
    print(f"\n{machine(chosen.hostel)}, load {load:.1f} at the start. {cores()} workers. Medians of rounds in turns: {rounds}.")
    for reason in dict.fromkeys(skipped.values()):
        print(f"\n{'; '.join(PEERS[key].label for key in skipped if skipped[key] == reason)}: {reason}")


if __name__ == "__main__":
    roles = {
        "--measure": measured,
        "--prefect-worker": prefect_worker,
        "--celery-worker": celery_worker,
        "--wasmtime-compile": wasmtime_compile,
    }
    if len(sys.argv) > 2 and sys.argv[1] in roles:
        roles[sys.argv[1]](Place(**json.loads(sys.argv[2])), *sys.argv[3:])
    else:
        main()
