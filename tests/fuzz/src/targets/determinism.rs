//! Any text as a clock and as a source of randomness.

use hostel_core::{Clock, Determinism, Randomness};

use crate::{Target, input};

pub(super) const TARGET: Target = Target::new("determinism", run, 500_000).words(WORDS).seeds(seeds);

const WORDS: &[&str] = &[
    "real",
    "fixed:",
    "seed:",
    "2026-01-01",
    "1970-01-01T00:00:00Z",
    "T",
    "Z",
    "+02:00",
    "-23:59",
    ".5",
    ":60",
    "24:00:00",
    "[Europe/Berlin]",
    "[u-ca=gregory]",
    "2554-07-21T23:34:33.709551615Z",
    "18446744073709551615",
    "0",
    "-",
    "+",
    " ",
];

fn run(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let clock = input::read::<Clock>(text);
    let randomness = input::read::<Randomness>(text);
    assert!(clock.is_none() || randomness.is_none() || text == "real");
    let determinism =
        Determinism { clock: clock.unwrap_or_default(), randomness: randomness.unwrap_or_default() };
    let facts = determinism.facts();
    let real = [determinism.clock == Clock::Real, determinism.randomness == Randomness::Real];
    assert_eq!(facts.len(), real.iter().filter(|real| !**real).count(), "a fact for each that is not real");
    assert!(facts.is_sorted());
}

fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "real",
        "fixed:2026-01-01T00:00:00Z",
        "fixed:2026-01-01T02:00:00.5+02:00",
        "seed:42",
        "seed:18446744073709551615",
        "fixed:2026-06-30 23:59:60.123456789-11:59[Europe/Berlin]",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
