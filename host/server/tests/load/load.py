#!/usr/bin/env python3
"""Load and faults for a real server, on request: python3 host/server/tests/load/load.py

Needs Linux, Python 3.9 and nothing else. The server is target/release/hostel or another one with --hostel, the guests those
that `cargo build --workspace --tests` makes, or others with --guests. Its data is in a new directory below --dir, by default the system's
for temporary files, which needs 2 GiB. Takes about ten minutes; --scale 0.01 is a try in less than a minute, and --only kill,logs leaves
out the rest. It prints a table of what it saw, and exits with 1 if an acknowledged run was lost, a file was half stored, or a check failed.

  uploads       10,000 uploads: whole, cut off, with another digest, no component, too long, compressed, and slow
  connections   512 connections at once, and one more
  streams       64 event streams, of which one is not read, while runs execute; and one more
  kill          kill -9 of the server under 500 submits a second, three times: every acknowledged run ends with its result
  logs          1 GiB of logs, with one log followed from its first line
"""

import argparse
import collections
import hashlib
import http.client
import json
import os
import pathlib
import random
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid

# Seconds for one answer, and for a server to start.
PATIENCE = 120
# The limits of the server, as /api/v1/info names them.
CONNECTIONS = 512
STREAMS = 64
COMPONENT_BYTES = 64 << 20
# What the host's own files are called before they are complete.
UNFINISHED = ".new-"

rows = []
problems = []


def row(part, what, saw):
    rows.append((part, what, saw))
    print(f"  {what}: {saw}", file=sys.stderr, flush=True)


def check(part, is_so, problem):
    if not is_so:
        problems.append(f"{part}: {problem}")
        print(f"  PROBLEM: {problem}", file=sys.stderr, flush=True)


def mebibytes(kibibytes):
    return f"{kibibytes / 1024:.0f} MiB"


