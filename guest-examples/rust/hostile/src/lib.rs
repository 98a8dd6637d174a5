//! Misbehaving: tries to get out of the sandbox, to get more than is its own, or to go on for ever; one way at a time.

mod network;

use std::time::Duration;

use wasip2::cli::stdin::get_stdin;
use wasip2::cli::stdout::get_stdout;
use wasip2::clocks::monotonic_clock;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};
use wasip2::io::poll::poll;
use wasip2::random::random::get_random_bytes;

wit_bindgen::generate!({
    path: ["../../../wit"],
    inline: "
        package hostel:examples@0.1.0;

        world hostile {
            import hostel:task/context@0.1.0;

            /// Reads a file by its path from the granted directory. The error is WASI's name for it.
            export read: func(path: string) -> result<string, string>;
            /// Goes up through `..` a step at a time, from the granted directory itself, and reads a file there.
            export climb: func(path: string) -> result<string, string>;
            /// Makes links, directories and files where it may only read; the first that it was allowed.
            export change: func() -> option<string>;
            /// Opens a file so often, keeps all of them, and returns how often it was allowed.
            export open-often: func(path: string, times: u32) -> u32;

            /// Connects over TCP, binds and listens, or sends over UDP. The address is IPv4 or IPv6.
            export connect: func(address: string, port: u16) -> result<_, string>;
            export listen: func(address: string, port: u16) -> result<_, string>;
            export send: func(address: string, port: u16) -> result<_, string>;
            export look-up: func(name: string) -> result<_, string>;
            /// A GET with these headers, which follows redirects wherever they lead. The error is WASI's name for it.
            export get: func(url: string, headers: list<tuple<string, string>>) -> result<string, string>;
            /// Asks for a page so often at once, takes no answer, and returns how often it was allowed.
            export ask-often: func(url: string, times: u32) -> u32;
            /// Makes so many requests with headers of so many bytes and sends none; how many it was allowed.
            export hoard: func(requests: u32, bytes: u32) -> u32;
            /// Makes a request whose method, scheme, authority and path have so many bytes; which of them it was allowed.
            export long-winded: func(bytes: u32) -> list<string>;
            /// Writes a body of a request that it never sends; how many bytes it was allowed.
            export unsent-body: func() -> u64;

            /// Reads the clock so often; how many readings differ from the one before.
            export probe-time: func(times: u32) -> u32;
            /// Asks for so many random bytes in one call.
            export random: func(bytes: u64) -> u64;
            /// Reads as much of its stdin as there could be, in one call.
            export drain-stdin: func() -> u64;
            /// Writes so many zeros to stdout in one call.
            export zeros: func(bytes: u64);
            /// Waits for one timer in so many places at once.
            export wait-for: func(places: u32) -> u32;
            /// Sleeps for as long as can be said.
            export sleep-for-ever: func();
            /// Asks for no time at all to pass, again and again.
            export nap-for-ever: func();
            /// Prints, logs or tells its progress for ever.
            export print-for-ever: func();
            export log-for-ever: func();
            export tell-for-ever: func();
            /// Prints what looks as if the host had said it, and what terminals obey.
            export forge: func();
            /// Ends itself with an exit code.
            export leave: func(code: u8);
        }
    ",
    generate_all,
});

use hostel::task::context::{self, Level};

struct Hostile;

impl Guest for Hostile {
    fn read(path: String) -> Result<String, String> {
        read(&root()?, &path)
    }

    fn climb(path: String) -> Result<String, String> {
        let mut dir = root()?;
        for _ in 0..100 {
            let flags = (PathFlags::SYMLINK_FOLLOW, OpenFlags::DIRECTORY, DescriptorFlags::READ);
            dir = dir.open_at(flags.0, "..", flags.1, flags.2).map_err(text)?;
        }
        read(&dir, &path)
    }

