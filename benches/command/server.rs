//! What the HTTP API costs: a real `hostel serve` on a loopback address, and connections that stay open.
//!
//! `cargo bench -p hostel-command-benches --bench server`, with `-- DIRECTORY` for another disk than that of the build, and `-- --runs N` for
//! another length of the list (1,000,000 takes a few minutes to store).
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that cannot measure must stop, and its numbers are for people"
)]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use hostel_core::journal::Journal;
use hostel_core::{Digest, ExportPath, RunId, RunSpec, TaskKey, TaskSpec};
use hostel_journal::SqliteJournal;

/// Connections that submit at once.
const CLIENTS: usize = 16;

/// Runs that each of them submits.
const SUBMITS: usize = 500;

/// Requests for a median.
const ROUNDS: usize = 201;

/// The most seconds that a server may take to start.
const START: Duration = Duration::from_secs(60);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let runs = arguments
        .iter()
        .position(|argument| argument == "--runs")
        .map_or(1_000_000, |place| arguments[place + 1].parse().expect("a number"));
    let base = arguments
        .first()
        .filter(|first| !first.starts_with("--"))
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    println!("in {}\n\n| what | figure |\n|---|---|", base.display());
    let data = tempfile::tempdir_in(&base).expect("a directory");
    row("write and fsync of 4 KiB, to compare", &format!("{:.2} ms, median", ms(fsync(data.path()))));
    small(data.path());
    submits(data.path());
    let data = tempfile::tempdir_in(&base).expect("a directory");
    lists(data.path(), runs);
}

/// One run at a time, waited for: executed, and cached.
fn small(data: &Path) {
    let server = Server::start(data, &[]);
    thread::sleep(Duration::from_secs(2));
    row("memory of an idle server", &server.memory());
    let before = server.processor();
    thread::sleep(Duration::from_secs(5));
    row("processor time of an idle server in 5 s", &format!("{:.0} ms", ms(server.processor() - before)));
    let mut client = server.client();
    let task = client.upload(hostel_guests::ARITH);
    let post = |client: &mut Client, value: usize| {
        let body = format!(r#"{{"task": "{task}#add", "args": [{value}, 1]}}"#);
        let (status, answer) =
            client.send("POST", "/api/v1/runs?wait=60s", "application/json", body.as_bytes());
        assert_eq!(status, 200, "{answer}");
    };
    let mut value = 0;
    let executed = median(|| {
        value += 1;
        post(&mut client, value);
    });
    row("`POST /runs?wait=` of a small task", &format!("{:.2} ms, median", ms(executed)));
    let cached = median(|| post(&mut client, 1));
    row("the same, cached", &format!("{:.2} ms, median", ms(cached)));
}

/// Submissions that are not waited for, and that nobody executes meanwhile.
fn submits(data: &Path) {
    let server = Server::start(data, &["--workers", "0"]);
    let task = server.client().upload(hostel_guests::ARITH);
    let began = Instant::now();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (server, task) = (&server, &task);
            scope.spawn(move || {
                let mut connection = server.client();
                for number in 0..SUBMITS {
                    let value = client * SUBMITS + number;
                    let body = format!(r#"{{"task": "{task}#add", "args": [{value}, 2], "in": "1d"}}"#);
                    let (status, answer) =
                        connection.send("POST", "/api/v1/runs", "application/json", body.as_bytes());
                    assert_eq!(status, 201, "{answer}");
                }
            });
        }
    });
    let each = (CLIENTS * SUBMITS) as f64 / began.elapsed().as_secs_f64();
    row(&format!("submits from {CLIENTS} connections"), &format!("{each:.0} a second"));
}

/// Pages of a long list.
fn lists(data: &Path, runs: usize) {
    fill(data, runs);
    let server = Server::start(data, &["--workers", "0"]);
    let mut client = server.client();
    for path in [
        "/api/v1/runs?limit=100",
        "/api/v1/runs?limit=100&state=scheduled",
        "/api/v1/runs?limit=100&state=failed",
        "/api/v1/runs?limit=100&task=add&state=scheduled",
        "/api/v1/counts",
        "/api/v1/counts?bucket=10m",
    ] {
        let took = median(|| {
            let (status, answer) = client.send("GET", path, "", b"");
            assert_eq!(status, 200, "{answer}");
        });
        row(&format!("`GET {path}` of {runs} runs"), &format!("{:.2} ms, median", ms(took)));
    }
    row(&format!("memory after lists of {runs} runs"), &server.memory());
}

