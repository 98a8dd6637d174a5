//! Misbehaving: prints more than anyone wants to keep.

use std::io::{self, Write};

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        world log-flood {
            /// Prints `out N` to stdout and `err N` to stderr for N from 1 to `lines`; returns `lines`.
            export flood: func(lines: u64) -> u64;
            /// Prints one line of `bytes` times the letter x to stdout; returns `bytes`.
            export long-line: func(bytes: u64) -> u64;
            /// Prints the text to stdout as it is, with no newline at the end.
            export no-newline: func(text: string);
            /// Prints bytes that are not UTF-8 between two lines that are, to stdout.
            export not-text: func();
        }
    "
});

const CHUNK: [u8; 4096] = [b'x'; 4096];

struct LogFlood;

impl Guest for LogFlood {
    fn flood(lines: u64) -> u64 {
        for n in 1..=lines {
            println!("out {n}");
            eprintln!("err {n}");
        }
        lines
    }

    fn long_line(bytes: u64) -> u64 {
        let mut left = bytes;
        while left > 0 {
            let length = left.min(CHUNK.len() as u64);
            print_bytes(&CHUNK[..length as usize]);
            left -= length;
        }
        print_bytes(b"\n");
        bytes
    }

    fn no_newline(text: String) {
        print_bytes(text.as_bytes());
    }

    fn not_text() {
        print_bytes(b"before\n\xff\xfe\x80\nafter\n");
    }
}

export!(LogFlood);

/// Writes and flushes: std keeps an unfinished line to itself until then, and nobody flushes for a guest
/// whose instance is dropped after the call.
fn print_bytes(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
        panic!("cannot write to stdout: {error}");
    }
}