class Server:
    """A server in a process of its own, with a data directory that outlives it."""

    def __init__(self, hostel, data, *more):
        self.data = data
        command = [hostel, "serve", "--quiet", "--addr", "127.0.0.1:0", "--drain", "5s", "--data-dir", data, *more]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        if "#login=" not in line:
            self.kill()
            raise SystemExit(f"the server has printed no address within {PATIENCE} s: {line!r}")
        self.address = line.split("//")[1].split("/")[0]
        self.host, port = self.address.rsplit(":", 1)
        self.port = int(port)
        self.token = (data / "token").read_text().strip()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            return "nothing within the time, so it was killed"

    def client(self):
        return http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)

    def headers(self, **more):
        return {"Authorization": f"Bearer {self.token}", **{name.replace("_", "-"): value for name, value in more.items()}}

    def ask(self, client, method, path, body=None, content_type="application/json"):
        """The status and the JSON of an answer."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        client.request(method, "/api/v1" + path, body, self.headers(Content_Type=content_type) if body is not None else self.headers())
        answer = client.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    def raw(self, method, path, *headers):
        """A connection on which the head of a request was sent."""
        stream = socket.create_connection((self.host, self.port), timeout=PATIENCE)
        lines = [f"{method} /api/v1{path} HTTP/1.1", f"Host: {self.address}", f"Authorization: Bearer {self.token}", *headers]
        stream.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return stream

    def upload(self, file):
        component = file.read_bytes()
        digest = "sha256:" + hashlib.sha256(component).hexdigest()
        status, answer = self.ask(self.client(), "PUT", f"/components/{digest}", component, "application/wasm")
        if status not in (200, 201):
            raise SystemExit(f"{file} is not taken: {answer}")
        return digest

    def status(self, name):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1])
        return 0

    def memory(self):
        """Its resident memory in KiB."""
        return self.status("VmRSS")

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak(self):
        return self.status("VmHWM")

    def open_ones(self):
        """How many sockets are open, and how many files without a name, which bodies are collected in. Not the files of databases, which
        stay open for later readers."""
        links = []
        for descriptor in os.listdir(f"/proc/{self.process.pid}/fd"):
            try:
                links.append(os.readlink(f"/proc/{self.process.pid}/fd/{descriptor}"))
            except OSError:
                # Closed meanwhile.
                pass
        # Images of the memories of guests have no name, either.
        unnamed = [link for link in links if link.endswith(" (deleted)") and not link.startswith("/memfd:")]
        return sum(link.startswith("socket:") for link in links), len(unnamed)

    def settle(self, before):
        """Waits until as few are open again; at most 20 s."""
        end = time.monotonic() + 20
        while self.open_ones() > before and time.monotonic() < end:
            time.sleep(0.1)
        return self.open_ones()


class Memory:
    """What a part has done to the memory and the open files of a server."""

    def __init__(self, part, server):
        self.part, self.server = part, server
        server.forget_peak()
        self.before, self.open_ones = server.memory(), server.open_ones()

    def report(self):
        # Before the wait, which gives memory back.
        peak = self.server.peak()
        left = self.server.settle(self.open_ones)
        row(self.part, "memory before, at its peak, after", " → ".join(map(mebibytes, (self.before, peak, self.server.memory()))))
        row(self.part, "open sockets, and files of bodies, before and after", f"{self.open_ones} → {left}")
        check(self.part, left <= self.open_ones, "sockets or files of bodies are still open")


def half_stored(data):
    """Files that are not complete: with the name of an unfinished one, or a component with other bytes than its name says."""
    found = []
    for file in data.rglob("*"):
        if file.name.startswith(UNFINISHED) and file.is_file():
            found.append(file)
        elif file.parent.name == "components" and file.suffix == ".wasm":
            if hashlib.sha256(file.read_bytes()).hexdigest() != file.stem:
                found.append(file)
        elif file.parent.name == "uploads" and hashlib.sha256(file.read_bytes()).hexdigest() != file.name:
            found.append(file)
    return found


def status_of(stream):
    """The status of the answer on a connection; `closed` if there is none."""
    try:
        head = stream.makefile("rb").readline()
        return int(head.split()[1]) if head else "closed"
    except (OSError, IndexError, ValueError):
        return "closed"


def with_section(component, number):
    """The same component with a custom section, so that it has a digest of its own."""
    content = b"\x04load" + number.to_bytes(4, "little")
    return component + bytes([0, len(content)]) + content


def in_threads(count, work):
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def uploads(server, guests, scale):
    part = "uploads"
    total, slow = max(100, int(10_000 * scale)), 64
    component = (guests / "arith.wasm").read_bytes()
    digest = hashlib.sha256(component).hexdigest()
    server.upload(guests / "arith.wasm")
    expected = {
        "whole": {200},
        "new": {201},
        "wrong digest": {422},
        "no component": {422},
        "too long": {413},
        "compressed": {415},
        "cut off": {"closed"},
    }
    seen = {kind: collections.Counter() for kind in expected}
    new, lock = set(), threading.Lock()
    numbers = iter(range(total))

    def kind_of(number):
        # Of each 100: 40 cut off, 25 with another digest, 15 no component, 9 known, 5 too long, 5 compressed, 1 new.
        place = number % 100
        for kind, end in (("cut off", 40), ("wrong digest", 65), ("no component", 80), ("whole", 89), ("too long", 94), ("compressed", 99)):
            if place < end:
                return kind
        return "new"

    def send(number):
        kind, body, name = kind_of(number), component, digest
        headers = ["Content-Type: application/wasm"]
        length = len(body)
        if kind == "new":
            body = with_section(component, number)
            name, length = hashlib.sha256(body).hexdigest(), len(body)
            with lock:
                new.add(name)
        elif kind == "wrong digest":
            name = hashlib.sha256(str(number).encode()).hexdigest()
        elif kind == "no component":
            body = random.Random(number).randbytes(4096)
            name, length = hashlib.sha256(body).hexdigest(), len(body)
        elif kind == "too long":
            length = COMPONENT_BYTES + 1
        elif kind == "compressed":
            headers.append("Content-Encoding: gzip")
        elif kind == "cut off":
            body = body[: number * 97 % len(body)]
            name = hashlib.sha256(with_section(component, number)).hexdigest() if number % 2 else name
        stream = server.raw("PUT", f"/components/sha256:{name}", f"Content-Length: {length}", *headers)
        with stream:
            try:
                stream.sendall(body)
                if kind == "cut off":
                    if number % 3 == 0:
                        # Without a goodbye: the system sends a reset.
                        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                    return kind, "closed"
            except OSError:
                # Refused before all of it was sent.
                pass
            return kind, status_of(stream)

    def work(_):
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                kind, status = send(number)
            except OSError as error:
                kind, status = kind_of(number), type(error).__name__
            with lock:
                seen[kind][status] += 1

    finished = threading.Event()

    def send_slowly(_):
        """A byte now and then, until the others have ended."""
        stream = server.raw("PUT", f"/components/sha256:{digest}", f"Content-Length: {len(component)}", "Content-Type: application/wasm")
        with stream:
            for byte in component:
                if finished.wait(0.25):
                    return
                try:
                    stream.sendall(bytes([byte]))
                except OSError:
                    return

    memory = Memory(part, server)
    began = time.monotonic()
    slowly = threading.Thread(target=in_threads, args=(slow, send_slowly))
    slowly.start()
    in_threads(32, work)
    took = time.monotonic() - began
    finished.set()
    slowly.join()
    row(part, f"{total} uploads beside {slow} slow ones", f"{took:.0f} s")
    for kind, statuses in seen.items():
        row(part, kind, ", ".join(f"{status}: {count}" for status, count in statuses.items()))
        check(part, set(statuses) <= expected[kind], f"{kind}: expected {expected[kind]}, saw {dict(statuses)}")
    memory.report()
    stored = {file.stem for file in (server.data / "components").glob("*.wasm")}
    row(part, "components stored, half stored", f"{len(stored)}, {len(half_stored(server.data))}")
    check(part, stored == new | {digest}, f"{len(stored - new - {digest})} components that nobody sent, {len(new - stored)} that are missing")
    check(part, not half_stored(server.data), f"half stored: {half_stored(server.data)}")


def connections(server, _guests, _scale):
    part = "connections"
    memory = Memory(part, server)
    open_ones, statuses = [], collections.Counter()
    for _ in range(CONNECTIONS):
        client = server.client()
        status, _ = server.ask(client, "GET", "/info")
        statuses[status] += 1
        open_ones.append(client)
    row(part, f"{CONNECTIONS} connections that stay open", ", ".join(f"{status}: {count}" for status, count in statuses.items()))
    check(part, statuses == {200: CONNECTIONS}, f"expected 200 on each: {dict(statuses)}")
    again = collections.Counter()
    for client in open_ones:
        # The server may have ended one that was quiet for ten seconds.
        try:
            again[server.ask(client, "GET", "/info")[0]] += 1
        except (OSError, http.client.HTTPException):
            again["ended by the server"] += 1
            client.close()
    row(part, "a second request on each", ", ".join(f"{status}: {count}" for status, count in again.items()))
    more = server.raw("GET", "/info")
    more.settimeout(2)
    waited = status_of(more) == "closed"
    for client in open_ones:
        client.close()
    more.close()
    row(part, "one more connection", "waits" if waited else "is served")
    status, _ = server.ask(server.client(), "GET", "/info")
    check(part, status == 200, f"afterwards it answers {status}")
    memory.report()


def streams(server, guests, scale):
    part = "streams"
    total = max(200, int(20_000 * scale))
    task = server.upload(guests / "arith.wasm") + "#add"
    memory = Memory(part, server)
    completed, gaps, lock = [0] * STREAMS, [0] * STREAMS, threading.Lock()
    sockets = [server.raw("GET", "/events") for _ in range(STREAMS)]
    slow = sockets[-1]
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    heads = collections.Counter(status_of_head(stream) for stream in sockets)
    row(part, f"{STREAMS} event streams", ", ".join(f"{status}: {count}" for status, count in heads.items()))
    with server.raw("GET", "/events") as more:
        status = status_of(more)
    row(part, "one more stream", status)
    check(part, status == 429, f"one more stream: expected 429, saw {status}")
    over = threading.Event()

    def read(number):
        stream, left = sockets[number], b""
        stream.settimeout(1)
        while not over.is_set():
            try:
                received = stream.recv(1 << 16)
            except socket.timeout:
                continue
            except OSError:
                return
            if not received:
                return
            lines = (left + received).split(b"\n")
            left = lines.pop()
            for line in lines:
                completed[number] += b'"kind":"Completed"' in line
                gaps[number] += line == b"event: gap"

    readers = threading.Thread(target=in_threads, args=(STREAMS - 1, read))
    readers.start()
    began = time.monotonic()
    head = json.dumps({"task": task, "options": {"cache": "none"}})
    lines = [head, *(f"[{number}, 1]" for number in range(total))]
    status, answer = server.ask(server.client(), "POST", "/maps", "\n".join(lines).encode(), "application/jsonl")
    check(part, status == 201, f"the map is not taken: {status} {answer}")
    end = time.monotonic() + 300
    done = lambda: min(completed[:-1]) >= total or all(gaps[n] or completed[n] >= total for n in range(STREAMS - 1))
    while not done() and time.monotonic() < end:
        time.sleep(0.05)
    row(part, f"{total} runs, until all readers knew of their ends", f"{time.monotonic() - began:.1f} s")
    row(part, "ends that the fewest-served reader saw, readers with a gap", f"{min(completed[:-1])}, {sum(map(bool, gaps))}")
    check(part, done(), "a reader has missed ends of runs, and was not told of a gap")
    row(part, "memory with all streams open", mebibytes(server.memory()))
    over.set()
    readers.join()
    for stream in sockets:
        stream.close()
    memory.report()


def status_of_head(stream):
    """The status of an answer that goes on. Reads its head, byte by byte, and no more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        if not byte:
            return "closed"
        head += byte
    return int(head.split()[1])


