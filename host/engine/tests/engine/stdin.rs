//! A standard input that comes while the program runs.

use std::io::{self, Read};
use std::pin::pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hostel_core::{Arguments, Failure, Limit, LimitKind, Limits, Outcome, Touch, Value};
use hostel_engine::{AttemptOptions, Function, LogBook, Stdin};
use hostel_guests::{COMMAND, HOSTILE};

use crate::{Ran, function, run_as};

/// The end of a [`Pipe`] that tests write to. Dropped, it ends the pipe.
struct Writer {
    pieces: Sender<io::Result<Vec<u8>>>,
    asked: Receiver<usize>,
}

/// A source that gives what it is sent, and tells of each read before it blocks.
struct Pipe {
    pieces: Receiver<io::Result<Vec<u8>>>,
    asks: Sender<usize>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let _ = self.asks.send(buffer.len());
        let Ok(piece) = self.pieces.recv() else { return Ok(0) };
        let piece = piece?;
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

fn pipe() -> (Writer, Stdin) {
    let ((pieces, received), (asks, asked)) = (mpsc::channel(), mpsc::channel());
    (Writer { pieces, asked }, Stdin::new(Pipe { pieces: received, asks }))
}

impl Writer {
    fn write(&self, bytes: &[u8]) {
        self.pieces.send(Ok(bytes.to_vec())).unwrap();
    }