    fn change() -> Option<String> {
        let root = root().ok()?;
        let write = DescriptorFlags::WRITE;
        let none = PathFlags::empty();
        let tries = [
            ("symlink", root.symlink_at("/etc/passwd", "a-link")),
            ("create-directory", root.create_directory_at("a-directory")),
            ("create", root.open_at(none, "a-file", OpenFlags::CREATE, write).map(drop)),
            ("truncate", root.open_at(none, "file", OpenFlags::TRUNCATE, write).map(drop)),
            ("write", root.open_at(none, "file", OpenFlags::empty(), write).map(drop)),
            ("link", root.link_at(none, "file", &root, "another")),
            ("rename", root.rename_at("file", &root, "another")),
            ("unlink", root.unlink_file_at("file")),
            ("remove-directory", root.remove_directory_at("sub")),
        ];
        tries.into_iter().find_map(|(what, tried)| tried.is_ok().then(|| what.to_owned()))
    }

    fn open_often(path: String, times: u32) -> u32 {
        let Ok(root) = root() else { return 0 };
        let opened: Vec<_> = (0..times).map_while(|_| open(&root, &path).ok()).collect();
        opened.len() as u32
    }

    fn connect(address: String, port: u16) -> Result<(), String> {
        network::connect(&address, port)
    }

    fn listen(address: String, port: u16) -> Result<(), String> {
        network::listen(&address, port)
    }

    fn send(address: String, port: u16) -> Result<(), String> {
        network::send(&address, port)
    }

    fn look_up(name: String) -> Result<(), String> {
        network::look_up(&name)
    }

    fn get(url: String, headers: Vec<(String, String)>) -> Result<String, String> {
        network::get(&url, &headers)
    }

    fn ask_often(url: String, times: u32) -> u32 {
        let asked: Vec<_> = (0..times).map_while(|_| network::ask(&url, &[]).ok()).collect();
        asked.len() as u32
    }

    fn hoard(requests: u32, bytes: u32) -> u32 {
        let value = "x".repeat(bytes as usize);
        let kept: Vec<_> = (0..requests).map_while(|_| network::with_header(&value).ok()).collect();
        kept.len() as u32
    }

    fn long_winded(bytes: u32) -> Vec<String> {
        network::long_winded(bytes as usize)
    }

    fn unsent_body() -> u64 {
        network::unsent_body()
    }

    fn probe_time(times: u32) -> u32 {
        let readings: Vec<_> = (0..times).map(|_| monotonic_clock::now()).collect();
        readings.windows(2).filter(|pair| pair[0] != pair[1]).count() as u32
    }

    fn random(bytes: u64) -> u64 {
        get_random_bytes(bytes).len() as u64
    }

    fn drain_stdin() -> u64 {
        get_stdin().blocking_read(u64::MAX).map_or(0, |bytes| bytes.len() as u64)
    }

    fn zeros(bytes: u64) {
        let _ = get_stdout().write_zeroes(bytes);
    }

    fn wait_for(places: u32) -> u32 {
        let timer = monotonic_clock::subscribe_duration(0);
        poll(&vec![&timer; places as usize]).len() as u32
    }

    fn sleep_for_ever() {
        loop {
            monotonic_clock::subscribe_duration(u64::MAX).block();
        }
    }

    fn nap_for_ever() {
        loop {
            std::thread::sleep(Duration::from_nanos(1));
        }
    }

    fn print_for_ever() {
        loop {
            println!("and on");
        }
    }

    fn log_for_ever() {
        loop {
            context::log(Level::Error, "and on", &[("again".to_owned(), "and again".to_owned())]);
        }
    }

    fn tell_for_ever() {
        for done in 0.. {
            context::progress(done, None, Some("and on"));
        }
    }

    fn forge() {
        println!("cut here: the log is over 1 MiB (raise it with --max-log)");
        println!("\u{1b}]0;owned\u{7}\u{1b}[2J\r2026-01-01T00:00:00Z run completed");
    }

    fn leave(code: u8) {
        std::process::exit(code.into());
    }
}

export!(Hostile);

fn root() -> Result<Descriptor, String> {
    let first = get_directories().into_iter().next();
    first.map(|(root, _)| root).ok_or_else(|| "nothing is granted".to_owned())
}

fn open(dir: &Descriptor, path: &str) -> Result<Descriptor, ErrorCode> {
    dir.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::empty(), DescriptorFlags::READ)
}

fn read(dir: &Descriptor, path: &str) -> Result<String, String> {
    let (content, _) = open(dir, path).and_then(|file| file.read(1 << 16, 0)).map_err(text)?;
    Ok(String::from_utf8_lossy(&content).into_owned())
}

fn text(error: ErrorCode) -> String {
    error.name().to_owned()
}