def kill(options, data, guests, scale):
    part = "kill"
    # Runs by id with what they have to return, of those that were acknowledged.
    acknowledged = {}
    server = Server(options.hostel, data)
    try:
        task = server.upload(guests / "arith.wasm") + "#add"
        for round_number in range(1, 4):
            sent = submit_until_killed(server, task, acknowledged, max(1.0, 6 * scale), round_number)
            server = Server(options.hostel, data)
            row(part, f"round {round_number}: sent, acknowledged in all", f"{sent}, {len(acknowledged)}")
        watch_ends(part, server, acknowledged)
        row(part, "half-stored files", len(half_stored(data)))
        # What a killed process was writing stays until the next sweep; no file may be under its own name.
        are_unfinished = all(file.name.startswith(UNFINISHED) for file in half_stored(data))
        check(part, are_unfinished, "a component has other bytes than its name says")
        row(part, "exit code after SIGTERM", server.stop())
    finally:
        server.kill()


def watch_ends(part, server, acknowledged):
    """Waits until all acknowledged runs have ended, and reports those that did not, or wrongly."""
    began = time.monotonic()
    left, wrong, lost = dict(acknowledged), [], []
    client = server.client()
    end = began + 300
    while left and time.monotonic() < end:
        for run, value in list(left.items()):
            status, answer = server.ask(client, "GET", f"/runs/{run}")
            if status == 404:
                lost.append(run)
            elif answer["state"] in ("Completed", "Cached"):
                if answer["value"] != value:
                    wrong.append(run)
            elif answer["state"] in ("Failed", "TimedOut", "Crashed", "Cancelled", "UpstreamFailed"):
                wrong.append(run)
            else:
                continue
            del left[run]
        if left:
            time.sleep(0.5)
    row(part, "acknowledged, lost, ended wrongly, not ended", f"{len(acknowledged)}, {len(lost)}, {len(wrong)}, {len(left)}")
    row(part, "from the last start until all had ended", f"{time.monotonic() - began:.0f} s")
    check(part, not lost, f"lost: {lost[:5]}")
    check(part, not wrong, f"ended wrongly: {wrong[:5]}")
    check(part, not left, f"not ended within 300 s: {list(left)[:5]}")
    check(part, acknowledged, "no run was acknowledged")


