//! Maps that give up.

use crate::hostel::{Place, check};

/// For 0 it traps, for anything else it computes until it is stopped.
const TRAP_OR_SPIN: &str = r#"(component
    (core module $m (func (export "trap-or-spin") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then unreachable))
        (loop (br 0))
        (unreachable)))
    (core instance $i (instantiate $m))
    (func (export "trap-or-spin") (param "x" s32) (result s32) (canon lift (core func $i "trap-or-spin"))))"#;

#[test]
fn a_map_stops_at_the_first_failure_wherever_it_is() {
    let place = Place::new();
    place.write("mixed.wat", TRAP_OR_SPIN);
    // What fails last is submitted last, so all the others are in flight, whichever thread is quicker.
    let lines = [
        "map mixed.wat --over 'x=[1, 1, 1, 0]' --workers 2 --fail-fast",
        "map mixed.wat --over 'x=[1, 0, 1, 0]' --workers 2 --max-failures 2",
        "map mixed.wat --over 'x=[1, 1, 0]' --workers 2 --fail-fast --states --as-completed --quiet",
        "map trap.wat#divide --with a=1 --over 'b=[0]' --fail-fast",
        "map trap.wat#divide --with a=6 --over 'b=[1, 2, 3]' --fail-fast",
        "map trap.wat#divide --with a=6 --over 'b=[1, 0, 3]' --max-failures 2",
        "map trap.wat#divide --with a=6 --over 'b=[1, 0, 3]' --keep-going",
    ];
    check!("stopping", place.session(&lines));
}

#[test]
fn items_that_are_never_submitted_are_counted() {
    let place = Place::new();
    place.write("mixed.wat", TRAP_OR_SPIN);
    // More than are ever in flight at once, and the first one ends only by being stopped.
    let ran = place.run("map mixed.wat --over x=-1..=29999 --workers 2 --fail-fast");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.last().starts_with("  stopped after the first failure: "), "{}", ran.stderr);
    assert!(ran.last().ends_with(" items never submitted"), "{}", ran.stderr);
    assert!(!ran.last().contains(" 0 items"), "{}", ran.stderr);
}

#[test]
fn a_map_over_stdin_does_not_wait_for_its_end() {
    let place = Place::new();
    let mut child = place.start("map trap.wat#divide --with a=1 --over b=- --fail-fast");
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"1\n0\n").unwrap();
    let ran = crate::hostel::Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 1);
    assert!(ran.last().ends_with("the remaining items never submitted"), "{}", ran.stderr);
    drop(stdin);
}

#[test]
fn runs_that_are_cancelled_behind_the_last_result_have_no_line() {
    let place = Place::new();
    place.write("mixed.wat", TRAP_OR_SPIN);
    // How many of the others were submitted until then depends on the threads.
    let ran = place.run("map mixed.wat --over 'x=[0, 1, 1]' --workers 2 --fail-fast");
    assert_eq!((ran.code, ran.stdout.lines().count()), (1, 1), "{}", ran.stdout);
    assert!(ran.stdout.contains(r#"{"kind":"trap","#), "{}", ran.stdout);
}
