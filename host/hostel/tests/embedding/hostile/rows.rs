//! The table: what each hostile guest tries, and what must come of it.

use std::time::Duration;

use hostel::{Clock, LimitKind, Limits, Timestamp};
use hostel_guests::{
    DEEP_RECURSION, ELEVATOR, FLAKY, HOSTILE, LOG_FLOOD, MEMORY_HOG, PANIC, PEEK, SPIN_FOREVER, wat,
};

use super::FUEL;
use super::place::Granted;

/// What a guest tries, and what must come of it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) tries: &'static str,
    pub(crate) guest: Guest,
    /// As WAVE; `{granted}` and the like stand for places of the test.
    pub(crate) args: &'static [&'static str],
    pub(crate) grants: Vec<Granted>,
    pub(crate) limits: Limits,
    pub(crate) clock: Option<Clock>,
    pub(crate) must: Must,
}

/// A function of a component.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guest {
    pub(crate) path: &'static str,
    pub(crate) export: &'static str,
}

/// How it must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Must {
    /// Its component is refused, with an error that has these words.
    NotLoad(&'static str),
    /// With this value: it did no harm.
    Complete(&'static str),
    /// With an error that has these words: the guest was told no.
    Err(&'static str),
    /// With a trap that has these words.
    Trap(&'static str),
    /// With this exit code.
    Exit(i32),
    /// At this limit, whose name is in the message.
    Reach(LimitKind),
    /// At its timeout.
    TimeOut,
    /// When it is cancelled.
    BeCancelled,
}

use LimitKind::{Fuel, Handles, IdleTimeout, Memory, Result as ResultSize, Stack, Subtasks, TableElements};
use Must::{BeCancelled, Complete, Err, Exit, NotLoad, Reach, TimeOut, Trap};

const MIB: u64 = 1 << 20;

/// For guests that call the host for ever: a call takes little fuel and much time.
const LITTLE_FUEL: u64 = 100_000;

/// Far longer than anything here waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// What ends those that nothing else ends.
const TIMEOUT: Duration = Duration::from_millis(200);

fn row(tries: &'static str, path: &'static str, export: &'static str, must: Must) -> Row {
    // A guest that hangs without being expected to is an end that is wrong, instead of none.
    let mut limits = Limits { fuel: Some(FUEL), idle_timeout: Some(PATIENCE), ..Limits::default() };
    match must {
        TimeOut => limits = Limits { fuel: None, timeout: Some(TIMEOUT), ..limits },
        BeCancelled => limits = Limits { fuel: None, idle_timeout: None, ..limits },
        Reach(IdleTimeout) => limits = Limits { idle_timeout: Some(TIMEOUT), ..limits },
        _ => {}
    }
    let guest = Guest { path, export };
    Row { tries, guest, args: &[], grants: Vec::new(), limits, clock: None, must }
}

impl Row {
    fn args(self, args: &'static [&'static str]) -> Self {
        Self { args, ..self }
    }

    fn with(mut self, granted: Granted) -> Self {
        self.grants.push(granted);
        self
    }

    fn limited(mut self, limit: fn(&mut Limits)) -> Self {
        limit(&mut self.limits);
        self
    }

    fn clock(self, clock: Clock) -> Self {
        Self { clock: Some(clock), ..self }
    }
}

/// All of them.
pub(crate) fn rows() -> Vec<Row> {
    [loops(), growth(), stacks_and_floods(), lies(), handles(), concurrent(), files(), network(), waiting()]
        .concat()
}

fn loops() -> Vec<Row> {
    vec![
        row("loops", wat::LOOP, "spin", Reach(Fuel)),
        row("loops in compiled Rust", SPIN_FOREVER, "spin", Reach(Fuel)),
        row("loops until a timeout", wat::LOOP, "spin", TimeOut),
        row("loops until it is cancelled", SPIN_FOREVER, "spin", BeCancelled),
        row("loops while it is instantiated", wat::START_LOOP, "answer", Reach(Fuel)),
        row("traps while it is instantiated", wat::START_TRAP, "answer", Trap("unreachable")),
        row("loops while the host writes its arguments", wat::BAD_REALLOC, "forever", Reach(Fuel))
            .args(&["[1]"]),
        row("loops after it has given its result", wat::HOSTILE_LOOPS, "in-post-return", Reach(Fuel)),
        row(
            "traps after it has given its result",
            wat::HOSTILE_LOOPS,
            "trap-in-post-return",
            Trap("unreachable"),
        ),
        row("computes for ever without a loop", wat::HOSTILE_LOOPS, "by-calls", Reach(Fuel)),
        row(
            "fills its memory again and again, each time in one instruction",
            wat::HOSTILE_LOOPS,
            "by-filling",
            TimeOut,
        ),
        row("counts how often it was called", FLAKY, "times-called", Complete("1")),
    ]
}

fn growth() -> Vec<Row> {
    vec![
        row("takes memory and fails without", wat::HOSTILE_GROWTH, "memory", Reach(Memory)),
        row("takes memory through an allocator", MEMORY_HOG, "eat", Reach(Memory))
            .args(&["10000"])
            .limited(|limits| (limits.memory_bytes, limits.fuel) = (32 * MIB, None)),
        row("asks for memory whatever is said", wat::HOSTILE_GROWTH, "whatever-is-said", Reach(Fuel))
            .limited(|limits| limits.fuel = Some(LITTLE_FUEL)),
        row("asks for all that can be addressed", wat::HOSTILE_GROWTH, "at-once", Complete("-1")),
        row("wants 300 MiB to begin with", wat::BIG_MEMORY, "pages", Reach(Memory)),
        row(
            "is sixteen instances with a memory each",
            wat::MANY_INSTANCES,
            "answer",
            Reach(LimitKind::Instances),
        )
        .limited(|limits| limits.instances = 8),
        row("has a table grow until it is refused", wat::HOSTILE_GROWTH, "table", Reach(TableElements)),
        row(
            "wants a table of ten million elements",
            wat::BIG_TABLE,
            "elements",
            NotLoad("exceeds the limit of 100000"),
        ),
        row(
            "has twenty memories in one module",
            wat::HOSTILE_MANY_MEMORIES,
            "answer",
            NotLoad("exceeds the per-instance limit of 1"),
        ),
        row(
            "wants more than 32 bits can address",
            wat::HOSTILE_WIDE_MEMORY,
            "answer",
            NotLoad("exceeds the limit of 0x100000000 bytes"),
        ),
    ]
}

fn stacks_and_floods() -> Vec<Row> {
    vec![
        row("recurses without end", wat::TRAP, "recurse", Reach(Stack)),
        row("recurses without end in compiled Rust", DEEP_RECURSION, "dive", Reach(Stack))
            .args(&["100000000"]),
        row("prints for ever", HOSTILE, "print-for-ever", Reach(Fuel))
            .limited(|limits| limits.fuel = Some(LITTLE_FUEL)),
        row("logs for ever", HOSTILE, "log-for-ever", Reach(Fuel))
            .limited(|limits| limits.fuel = Some(LITTLE_FUEL)),
        row("tells its progress for ever", HOSTILE, "tell-for-ever", Reach(Fuel))
            .limited(|limits| limits.fuel = Some(LITTLE_FUEL)),
        row("prints one line of ten million bytes", LOG_FLOOD, "long-line", Complete("10000000"))
            .args(&["10000000"])
            .limited(|limits| limits.fuel = None),
        row("prints what the host might say, and what terminals obey", HOSTILE, "forge", Complete("()")),
        row("writes a tebibyte of zeros in one call", HOSTILE, "zeros", Trap("check_write"))
            .args(&["1099511627776"]),
        row(
            "asks for more random bytes than there is memory",
            HOSTILE,
            "random",
            Trap("random bytes at once"),
        )
        .args(&["1099511627776"]),
        row("reads more from its stdin than could be there", HOSTILE, "drain-stdin", Complete("0")),
        row("waits for one timer in a million places", HOSTILE, "wait-for", Reach(Handles))
            .args(&["1000000"])
            .limited(|limits| limits.fuel = None),
        row("panics", PANIC, "boom", Trap("unreachable")).args(&["\"oh\""]),
        row("ends itself as if all were well", HOSTILE, "leave", Exit(0)).args(&["0"]),
    ]
}

fn lies() -> Vec<Row> {
    let bad = |tries, export, must| row(tries, wat::BAD_RESULTS, export, must);
    let lie = |tries, export, must| row(tries, wat::HOSTILE_RESULTS, export, must);
    let realloc =
        |tries, export, must| row(tries, wat::HOSTILE_REALLOC, export, must).args(&["[\"a\", \"bc\"]"]);
    vec![
        bad(
            "returns a list that is longer than its memory",
            "long-list",
            Trap("list pointer/length out of bounds"),
        ),
        bad(
            "returns a list that begins at the last byte",
            "list-at-end",
            Trap("list pointer/length out of bounds"),
        ),
        bad("returns a list at an odd address", "unaligned-list", Trap("list pointer is not aligned")),
        bad("returns text that is not UTF-8", "not-utf8", Trap("invalid utf-8 sequence")),
        bad("returns text of four billion bytes", "long-string", Trap("string pointer/length out of bounds")),
        bad("returns a pointer out of its memory", "result-outside", Trap("pointer out of bounds")),
        bad("returns half of a surrogate pair", "surrogate", Trap("out of range for `char`")),
        bad("returns a number that is no character", "char-too-large", Trap("out of range for `char`")),
        bad("returns a case that an enum does not have", "enum-7", Trap("discriminant 7 out of range")),
        bad("returns a case that an option does not have", "option-2", Trap("discriminant 2 out of range")),
        bad("returns 2 for a bool", "bool-2", Complete("true")),
        lie("returns one list many times, a gibibyte of them", "aliases", Reach(ResultSize))
            .limited(|limits| limits.result_bytes = 16 * MIB),
        lie(
            "returns more items than their size can be multiplied with",
            "too-many",
            Trap("list pointer/length out of bounds"),
        ),
        lie("returns text of a negative length", "negative", Trap("string pointer/length out of bounds")),
        lie("returns UTF-16 that ends within a character", "half-a-pair", Trap("unpaired surrogate")),
        lie("returns UTF-16 at an odd address", "odd", Trap("string pointer not aligned")),
        lie(
            "returns text in two encodings, out of bounds",
            "mixed",
            Trap("string pointer/length out of bounds"),
        ),
        lie("returns a hundred MiB", "far-too-long", Reach(ResultSize))
            .limited(|limits| limits.result_bytes = MIB),
        row("allocates out of its memory", wat::BAD_REALLOC, "outside", Trap("beyond end of memory"))
            .args(&["[1]"]),
        row("allocates at an odd address", wat::BAD_REALLOC, "unaligned", Trap("result not aligned"))
            .args(&["[1]"]),
        realloc("allocates all arguments in one place", "same-place", Complete("2")),
        realloc("allocates at the end of its memory", "at-the-end", Trap("beyond end of memory")),
        realloc("takes memory while the host writes its arguments", "grows", Reach(Memory))
            .limited(|limits| limits.memory_bytes = 32 * MIB),
        realloc(
            "calls the host while that writes its arguments",
            "asks",
            Trap("cannot leave component instance"),
        ),
        row(
            "calls the host after it has given its result",
            wat::HOSTILE_REALLOC,
            "asks-afterwards",
            Trap("cannot leave component instance"),
        ),
    ]
}

fn handles() -> Vec<Row> {
    let misuse = |tries, export, must| row(tries, wat::HOSTILE_HANDLES, export, must);
    vec![
        misuse("uses a handle that it has dropped", "use-dropped", Trap("unknown handle index 1")),
        misuse("drops a handle twice", "drop-twice", Trap("unknown handle index 1")),
        misuse("makes a handle up", "made-up", Trap("unknown handle index 12345")).args(&["12345"]),
        misuse("makes up the handle zero", "made-up", Trap("unknown handle index 0")).args(&["0"]),
        misuse("makes up the largest handle", "made-up", Trap("unknown handle index 4294967295"))
            .args(&["4294967295"]),
        misuse(
            "passes one kind of handle off as another",
            "of-another-kind",
            Trap("used with the wrong type"),
        ),
        misuse(
            "passes a handle of its own off as the host's",
            "not-a-timer",
            Trap("used with the wrong type"),
        ),
        misuse("waits for what it has dropped", "wait-for-dropped", Trap("unknown handle index 1")),
        misuse("asks the host for handles without end", "flood", Reach(Handles))
            .limited(|limits| limits.fuel = None),
        row("makes handles without end", wat::MANY_HANDLES, "keep", Reach(Handles)).args(&["4294967295"]),
    ]
}

fn concurrent() -> Vec<Row> {
    let tries = |tries, export, must| row(tries, wat::HOSTILE_ASYNC, export, must);
    let forks = |tries, export, must| row(tries, wat::HOSTILE_FORKS, export, must);
    vec![
        row("forks without end", wat::FORK, "fork", Reach(Subtasks)).args(&["4294967295"]),
        forks("forks calls that wait and keep their stack", "blocked", Reach(Subtasks)).args(&["4294967295"]),
        forks("forks calls that are not let in", "held-back", Reach(Subtasks)).args(&["4294967295"]),
        forks("waits until one stops that does not listen", "uncancelled", TimeOut),
        tries("gives way for ever", "gives-way", Reach(Fuel))
            .limited(|limits| limits.fuel = Some(LITTLE_FUEL)),
        tries("gives way for ever without a callback", "yields", Reach(Fuel))
            .limited(|limits| limits.fuel = Some(LITTLE_FUEL)),
        tries("waits for nothing", "waits", Trap("deadlock detected")),
        tries("gives its result and loops", "goes-on", Reach(Fuel)),
        tries("gives its result and never ends", "goes-on-yielding", Complete("7")),
        tries("ends without a result", "never-answers", Trap("failed to produce a result")),
        tries("gives two results", "answers-twice", Trap("called more than once")),
        tries("makes streams without end", "streams", Reach(Subtasks)),
        tries("makes futures without end", "futures", Reach(Subtasks)),
        tries("makes sets to wait for without end", "sets", Reach(Subtasks)),
        tries("writes where nobody reads", "unread", Complete("-1")),
        tries("writes again before it was read", "writes-again", Trap("cannot have concurrent operations")),
    ]
}

fn files() -> Vec<Row> {
    let read = |tries, path: &'static [&'static str], must| {
        row(tries, HOSTILE, "read", must).args(path).with(Granted::Dir)
    };
    vec![
        row("reads without a grant", HOSTILE, "read", Err("nothing is granted")).args(&["\"/etc/passwd\""]),
        row("lists all without a grant", PEEK, "list-dir", Err("")).args(&["\"/\""]),
        read("reads up and out", &["\"../secret\""], Err("not-permitted")),
        read("reads down, up and out", &["\"sub/../../secret\""], Err("not-permitted")),
        read("reads an absolute path", &["\"{secret}\""], Err("not-permitted")),
        read("reads through a link that leads out", &["\"out\""], Err("not-permitted")),
        read("reads through a link with an absolute path", &["\"absolute\""], Err("not-permitted")),
        read("reads through a link to the directory above", &["\"up/secret\""], Err("not-permitted")),
        read("reads through a link to the root", &["\"root/etc/passwd\""], Err("not-permitted")),
        read("reads the memory of the process", &["\"proc/mem\""], Err("not-permitted")),
        read("reads what the host's variables are", &["\"proc/environ\""], Err("not-permitted")),
        read("follows a link to itself", &["\"ring\""], Err("loop")),
        read("follows two links to each other", &["\"one\""], Err("loop")),
        read("reads a path that ends early for the system", &["\"file\\u{0}/../../secret\""], Err("")),
        read("reads nothing at all", &["\"\""], Err("")),
        read("opens a pipe that nobody writes to", &["\"pipe\""], Err("")),
        row("climbs out step by step", HOSTILE, "climb", Err("not-permitted"))
            .args(&["\"etc/passwd\""])
            .with(Granted::Dir),
        row("changes what it may only read", HOSTILE, "change", Complete("none")).with(Granted::Dir),
        row("opens a file ten thousand times", HOSTILE, "open-often", Complete("256"))
            .args(&["\"file\"", "10000"])
            .with(Granted::Dir),
        read("reads a path of a million bytes", &["\"{long}\""], Err("")),
    ]
}

fn network() -> Vec<Row> {
    let to = |tries, export, args: &'static [&'static str]| {
        row(tries, HOSTILE, export, Err("access-denied")).args(args)
    };
    let get = |tries, args: &'static [&'static str], must| {
        row(tries, HOSTILE, "get", must).args(args).with(Granted::Http)
    };
    vec![
        to("connects to the machine it is on", "connect", &["\"127.0.0.1\"", "{port}"]),
        to("connects to the same by IPv6", "connect", &["\"::1\"", "{port}"]),
        to("connects to the same by both at once", "connect", &["\"::ffff:127.0.0.1\"", "{port}"]),
        to("connects to where clouds keep credentials", "connect", &["\"169.254.169.254\"", "80"]),
        to("connects to its neighbours", "connect", &["\"fe80::1\"", "80"]),
        to("connects to anywhere", "connect", &["\"0.0.0.0\"", "{port}"]),
        to("listens", "listen", &["\"0.0.0.0\"", "0"]),
        to("sends datagrams", "send", &["\"127.0.0.1\"", "{port}"]),
        row("looks names up", HOSTILE, "look-up", Err("access-denied")).args(&["\"localhost\""]),
        row("asks for a page without a grant", HOSTILE, "get", Err("HttpRequestDenied"))
            .args(&["\"http://{forbidden}/page\"", "[]"]),
        get(
            "asks for a page of a host that is not granted",
            &["\"http://{forbidden}/page\"", "[]"],
            Err("HttpRequestDenied"),
        ),
        get(
            "asks the granted host, and is sent to another",
            &["\"http://{granted}/away\"", "[]"],
            Err("HttpRequestDenied"),
        ),
        get(
            "asks the granted host and names another",
            &["\"http://{granted}/page\"", "[(\"host\", \"{forbidden}\")]"],
            Err("Forbidden"),
        ),
        get(
            "names the granted host as a user's name",
            &["\"http://{granted}@{forbidden}/page\"", "[]"],
            Err(""),
        ),
        get(
            "writes a second request into a header",
            &["\"http://{granted}/page\"", "[(\"x\", \"y\\r\\nhost: {forbidden}\")]"],
            Err("InvalidSyntax"),
        ),
        get(
            "writes a second request into a header's name",
            &["\"http://{granted}/page\"", "[(\"x: y\\r\\nz\", \"y\")]"],
            Err("InvalidSyntax"),
        ),
        get(
            "writes a second request into the path",
            &["\"http://{granted}/page HTTP/1.1\\r\\nhost: {forbidden}\\r\\n\\r\\n\"", "[]"],
            Err(""),
        ),
        get(
            "says how its body is framed, in two ways",
            &[
                "\"http://{granted}/page\"",
                "[(\"transfer-encoding\", \"chunked\"), (\"content-length\", \"5\")]",
            ],
            Err("Forbidden"),
        ),
        row("asks a thousand times at once", HOSTILE, "ask-often", Complete("64"))
            .args(&["\"http://{granted}/never\"", "1000"])
            .with(Granted::Http),
        row(
            "keeps a thousand requests with large headers",
            HOSTILE,
            "hoard",
            Trap("total size of fields exceeds limit"),
        )
        .args(&["1000", "1000000"]),
        row("keeps requests without end", HOSTILE, "hoard", Reach(Handles))
            .args(&["4294967295", "10000"])
            .limited(|limits| limits.fuel = None),
        row("keeps what it says of a request in the host", HOSTILE, "long-winded", Complete("[]"))
            .args(&["10000"]),
        row("keeps a body in the host that is never sent", HOSTILE, "unsent-body", Complete("16384")),
    ]
}

fn waiting() -> Vec<Row> {
    vec![
        row("sleeps for ever", HOSTILE, "sleep-for-ever", Reach(IdleTimeout)),
        row("sleeps for an hour", ELEVATOR, "stop-at-floor", Reach(IdleTimeout)).args(&["3600"]),
        row("sleeps until a timeout", wat::SLEEPER, "sleep", TimeOut).args(&["3600000"]),
        row("sleeps until it is cancelled", wat::SLEEPER, "sleep", BeCancelled).args(&["3600000"]),
        row("sleeps for no time, again and again", HOSTILE, "nap-for-ever", Reach(Fuel))
            .limited(|limits| limits.fuel = Some(LITTLE_FUEL)),
        row("measures time where that stands still", HOSTILE, "probe-time", Complete("0"))
            .args(&["10000"])
            .clock(Clock::Fixed(Timestamp::from_unix_nanos(0))),
    ]
}