def submit_until_killed(server, task, acknowledged, seconds, round_number):
    """Submits about 500 runs a second, and kills the server in the middle of it."""
    clients, each = 16, 500 / 16
    lock, sent = threading.Lock(), [0]

    def work(number):
        client, began, count = server.client(), time.monotonic(), 0
        while True:
            wait = began + count / each - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            run, count = str(uuid.uuid4()), count + 1
            left = round_number * 1_000_000 + number * 10_000 + count
            with lock:
                sent[0] += 1
            try:
                status, _ = server.ask(client, "PUT", f"/runs/{run}", {"task": task, "args": [left, 1]})
            except (OSError, http.client.HTTPException, ValueError):
                return
            if status in (200, 201):
                with lock:
                    acknowledged[run] = left + 1
            else:
                check("kill", False, f"a submit was answered with {status}")

    threads = threading.Thread(target=in_threads, args=(clients, work))
    threads.start()
    time.sleep(seconds)
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    threads.join()
    return sent[0]


def logs(server, guests, scale):
    part = "logs"
    runs = 16
    each = max(1 << 20, int((64 << 20) * scale))
    component = server.upload(guests / "log_flood.wasm")
    client = server.client()
    memory = Memory(part, server)
    began = time.monotonic()
    ids = []
    for number in range(runs):
        # Each a little longer than the one before, so that they are different runs.
        request = {"task": f"{component}#long-line", "args": [each + number], "options": {"cache": "none", "max-log": "256MiB"}}
        status, answer = server.ask(client, "POST", "/runs", request)
        check(part, status == 201, f"a run is not taken: {status} {answer}")
        ids.append(answer["run"])
    followed = follow(server, ids[-1])
    states = collections.Counter()
    for run in ids:
        end = time.monotonic() + 300
        while True:
            _, answer = server.ask(client, "GET", f"/runs/{run}?wait=30s")
            if answer["state"] in ("Completed", "Failed", "Crashed") or time.monotonic() > end:
                states[answer["state"]] += 1
                break
    row(part, f"{runs} runs that print {each / (1 << 20):.0f} MiB each", f"{time.monotonic() - began:.0f} s, {dict(states)}")
    check(part, states == {"Completed": runs}, f"not all runs have completed: {dict(states)}")
    row(part, "of a log that was followed, bytes of text", f"{followed} of {each + runs - 1}")
    check(part, followed == each + runs - 1, "the followed log is not whole")
    pages = time.monotonic()
    status, answer = server.ask(client, "GET", f"/runs/{ids[0]}/logs?limit=500")
    row(part, "a page of 500 lines", f"{(time.monotonic() - pages) * 1e3:.0f} ms, {len(json.dumps(answer)) / (1 << 20):.0f} MiB")
    size = sum(file.stat().st_size for file in server.data.glob("logs-*"))
    row(part, "size of the logs on disk", f"{size / (1 << 20):.0f} MiB")
    memory.report()


