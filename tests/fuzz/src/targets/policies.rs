//! Any text as a cache policy, and two policies as sets of facts.

use hostel_core::{CachePolicy, RetryOn};

use crate::{Target, input};

pub(super) const TARGET: Target = Target::new("policies", run, 50_000).words(WORDS).seeds(seeds);

const WORDS: &[&str] = &[
    " + ",
    " - ",
    "+",
    "-",
    " ",
    "auto",
    "default",
    "none",
    "inputs",
    "task-source",
    "run-id",
    "flow-parameters",
    "observed",
    "input:",
    "input:a",
    "input:b",
    "key:\"",
    "key:\"{a}\"",
    "\"",
    "\\",
    "\\\"",
    "\u{a0}",
    "\t",
    ",",
    "error",
    "trap",
    "exit",
    "limit",
    "timeout",
    "crash",
];

const FACTS: [CachePolicy; 5] = [
    CachePolicy::INPUTS,
    CachePolicy::TASK_SOURCE,
    CachePolicy::RUN_ID,
    CachePolicy::FLOW_PARAMETERS,
    CachePolicy::OBSERVED,
];

/// One policy or two.
fn run(bytes: &[u8]) {
    let [one, other] = input::lines(bytes);
    one.map(input::read::<RetryOn>);
    let policy = |text: Option<&str>| text.and_then(input::read::<CachePolicy>);
    let (Some(one), Some(other)) = (policy(one), policy(other)) else { return };
    let (sum, rest) = (one.clone() + other.clone(), one.clone() - other.clone());
    for fact in FACTS {
        assert_eq!(sum.includes(&fact), one.includes(&fact) || other.includes(&fact), "{one} + {other}");
        assert_eq!(rest.includes(&fact), one.includes(&fact) && !other.includes(&fact), "{one} - ({other})");
    }
    for input in ["a", "b"] {
        assert_eq!(
            counts(&sum, input),
            counts(&one, input) || counts(&other, input),
            "{input}: {one} + {other}"
        );
    }
    for policy in [sum, rest] {
        input::read::<CachePolicy>(&policy.to_string()).expect("what is written is read");
    }
}

fn counts(policy: &CachePolicy, input: &str) -> bool {
    policy.includes(&CachePolicy::INPUTS) && !policy.leaves_out(input)
}

fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "none",
        "auto - input:a + default",
        "inputs + task-source - input:a - input:b\nauto - input:a",
        "default - run-id",
        "key:\"{a} + \\\"b\\\" \\\\\"+flow-parameters\ninputs",
        "auto - observed\ndefault",
        "error,trap,timeout",
        "inputs - input:a - inputs + task-source\nauto",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
