//! Timers in JavaScript.

use std::process::Stdio;
use std::sync::mpsc::channel;

use serde_json::{Value as Json, json};

use crate::hostel::{Place, Ran};
use crate::scripts::{command, place_with, printed_json};
use crate::server::{PATIENCE, ran};
use crate::web_server::{answer, serve};

const TIMERS: &str = r#"
const nap = (ms) => new Promise((done) => setTimeout(done, ms));

export async function order() {
  const seen = [];
  setTimeout((text) => seen.push(text), 20, 'b');
  setTimeout(() => seen.push('a'), 10);
  clearTimeout(setTimeout(() => seen.push('never'), 5));
  let ticks = 0;
  const id = setInterval(() => {
    seen.push('tick');
    ticks += 1;
    if (ticks === 3) clearInterval(id);
  }, 4);
  setTimeout(() => seen.push('at once'));
  clearTimeout(undefined);
  await nap(30);
  return seen;
}

export async function nested(n) {
  await nap(1);
  return n === 0 ? 'done' : nested(n - 1);
}

export async function together(n) {
  await Promise.all(Array.from({ length: n }, (_, index) => nap(n - index)));
  return n;
}

export async function fail() {
  setTimeout(() => {
    throw new RangeError('from a timer');
  }, 1);
  await nap(1000000);
}

export function leave() {
  setTimeout(() => console.log('never printed'), 1);
  return 'left';
}

export async function odd() {
  const reasons = [];
  for (const callback of ['1 + 1', undefined]) {
    try {
      setTimeout(callback, 1);
    } catch (error) {
      reasons.push(`${error.name}: ${error.message}`);
    }
  }
  await nap(NaN);
  await nap('3');
  await nap(-1);
  return reasons;
}

export function many() {
  for (;;) setTimeout(() => {}, 1);
}

export async function never() {
  setTimeout(() => {}, 1);
  await new Promise(() => {});
}

export async function call(url, ms) {
  await nap(ms);
  return (await fetch(url)).status;
}
"#;

fn place() -> Option<Place> {
    place_with("timers.js", TIMERS)
}

fn run(place: &Place, line: &str) -> Ran {
    ran(command(place, line))
}

#[track_caller]
fn result(place: &Place, line: &str) -> Json {
    printed_json(place, &format!("run timers.js#{line} --cache none"))
}

#[track_caller]
fn failed(place: &Place, line: &str, expected: &str) {
    let ran = run(place, &format!("run timers.js#{line}"));
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{line}: {ran}");
    assert!(ran.stderr.contains(expected), "{line}: {ran}");
}

#[test]
fn timers_end_in_the_order_of_their_times() {
    let Some(place) = place() else { return };
    assert_eq!(result(&place, "order"), json!(["at once", "tick", "tick", "a", "tick", "b"]));
    assert_eq!(result(&place, "nested 20"), "done");
    assert_eq!(result(&place, "together 1000"), 1000);
    let expected = "TypeError: the callback of a timer is a function";
    assert_eq!(result(&place, "odd"), json!([expected, expected]));
    // What is left when there is a result does not run.
    let left = run(&place, "run timers.js#leave");
    assert_eq!(left.stdout, "\"left\"\n");
    assert!(!left.stderr.contains("never printed"), "{left}");
}

#[test]
fn errors_of_timers_fail_the_run() {
    let Some(place) = place() else { return };
    failed(&place, "fail", "RangeError: from a timer");
    failed(&place, "many", "RangeError: more than 10000 timers at once");
    failed(&place, "never", "the promise that never returned is never settled");
}

#[test]
fn timers_are_no_reason_not_to_cache_a_result() {
    let Some(place) = place() else { return };
    let states = ["Completed", "Cached"].map(|expected| {
        let ran = run(&place, "run timers.js#nested 3 --states");
        let run: Json = serde_json::from_str(&ran.stdout).unwrap();
        (run["state"].clone(), expected)
    });
    states.iter().for_each(|(state, expected)| assert_eq!(state, expected));
}

#[test]
fn timers_follow_a_virtual_clock() {
    let Some(place) = place() else { return };
    assert_eq!(result(&place, "order --clock virtual"), json!(["at once", "tick", "tick", "a", "tick", "b"]));
}

#[test]
fn a_run_rests_without_a_worker_until_its_timer_ends() {
    let Some(place) = place() else { return };
    let (send, asked) = channel();
    let (address, serving) = serve(1, move |_| {
        send.send(()).unwrap();
        answer("200 OK", "")
    });
    // An hour passes before the first one ends, and there is one worker.
    let over = format!(
        "map timers.js#call --over ms=[3600000,1] --with url=http://{address}/ --http {address} --workers 1"
    );
    let mut command = command(&place, &over);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let found = asked.recv_timeout(PATIENCE);
    child.kill().unwrap();
    child.wait().unwrap();
    found.expect("the second run sends its request while the first one rests");
    serving.join().unwrap();
}
