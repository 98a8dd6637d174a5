//! Every target with its corpus, and with so many inputs made from it.
//!
//! The inputs are the same each time. `FUZZ_SEED=NUMBER` makes others, and `FUZZ_TIMES=NUMBER` so many times as many:
//!
//! ```text
//! FUZZ_SEED=7 FUZZ_TIMES=50 cargo test --workspace --test fuzz values
//! ```
//!
//! An input that fails is written to a file, and the message says where. Once it is mended, the file goes into the corpus.

#![cfg(test)]

mod mutation;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use hostel_fuzz::{TARGETS, Target, target};

use mutation::Mutator;

/// Where the generator starts if nobody says otherwise.
const SEED: u64 = 1;

/// One test for each target, so that they run side by side.
macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                fuzz(stringify!($name));
            }
        )*

        #[test]
        fn every_target_has_a_test() {
            let tested = BTreeSet::from([$(stringify!($name)),*]);
            let targets: BTreeSet<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(tested, targets);
        }
    };
}

targets!(
    canonical,
    components,
    determinism,
    fold,
    grants,
    policies,
    records,
    runs,
    manifests,
    signatures,
    task_refs,
    templates,
    texts,
    traces,
    values,
);

/// Tries a target with its corpus, then with mutations of it.
fn fuzz(name: &str) {
    let target = target(name).expect("a test is named as its target");
    let kept = corpus(target);
    for (path, input) in &kept {
        attempt(target, input, || format!("{} of the corpus", path.display()));
    }
    let seeds: Vec<_> = kept.into_iter().map(|(_, input)| input).chain((target.seeds)()).collect();
    seeds.iter().for_each(|seed| attempt(target, seed, || "a seed of the target".to_owned()));
    let (seed, times) = (variable("FUZZ_SEED").unwrap_or(SEED), variable("FUZZ_TIMES").unwrap_or(1));
    let inputs = target.inputs as u64 * times;
    let mut mutator = Mutator::new(seed, seeds, target.words);
    for number in 0..inputs {
        attempt(target, &mutator.next(), || format!("input {number} of {inputs}, from FUZZ_SEED={seed}"));
    }
}

/// Tries a target with an input. What fails is said, and kept.
fn attempt(target: &Target, input: &[u8], which: impl Fn() -> String) {
    if let Err(failure) = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}", target.name));
        fs::write(&path, input).expect("the input is written");
        eprintln!("target {}, {}: {:?}", target.name, which(), String::from_utf8_lossy(input));
        eprintln!("the input is in {}; mended, it goes into {}", path.display(), home(target).display());
        panic::resume_unwind(failure);
    }
}

/// The kept inputs of a target, in the order of their names.
fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(home(target)) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry of the corpus").path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let input = fs::read(&path).expect("an input is a file");
        (path, input)
    };
    paths.into_iter().map(read).collect()
}

fn home(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, found {text:?}")))
}

#[test]
fn every_corpus_has_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in fs::read_dir(root).expect("there is a corpus") {
        let name = entry.expect("an entry of the corpus").file_name();
        assert!(target(&name.to_string_lossy()).is_some(), "{name:?} is the corpus of no target");
    }
}

#[test]
fn what_does_not_hold_is_noticed() {
    let wrong =
        Target { run: |bytes| assert!(!bytes.contains(&b'#')), ..*target("task_refs").expect("a target") };
    let mut mutator = Mutator::new(SEED, vec![b"math.wasm".to_vec()], wrong.words);
    let fails = |input: &[u8]| panic::catch_unwind(|| (wrong.run)(input)).is_err();
    assert!((0..1000).any(|_| fails(&mutator.next())), "no input has a word of the target");
}

#[test]
fn a_seed_makes_the_same_inputs_each_time() {
    let inputs = |seed: u64| {
        let mut mutator = Mutator::new(seed, vec![b"abc".to_vec(), b"1234".to_vec()], &["#"]);
        (0..100).map(|_| mutator.next()).collect::<Vec<_>>()
    };
    assert_eq!(inputs(1), inputs(1));
    assert_ne!(inputs(1), inputs(2));
}
