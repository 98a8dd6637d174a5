//! Touches one thing outside its inputs in each function, so that a host can show what it notices; or nothing, in ways
//! that look as if it did.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasip2::cli::stdin::get_stdin;
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::io::poll::poll;
use wasip2::random::{insecure, insecure_seed, random};
use wasip2::sockets::network::IpAddressFamily;
use wasip2::sockets::{instance_network, ip_name_lookup, tcp_create_socket, udp_create_socket};

wit_bindgen::generate!({
    path: ["../../../wit"],
    inline: "
        package hostel:examples@0.1.0;

        /// In an interface, since C libraries have functions of the same names.
        interface touches {
            /// Nanoseconds since 1970.
            wall-clock: func() -> u64;
            monotonic-clock: func() -> u64;
            /// Nanoseconds from one look at the clock to the next.
            elapsed: func(sleep-ms: u64) -> u64;
            /// What both clocks say of their resolution, in nanoseconds.
            resolutions: func() -> tuple<u64, u64>;
            sleep: func(ms: u64);
            /// Sleeps until an instant of the monotonic clock.
            sleep-until: func(instant: u64);
            /// Which of two timers is ready first.
            race: func(one-ms: u64, other-ms: u64) -> list<u32>;
            /// Whether a timer is ready at once.
            is-ready: func(ms: u64) -> bool;
            /// Looks at the clock until so much time has gone by; how many nanoseconds that took.
            spin: func(ms: u64) -> u64;
            /// Asks whether a timer is over until it is; how often it was not.
            ask: func(ms: u64) -> u64;
            /// Asks which of a timer and the input is ready until the timer is; how often it was not.
            ask-beside-input: func(ms: u64) -> u64;
            /// Whether the input is ready, which it always is.
            is-input-ready: func() -> bool;

            random: func(bytes: u64) -> list<u8>;
            random-number: func() -> u64;
            insecure: func(bytes: u64) -> list<u8>;
            insecure-number: func() -> u64;
            seeds: func() -> list<u64>;
            /// The words in the order of a hash map.
            in-hash-order: func(words: list<string>) -> list<string>;

            open-tcp: func() -> bool;
            open-udp: func() -> bool;
            look-up: func(name: string) -> bool;

            run-id: func() -> string;
            run-name: func() -> string;
            number-of-attempt: func() -> u32;
            deadline: func() -> option<u64>;
            /// The task's key and name.
            task: func() -> tuple<string, string>;
            /// Tells progress, logs and prints.
            report: func(text: string);

            /// Whether so many pages more can be had.
            grow: func(pages: u32) -> bool;
            /// Reads the wall clock twice and draws one number.
            several: func() -> u64;
        }

        world watcher {
            import hostel:task/context@0.1.0;
            export touches;
        }
    ",
    generate_all,
});

use exports::hostel::examples::touches::Guest;
use hostel::task::context;

struct Watcher;

impl Guest for Watcher {
    fn wall_clock() -> u64 {
        unix_nanos()
    }

    fn monotonic_clock() -> u64 {
        monotonic_clock::now()
    }

    fn elapsed(sleep_ms: u64) -> u64 {
        let start = Instant::now();
        std::thread::sleep(Duration::from_millis(sleep_ms));
        start.elapsed().as_nanos() as u64
    }

    fn resolutions() -> (u64, u64) {
        let wall = wall_clock::resolution();
        (wall.seconds * 1_000_000_000 + u64::from(wall.nanoseconds), monotonic_clock::resolution())
    }

    fn sleep(ms: u64) {
        std::thread::sleep(Duration::from_millis(ms));
    }

    fn sleep_until(instant: u64) {
        monotonic_clock::subscribe_instant(instant).block();
    }

    fn race(one_ms: u64, other_ms: u64) -> Vec<u32> {
        let timer = |ms| monotonic_clock::subscribe_duration(ms * 1_000_000);
        poll(&[&timer(one_ms), &timer(other_ms)])
    }

    fn is_ready(ms: u64) -> bool {
        monotonic_clock::subscribe_duration(ms * 1_000_000).ready()
    }

    fn spin(ms: u64) -> u64 {
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(ms) {}
        start.elapsed().as_nanos() as u64
    }

    fn ask(ms: u64) -> u64 {
        let timer = monotonic_clock::subscribe_duration(ms * 1_000_000);
        (0..).take_while(|_| !timer.ready()).count() as u64
    }

    fn ask_beside_input(ms: u64) -> u64 {
        // It outlives what waits for it.
        let stdin = get_stdin();
        let (timer, input) = (monotonic_clock::subscribe_duration(ms * 1_000_000), stdin.subscribe());
        (0..).take_while(|_| poll(&[&input, &timer]) == [0]).count() as u64
    }

    fn is_input_ready() -> bool {
        let input = get_stdin();
        let (one, other) = (input.subscribe(), input.subscribe());
        one.ready() && poll(&[&one, &other]).len() == 2
    }

    fn random(bytes: u64) -> Vec<u8> {
        random::get_random_bytes(bytes)
    }

    fn random_number() -> u64 {
        random::get_random_u64()
    }

    fn insecure(bytes: u64) -> Vec<u8> {
        insecure::get_insecure_random_bytes(bytes)
    }

    fn insecure_number() -> u64 {
        insecure::get_insecure_random_u64()
    }

    fn seeds() -> Vec<u64> {
        let (first, second) = (insecure_seed::insecure_seed(), insecure_seed::insecure_seed());
        vec![first.0, first.1, second.0, second.1]
    }

    fn in_hash_order(words: Vec<String>) -> Vec<String> {
        let set: HashMap<_, _> = words.into_iter().zip(0..).collect();
        set.into_keys().collect()
    }

    fn open_tcp() -> bool {
        tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv4).is_ok()
    }

    fn open_udp() -> bool {
        udp_create_socket::create_udp_socket(IpAddressFamily::Ipv4).is_ok()
    }

    fn look_up(name: String) -> bool {
        ip_name_lookup::resolve_addresses(&instance_network::instance_network(), &name).is_ok()
    }

    fn run_id() -> String {
        context::run_id()
    }

    fn run_name() -> String {
        context::run_name()
    }

    fn number_of_attempt() -> u32 {
        context::attempt()
    }

    fn deadline() -> Option<u64> {
        context::deadline()
    }

    fn task() -> (String, String) {
        (context::task_key(), context::task_name())
    }

    fn report(text: String) {
        context::progress(1, None, Some(&text));
        context::log(context::Level::Info, &text, &[]);
        println!("{text}");
        eprintln!("{text}");
    }

    fn grow(pages: u32) -> bool {
        core::arch::wasm32::memory_grow(0, pages as usize) != usize::MAX
    }

    fn several() -> u64 {
        unix_nanos() ^ unix_nanos() ^ random::get_random_u64()
    }
}

/// Stays a function of its own, so that it has a name.
#[inline(never)]
fn unix_nanos() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

export!(Watcher);