/// Stores runs that are due tomorrow.
fn fill(data: &Path, runs: usize) {
    let journal = SqliteJournal::open(data).expect("a journal");
    let now = SystemTime::now().into();
    let task = TaskKey { component: Digest::of(b"a component"), export: ExportPath::top_level("add") };
    let spec = std::sync::Arc::new(TaskSpec::default());
    let due = hostel_core::Timestamp::after(now, Duration::from_secs(24 * 60 * 60));
    let numbers: Vec<u64> = (1..=runs as u64).collect();
    for part in numbers.chunks(1_000) {
        let specs: Vec<_> = part
            .iter()
            .map(|number| {
                let mut id = [0; 16];
                id[8..].copy_from_slice(&number.to_be_bytes());
                let mut run =
                    RunSpec::new(RunId::from_bytes(id), task.clone(), std::sync::Arc::clone(&spec), now);
                run.due = Some(due);
                run
            })
            .collect();
        journal.submit(now, &specs).expect("they are stored");
    }
}

/// A server in a process of its own, which ends when this is dropped.
struct Server {
    process: Child,
    address: String,
    token: String,
}

impl Server {
    fn start(data: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostel-measured"));
        command.args(["serve", "--quiet", "--addr", "127.0.0.1:0", "--data-dir"]).arg(data).args(more);
        let mut process = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("a pipe");
        let began = Instant::now();
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert!(began.elapsed() < START, "the server takes too long to start");
        let address =
            line.trim().trim_start_matches("http://").split('/').next().expect("an address").to_owned();
        let token = fs::read_to_string(data.join("token")).expect("a token").trim().to_owned();
        Self { process, address, token }
    }

    fn client(&self) -> Client {
        let stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(START)).expect("an option");
        let reader = BufReader::new(stream.try_clone().expect("a second handle"));
        Client { stream, reader, address: self.address.clone(), token: self.token.clone() }
    }

    /// Its memory, by proc(5).
    fn memory(&self) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or(" unknown");
        resident.trim().to_owned()
    }

    /// Its processor time, by proc(5): fields 14 and 15 of `stat`, in hundredths of a second nearly everywhere.
    fn processor(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let fields = after_name.split_whitespace().skip(11).take(2);
        Duration::from_millis(10 * fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already if there is no such process.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// A connection that stays open.
struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    address: String,
    token: String,
}

impl Client {
    /// Uploads a component, and returns its digest.
    fn upload(&mut self, file: &str) -> String {
        let bytes = fs::read(file).expect("a component");
        let digest = Digest::of(&bytes).to_string();
        let path = format!("/api/v1/components/{digest}");
        let (status, answer) = self.send("PUT", &path, "application/wasm", &bytes);
        assert!([200, 201].contains(&status), "{answer}");
        digest
    }

    fn send(&mut self, method: &str, path: &str, ty: &str, body: &[u8]) -> (u16, String) {
        let Self { address, token, .. } = self;
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n");
        if method != "GET" {
            head += &format!("Content-Type: {ty}\r\nContent-Length: {}\r\n", body.len());
        }
        head += "\r\n";
        let request = [head.as_bytes(), body].concat();
        self.stream.write_all(&request).expect("it reads");
        self.receive()
    }

    fn receive(&mut self) -> (u16, String) {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("an answer");
        let status = line.split(' ').nth(1).expect("a status").parse().expect("a number");
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).expect("a header");
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().expect("a number");
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).expect("a body");
        (status, String::from_utf8_lossy(&body).into_owned())
    }
}

fn fsync(dir: &Path) -> Duration {
    let mut file = File::create(dir.join("probe")).expect("a file");
    median(|| {
        file.write_all(&[0; 4096]).expect("room");
        file.sync_all().expect("a disk");
    })
}

fn median(mut call: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            call();
            began.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2]
}

fn row(what: &str, figure: &str) {
    println!("| {what} | {figure} |");
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
