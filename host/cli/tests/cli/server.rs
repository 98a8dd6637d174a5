//! A server for tests of commands that use one, and a stand-in for servers that this version does not have.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::hostel::{Place, Ran};

/// So long anything may take. Then it is killed, and the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Kills a process that takes too long. Dropped before that, it does nothing.
pub(crate) struct Watchdog(#[expect(dead_code, reason = "its end is the signal")] Sender<()>);

impl Watchdog {
    pub(crate) fn of(child: &Child) -> Self {
        Self::killing(child.id().to_string(), PATIENCE)
    }

    /// Kills all processes of the group that the child leads, if they take longer than this.
    pub(crate) fn of_group(child: &Child, patience: Duration) -> Self {
        Self::killing(format!("-{}", child.id()), patience)
    }

    /// `process` is one for `kill`.
    fn killing(process: String, patience: Duration) -> Self {
        let (alive, ended) = channel::<()>();
        thread::spawn(move || {
            if ended.recv_timeout(patience) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                // It may have ended meanwhile.
                let _ = Command::new("kill").args(["-KILL", "--", &process]).status();
            }
        });
        Self(alive)
    }
}

/// What a command does, which is killed if it takes too long.
#[track_caller]
pub(crate) fn ran(mut command: Command) -> Ran {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let watchdog = Watchdog::of(&child);
    let output: Output = child.wait_with_output().unwrap();
    drop(watchdog);
    assert!(output.status.code().is_some(), "{command:?} took longer than {PATIENCE:?}: {output:?}");
    Ran::of(output)
}

/// A server with a data directory of its own, which is killed when the test ends, and a place for commands that use it.
pub(crate) struct Server {
    child: Child,
    _watchdog: Watchdog,
    pub(crate) place: Place,
    /// Where the commands are executed. Its data directory is another one.
    pub(crate) client: Place,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(options: &str) -> Self {
        let place = Place::with_data_dir();
        let (child, watchdog, address) = serve(&place, "127.0.0.1:0", options);
        Self { child, _watchdog: watchdog, place, client: Place::with_data_dir(), address }
    }

    /// Kills the server, and starts another one at the same address.
    pub(crate) fn restart(&mut self, options: &str) {
        self.kill();
        let address = self.address.clone();
        (self.child, self._watchdog, _) = serve(&self.place, &address, options);
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn token(&self) -> String {
        std::fs::read_to_string(self.place.data_dir().join("token")).unwrap().trim().to_owned()
    }

    /// A command with the server and its token in the environment.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = self.client.command(line);
        command.env("HOSTEL_SERVER", self.url()).env("HOSTEL_TOKEN", self.token());
        command
    }

    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> Ran {
        ran(self.command(line))
    }

    /// What the command prints, which succeeds.
    #[track_caller]
    pub(crate) fn completed(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
        ran.stdout.trim_end().to_owned()
    }

    /// The command fails with this exit code and message, and prints nothing.
    #[track_caller]
    pub(crate) fn refused(&self, line: &str, code: i32, message: &str) {
        let ran = self.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{line}: {}", ran.stderr);
    }

    /// What a terminal shows of these commands.
    pub(crate) fn session(&self, lines: &[&str]) -> String {
        let session = lines.iter().map(|line| format!("$ hostel {line}\n{}\n", self.run(line)));
        session.collect::<String>().trim_end().to_owned()
    }

    /// Sends a request, and returns the answer.
    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (address, token, length) = (&self.address, self.token(), body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(place: &Place, address: &str, options: &str) -> (Child, Watchdog, String) {
    let mut command = place.command(&format!("serve --quiet --addr {address} {options}"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let watchdog = Watchdog::of(&child);
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let (url, _) = line.split_once("/#login=").unwrap_or_else(|| panic!("no address: {line:?}"));
    let address = url.strip_prefix("http://").unwrap().to_owned();
    (child, watchdog, address)
}

/// A server that answers each request with the next of these answers, and the last one from then on.
pub(crate) struct StandIn {
    pub(crate) address: String,
    /// The first line of each request, when it has been answered.
    pub(crate) requests: Receiver<String>,
}

impl StandIn {
    pub(crate) fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (answered, requests) = channel();
        thread::spawn(move || {
            let last = answers.last().cloned().unwrap();
            let mut answers = answers.into_iter();
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                if let Ok(request) = answer(stream, &answers.next().unwrap_or_else(|| last.clone())) {
                    // Most tests do not ask.
                    _ = answered.send(request);
                }
            }
        });
        Self { address, requests }
    }

    /// An answer with this status, type and body, and perhaps more headers.
    pub(crate) fn answer(status: &str, ty: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {ty}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    }

    /// A command with it in the environment.
    pub(crate) fn command(&self, place: &Place, line: &str) -> Command {
        let mut command = place.command(line);
        command.env("HOSTEL_SERVER", format!("http://{}", self.address)).env("HOSTEL_TOKEN", "token");
        command
    }

    /// What a command does with it.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> Ran {
        ran(self.command(&Place::with_data_dir(), line))
    }
}

/// Reads a request as far as needed, answers, and returns its first line.
fn answer(mut stream: TcpStream, answer: &str) -> std::io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut line) = (String::new(), String::new());
    reader.read_line(&mut first)?;
    let mut length = 0;
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    reader.take(length).read_to_end(&mut Vec::new())?;
    stream.write_all(answer.as_bytes())?;
    Ok(first)
}