    /// How much the host wants, once it reads.
    fn asked(&self) -> usize {
        self.asked.recv_timeout(Duration::from_secs(60)).unwrap()
    }
}

fn command() -> Function {
    function(COMMAND, "run")
}

async fn run(words: &str, stdin: &Stdin) -> Ran {
    run_limited(words, stdin, Limits::default()).await
}

async fn run_limited(words: &str, stdin: &Stdin, limits: Limits) -> Ran {
    run_as(&command(), &[words], AttemptOptions::new(limits).stdin(stdin.clone())).await
}

#[tokio::test(flavor = "current_thread")]
async fn a_program_reads_it_to_its_end() {
    let (writer, stdin) = pipe();
    for piece in ["some\n", "more ", "input\n"] {
        writer.write(piece.as_bytes());
    }
    drop(writer);
    let ran = run("[]", &stdin).await;
    assert_eq!(ran.stdout(), b"SOME\nMORE INPUT\n");
    let inputs = command().signature().bind_text(Arguments::new().positional("[]")).unwrap();
    let arguments = inputs.iter().map(Value::footprint).sum::<usize>() as u64;
    assert_eq!(ran.receipt.input_bytes, arguments + 16);
    let large: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
    let ran = run("[\"--cat\"]", &Stdin::new(io::Cursor::new(large.clone()))).await;
    assert_eq!(ran.stdout(), large);
}

#[tokio::test(flavor = "current_thread")]
async fn an_endless_one_is_read_as_far_as_is_needed() {
    let endless = Stdin::new(io::repeat(b'\n'));
    assert_eq!(run("[\"--head\", \"100000\"]", &endless).await.stdout(), [b'\n'; 100_000]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_program_sees_each_piece_at_once_and_nothing_is_read_that_nobody_wants() {
    let (writer, stdin) = pipe();
    let command = command();
    let printed = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&printed);
    let log = LogBook::new(1 << 20, None)
        .on_stdout(Arc::new(move |piece: &[u8]| heard.lock().unwrap().extend_from_slice(piece)));
    let options = Arc::new(AttemptOptions::new(Limits::default()).log(log.into()).stdin(stdin));
    let inputs = command.signature().bind_text(Arguments::new().positional("[\"--head\", \"2\"]")).unwrap();
    let mut attempt = pin!(command.attempt(&inputs, &options));
    let mut context = Context::from_waker(Waker::noop());
    let mut until = |has_come: &dyn Fn() -> bool| {
        // On a busy machine the guest may have to give way before it reads or prints.
        while !has_come() {
            assert!(attempt.as_mut().poll(&mut context).is_pending());
            std::thread::yield_now();
        }
    };
    until(&|| writer.asked.try_recv().is_ok());
    writer.write(b"one\n");
    until(&|| *printed.lock().unwrap() == b"one\n");
    // It wants a second line, for which the source is asked once.
    until(&|| writer.asked.try_recv().is_ok_and(|most| most <= 64 << 10));
    let _ = attempt.as_mut().poll(&mut context);
    assert!(writer.asked.try_recv().is_err(), "asked again, though nothing has come");
    writer.write(b"two\nthree\n");
    let ran = attempt.await.unwrap();
    assert!(matches!(ran.outcome, Outcome::Completed(_)), "{}", ran.outcome);
    assert_eq!(*printed.lock().unwrap(), b"one\ntwo\n");
    assert!(writer.asked.try_recv().is_err(), "read on, though nobody reads");
}

#[tokio::test(flavor = "current_thread")]
async fn one_that_nobody_reads_is_not_touched_and_not_waited_for() {
    let (writer, stdin) = pipe();
    let ran = run("[\"hello\"]", &stdin).await;
    assert_eq!(ran.stdout(), b"HELLO\n");
    assert!(ran.observation.is_reproducible(), "{}", ran.observation);
    // A function has none.
    let drain = function(HOSTILE, "drain-stdin");
    let drained = run_as(&drain, &[], AttemptOptions::new(Limits::default()).stdin(stdin.clone())).await;
    assert_eq!(drained.value(), "0");
    // Nor has a program that is given a value.
    let options = AttemptOptions::new(Limits::default()).stdin(stdin);
    let ran = run_as(&command(), &["[]", "[104, 105, 10]"], options).await;
    assert_eq!(ran.stdout(), b"HI\n");
    assert!(ran.observation.is_reproducible(), "{}", ran.observation);
    assert!(writer.asked.try_recv().is_err(), "it was read");
}

#[tokio::test(flavor = "current_thread")]
async fn reading_it_is_a_touch_even_if_it_is_empty() {
    for content in ["", "text\n"] {
        let ran = run("[]", &Stdin::new(content.as_bytes())).await;
        assert!(ran.observation.has(Touch::StandardInput), "{content:?}");
        assert!(!ran.observation.is_reproducible(), "{content:?}");
        let [touched] = ran.observation.touches() else { panic!("{}", ran.observation) };
        assert!(touched.to_string().contains("command::"), "{touched}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_limit_counts_what_is_read_and_the_arguments() {
    let inputs = command().signature().bind_text(Arguments::new().positional("[\"--cat\"]")).unwrap();
    let arguments = inputs.iter().map(Value::footprint).sum::<usize>() as u64;
    for (len, allowed, fits) in
        [(10, 11, true), (10, 10, true), (11, 10, false), (200_000, 200_000, true), (200_001, 200_000, false)]
    {
        let limits = Limits { input_bytes: arguments + allowed, ..Limits::default() };
        let ran = run_limited("[\"--cat\"]", &Stdin::new(io::repeat(7).take(len)), limits).await;
        if fits {
            assert_eq!(ran.stdout().len() as u64, len, "{len} of {allowed}");
        } else {
            let Failure::Limit { limit, .. } = ran.failure() else { panic!("{}", ran.outcome) };
            assert_eq!(*limit, Limit { kind: LimitKind::Input, allowed: arguments + allowed });
            assert_eq!(ran.receipt.input_bytes, arguments + allowed, "all of it was given, and no more");
        }
    }
    let limits = Limits { input_bytes: arguments + 1000, ..Limits::default() };
    let head = run_limited("[\"--head\", \"3\"]", &Stdin::new(io::repeat(b'\n')), limits).await;
    assert_eq!(head.stdout(), b"\n\n\n", "what nobody reads does not count");
}

#[tokio::test(flavor = "current_thread")]
async fn each_attempt_reads_the_same_bytes() {
    let (writer, stdin) = pipe();
    writer.write(b"one\n");
    assert_eq!(run("[\"--head\", \"1\"]", &stdin).await.stdout(), b"one\n");
    writer.write(b"two\n");
    writer.write(b"three\n");
    drop(writer);
    for _ in 0..2 {
        assert_eq!(run("[\"--cat\"]", &stdin).await.stdout(), b"one\ntwo\nthree\n");
    }
    let failed = run("[\"--cat-and-fail\"]", &stdin).await;
    assert!(matches!(failed.failure(), Failure::Exit { code: 1, .. }), "{}", failed.outcome);
    assert_eq!(run("[]", &stdin).await.stdout(), b"ONE\nTWO\nTHREE\n");
}

#[tokio::test(flavor = "current_thread")]
async fn an_attempt_that_waits_for_it_can_be_stopped_and_the_next_one_reads_on() {
    let (writer, stdin) = pipe();
    let after = Duration::from_millis(30);
    let limits = Limits { timeout: Some(after), ..Limits::default() };
    let ran = run_limited("[]", &stdin, limits).await;
    assert_eq!(ran.failure(), &Failure::TimedOut { after });
    assert!(ran.observation.has(Touch::StandardInput), "{}", ran.observation);
    let limits = Limits { idle_timeout: Some(after), ..Limits::default() };
    let ran = run_limited("[]", &stdin, limits).await;
    assert!(matches!(ran.failure(), Failure::Limit { limit, .. } if limit.kind == LimitKind::IdleTimeout));
    writer.asked();
    assert!(writer.asked.try_recv().is_err(), "the read that was under way is the next attempt's too");
    writer.write(b"late\n");
    drop(writer);
    assert_eq!(run("[]", &stdin).await.stdout(), b"LATE\n");
}

#[tokio::test(flavor = "current_thread")]
async fn dropping_an_attempt_does_not_wait_for_a_read() {
    let (writer, stdin) = pipe();
    let command = command();
    {
        let options = Arc::new(AttemptOptions::new(Limits::default()).stdin(stdin));
        let mut attempt = pin!(command.attempt(&[Value::Option(None), Value::Option(None)], &options));
        let mut context = Context::from_waker(Waker::noop());
        while writer.asked.try_recv().is_err() {
            assert!(matches!(attempt.as_mut().poll(&mut context), Poll::Pending));
        }
    }
    // The thread is still in `read`. It ends with the next piece, which nobody wants, and drops the source.
    writer.write(b"nobody reads this");
    assert!(writer.asked.recv_timeout(Duration::from_secs(60)).is_err());
}

#[tokio::test(flavor = "current_thread")]
async fn an_error_of_the_source_is_one_of_the_stream() {
    struct Broken(bool);
    impl Read for Broken {
        fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
            if self.0 { panic!("on purpose") } else { Err(io::Error::other("the line is dead")) }
        }
    }
    for panics in [false, true] {
        let stdin = Stdin::new(Broken(panics));
        for _ in 0..2 {
            let ran = run("[\"--cat\"]", &stdin).await;
            assert!(matches!(ran.failure(), Failure::Exit { code: 1, .. }), "{}", ran.outcome);
        }
    }
    let (writer, stdin) = pipe();
    writer.write(b"before\n");
    writer.pieces.send(Err(io::ErrorKind::Interrupted.into())).unwrap();
    writer.write(b"after\n");
    writer.pieces.send(Err(io::ErrorKind::ConnectionReset.into())).unwrap();
    assert_eq!(run("[\"--head\", \"2\"]", &stdin).await.stdout(), b"before\nafter\n");
    assert!(matches!(run("[]", &stdin).await.failure(), Failure::Exit { code: 1, .. }));
}