def follow(server, run):
    """Follows a log until its run has ended; how many bytes of text it has."""
    client = server.client()
    client.request("GET", f"/api/v1/runs/{run}/logs?follow=true", headers=server.headers())
    answer = client.getresponse()
    text = 0
    for line in answer:
        if line.strip():
            text += len(json.loads(line)["text"].encode())
    client.close()
    return text


PARTS = {"uploads": uploads, "connections": connections, "streams": streams, "kill": None, "logs": logs}


def main():
    root = pathlib.Path(__file__).resolve().parents[4]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hostel", default=root / "target/release/hostel", type=pathlib.Path, help="the program")
    parser.add_argument("--guests", type=pathlib.Path, help="a directory with arith.wasm and log_flood.wasm")
    parser.add_argument("--dir", type=pathlib.Path, help="where to put the data directories")
    parser.add_argument("--scale", type=float, default=1, help="how much of it: 1 is all, 0.01 a try")
    parser.add_argument("--only", default=",".join(PARTS), help="some of the parts, joined by commas")
    options = parser.parse_args()
    options.hostel = options.hostel.resolve()
    found = sorted(root.glob("target/guests/*/wasm32-wasip2/release/arith.wasm"), key=lambda file: file.stat().st_mtime)
    guests = options.guests or (found[-1].parent if found else None)
    if not options.hostel.is_file():
        raise SystemExit(f"there is no {options.hostel}: run cargo build --release, or name another program with --hostel")
    if guests is None or not (guests / "log_flood.wasm").is_file():
        raise SystemExit("there are no guests: cargo build --workspace --tests makes them, or name others with --guests")
    names = options.only.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        raise SystemExit(f"unknown part {unknown[0]!r}: expected some of {', '.join(PARTS)}")
    # Each connection has a descriptor here and one in the server, which inherits the limit.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        data = pathlib.Path(tempfile.mkdtemp(prefix="hostel-load-", dir=options.dir)) / "data"
        try:
            if name == "kill":
                kill(options, data, guests, options.scale)
                continue
            server = Server(options.hostel, data)
            try:
                PARTS[name](server, guests, options.scale)
                row(name, "exit code after SIGTERM", server.stop())
            finally:
                server.kill()
        finally:
            shutil.rmtree(data.parent, ignore_errors=True)
    print("| part | what | saw |\n|---|---|---|")
    for line in rows:
        print("| {} | {} | {} |".format(*line))
    for problem in problems:
        print(f"\nPROBLEM: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
