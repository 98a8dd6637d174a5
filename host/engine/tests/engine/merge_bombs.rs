//! Components that merge many values where branches meet, or need one register in every step of a long chain.

use hostel_engine::{Bound, Component, Engine, EngineOptions};

use crate::bombs::{assembled, check_bound, loaded};

/// A component of so many functions with this body, which have a parameter `$p` and so many locals more, that begin as different
/// values and are all used in the end.
fn of(functions: usize, locals: usize, body: &str) -> Vec<u8> {
    let each = |line: &str| (1..=locals).map(|n| line.replace('N', &n.to_string())).collect::<String>();
    let function = format!(
        "(func (param $p i32) {} {} {body} {})",
        "(local i32)".repeat(locals),
        each("(local.set N (i32.load offset=N (i32.const 0)))"),
        each("(i32.store offset=N (i32.const 0) (local.get N))"),
    );
    assembled(&format!("(component (core module (memory 1) {}))", function.repeat(functions)))
}

/// So many times an `if` that sets all of so many locals.
fn set_in_ifs(locals: usize, times: usize) -> String {
    let sets: String = (1..=locals).map(|n| format!("(local.set {n} (i32.const {n}))")).collect();
    format!("(if (local.get $p) (then {sets}))").repeat(times)
}

/// So many times an `if` with a result, that is the next value.
fn chosen(times: usize) -> String {
    "(local.set $p (if (result i32) (local.get $p) (then (local.get $p)) (else (i32.const 1))))".repeat(times)
}

/// So many blocks inside each other, left from the innermost one by as many branches, with another value in one of these locals at
/// each branch.
fn left(locals: usize, times: usize) -> String {
    let branches: String = (0..times)
        .map(|n| {
            let local = 1 + n % locals;
            format!(
                "(local.set {local} (i32.add (local.get {local}) (i32.const 1))) (br_if {n} (local.get $p))"
            )
        })
        .collect();
    format!("{}{branches}{}", "block ".repeat(times), "end ".repeat(times))
}

/// What an engine that compiles nothing in the background makes of it.
fn at_once(bytes: &[u8]) -> Component {
    let mut options = EngineOptions::default();
    (options.max_instances, options.optimise) = (16, false);
    Engine::new(options).unwrap().load_bytes(bytes).unwrap()
}

#[test]
fn locals_set_in_blocks_are_bounded_by_the_places_where_they_are_merged() {
    assert!(loaded(&of(1, 8, &set_in_ifs(8, 300))).is_optimised());
    check_bound(&of(1, 40, &set_in_ifs(40, 2_000)), Bound::BodyMerges);
    check_bound(&of(1, 100, &set_in_ifs(100, 1_000)), Bound::Merges);
    check_bound(&of(4, 50, &set_in_ifs(50, 1_000)), Bound::Merges);
    // Set in a block that is left once, they are not merged.
    let once = format!("(block {})", "(local.set 1 (i32.const 1))".repeat(20_000));
    assert!(loaded(&of(1, 1, &once)).is_optimised());
}

#[test]
fn a_value_that_is_merged_again_and_again_is_bounded_by_the_memory_that_takes() {
    assert!(loaded(&of(1, 0, &chosen(1_000))).is_optimised());
    check_bound(&of(1, 0, &chosen(11_000)), Bound::BodyMerges);
    // In many functions, their blocks are bounded sooner.
    check_bound(&of(20, 0, &chosen(10_000)), Bound::Work);
    // As many in a loop as after it.
    check_bound(&of(1, 0, &format!("(loop (br_if 0 (local.get $p)) {})", chosen(11_000))), Bound::BodyMerges);
}

#[test]
fn a_few_kibibytes_of_nested_blocks_merge_a_local_in_each() {
    loaded(&of(1, 20, &left(20, 100)));
    check_bound(&of(1, 20, &left(20, 3_000)), Bound::BodyMerges);
    check_bound(&of(1, 100, &left(100, 1_000)), Bound::Merges);
}

#[test]
fn chains_that_need_one_register_in_every_step_are_bounded() {
    let rotated = |times: usize| "(local.set $p (i32.rotl (local.get $p) (local.get $p)))".repeat(times);
    let grown = |times: usize| "(local.set $p (memory.grow (local.get $p)))".repeat(times);
    for chain in [&rotated as &dyn Fn(usize) -> String, &grown] {
        loaded(&of(1, 0, &chain(1_000)));
        check_bound(&of(1, 0, &chain(22_000)), Bound::BodyMerges);
        check_bound(&of(3, 0, &chain(18_000)), Bound::Merges);
    }
    // A component of so many functions took 66 s. One of them has fewer than 5,700, which is the bound on extra cost.
    let inits = |times: usize| {
        format!(
            "(table 1 funcref) (elem funcref (ref.null func)) {}",
            format!(
                "(func (param $n i32) {})",
                "(table.init 0 (local.get $n) (local.get $n) (local.get $n))".repeat(times)
            )
            .repeat(9)
        )
    };
    let in_module = |module: String| assembled(&format!("(component (core module {module}))"));
    loaded(&in_module(inits(500)));
    check_bound(&in_module(inits(5_000)), Bound::Merges);
    // By a constant, it is an operator like any other.
    let by_constant = "(local.set $p (i32.rotl (local.get $p) (i32.const 5)))".repeat(22_000);
    assert!(loaded(&of(1, 0, &by_constant)).exports().is_empty());
}

#[test]
fn what_may_take_seconds_is_compiled_quickly_first() {
    let has_quick = cfg!(target_arch = "x86_64");
    for body in [set_in_ifs(8, 3_000), "(local.set $p (memory.grow (local.get $p)))".repeat(10_000)] {
        assert_eq!(at_once(&of(1, 8, &body)).is_optimised(), !has_quick);
    }
}
