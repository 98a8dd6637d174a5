//! What hostile guests find around them: a granted directory with traps in it, secrets beside it, and two servers.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use hostel::{DirGrant, Grants};
use tempfile::TempDir;

/// Stands in every file that nobody may read.
pub(crate) const SECRET: &str = "the secret";

/// What a row grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granted {
    /// The directory.
    Dir,
    /// HTTP to the one server.
    Http,
}

pub(crate) struct Place {
    dir: TempDir,
    granted: Server,
    forbidden: Server,
}

/// A small HTTP server: `/page` is a page, `/away` leads to the other server, `/never` is never answered. Its threads
/// end with the process.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    /// How many of them are open.
    open: Arc<AtomicUsize>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("inside");
        fs::create_dir_all(inside.join("sub")).unwrap();
        fs::write(inside.join("file"), "inside").unwrap();
        fs::write(dir.path().join("secret"), SECRET).unwrap();
        let links = [
            ("out", "../secret"),
            ("up", ".."),
            ("root", "/"),
            ("proc", "/proc/self"),
            ("ring", "ring"),
            ("one", "other"),
            ("other", "one"),
        ];
        links.iter().for_each(|(link, target)| symlink(target, inside.join(link)).unwrap());
        let absolute = dir.path().join("secret");
        symlink(absolute, inside.join("absolute")).unwrap();
        // Opening it for reading would wait for a writer who never comes.
        let made = Command::new("mkfifo").arg(inside.join("pipe")).status().unwrap();
        assert!(made.success());
        let forbidden = Server::start(String::new());
        let granted = Server::start(format!("http://127.0.0.1:{}/page", forbidden.port));
        Self { dir, granted, forbidden }
    }

    pub(crate) fn grants(&self, granted: &[Granted]) -> Grants {
        let mut grants = Grants::default();
        for granted in granted {
            match granted {
                Granted::Dir => {
                    grants.dirs.push(DirGrant::new(self.dir.path().join("inside"), "/data").unwrap());
                }
                Granted::Http => {
                    grants.http.push(format!("127.0.0.1:{}", self.granted.port).parse().unwrap());
                }
            }
        }
        grants
    }

    /// An argument with the places in it that differ from test to test.
    pub(crate) fn fill_in(&self, text: &str) -> String {
        let secret = self.dir.path().join("secret");
        text.replace("{granted}", &format!("127.0.0.1:{}", self.granted.port))
            .replace("{forbidden}", &format!("127.0.0.1:{}", self.forbidden.port))
            .replace("{long}", &"a/".repeat(500_000))
            .replace("{port}", &self.forbidden.port.to_string())
            .replace("{secret}", secret.to_str().unwrap())
    }

    /// Whether someone is connected.
    pub(crate) fn is_busy(&self) -> bool {
        [&self.granted, &self.forbidden].iter().any(|server| server.open.load(Ordering::SeqCst) > 0)
    }

    /// Whether nobody came where no grant leads, and all is as it was where nobody may write.
    pub(crate) fn was_left_alone(&self) -> bool {
        let names = fs::read_dir(self.dir.path().join("inside")).unwrap().count();
        let file = fs::read_to_string(self.dir.path().join("inside/file")).unwrap();
        self.forbidden.connections.load(Ordering::SeqCst) == 0 && file == "inside" && names == 11
    }
}

impl Server {
    fn start(away: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let open = Arc::new(AtomicUsize::new(0));
        let (counted, counted_open) = (Arc::clone(&connections), Arc::clone(&open));
        thread::spawn(move || {
            for connection in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                counted_open.fetch_add(1, Ordering::SeqCst);
                let (away, open) = (away.clone(), Arc::clone(&counted_open));
                thread::spawn(move || {
                    serve(&connection.unwrap(), &away);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, connections, open }
    }
}

fn serve(mut connection: &TcpStream, away: &str) {
    let mut reader = BufReader::new(connection);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        match reader.read_line(&mut request) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    let answer = match request.split(' ').nth(1) {
        Some("/page") => "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".to_owned(),
        Some("/away") => format!("HTTP/1.1 302 Found\r\nlocation: {away}\r\ncontent-length: 0\r\n\r\n"),
        _ => {
            // Until the other side gives up.
            let _ = reader.read_line(&mut request);
            return;
        }
    };
    // Whoever asked may be gone.
    let _ = connection.write_all(answer.as_bytes());
}
