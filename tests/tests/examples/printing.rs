//! What the examples of the crate `hostel` print: each is run, and does what it says. Tests are named by the rows of the
//! table of programs.

use std::fs;
use std::path::Path;

use crate::built::{names, printed, prints};
use crate::server::Server;

#[test]
fn e01_explain_tasks() {
    prints("explain_tasks", "run any code here!\nbut maybe just a little bit\nCompleted after 2 lines");
}

#[test]
fn e02_ten_elevators_take_as_long_as_the_tenth_e03_mapped_and_gathered_e04_on_another_host() {
    let printed = printed("elevator", &["200"]);
    let rides: Vec<&str> = printed.split("\n\n").collect();
    let [submitted, mapped, gathered] = rides[..] else { panic!("{printed}") };
    let ride = |text: &str, says: &str| {
        let (lines, said) = text.trim_end().rsplit_once('\n').unwrap();
        assert!(said.starts_with(says), "{said}");
        let (mut moving, stops): (Vec<_>, Vec<_>) = lines.lines().partition(|line| line.contains("moving"));
        assert_eq!(
            stops,
            (1..=10).map(|floor| format!("elevator stops on floor {floor}")).collect::<Vec<_>>()
        );
        // They begin as workers take them up.
        moving.sort_by_key(|line| line.len());
        moving[..9].sort();
        let expected = (1..=10).map(|floor| format!("elevator moving to floor {floor}"));
        assert_eq!(moving, expected.collect::<Vec<_>>());
    };
    ride(submitted, "submitted: all have stopped after ");
    ride(mapped, "mapped: [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]");
    ride(gathered, "gathered: [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]");
}

#[test]
fn e05_cool_task() {
    prints("cool_task", "sup");
}

#[test]
fn e06_wait() {
    prints(
        "wait",
        "first: ... done, ... not done\n\
         all: 10 done, 0 not done\n\
         one: done is false, it is Running\n\
         one: it is Cancelled",
    );
}

#[test]
fn e07_sum_plus() {
    prints("sum_plus", "[10, 11, 12]");
}

#[test]
fn e11_background() {
    prints("background", "2 runs wait\n2 + 3 = 5\n2 * 3 = 6\nresults: 5 and 6");
}

#[test]
fn e08_dependencies() {
    let printed = printed("dependencies", &[]);
    let mut lines: Vec<_> = printed.lines().collect();
    // The first two begin in no order.
    lines[..2].sort_unstable();
    assert_eq!(
        lines,
        [
            "1 + 1 = 2",
            "2 + 2 = 4",
            "3 + 3 = 6",
            "4 + 4 = 8",
            "d = 8",
            "8 + 10 = 18",
            "18 + 2 = 20",
            "f = 20",
            "after: UpstreamFailed",
        ]
    );
}

#[test]
fn e09_a_batch_of_which_two_fail() {
    prints(
        "batch",
        "5 done, 0 not done\n\
         Processed 1\n\
         error: run ... failed: returned the error \"Cannot process negative value: -2\"\n\
         Processed 3\n\
         error: run ... failed: returned the error \"Cannot process negative value: -4\"\n\
         Processed 5\n\
         and on it goes",
    );
}

#[test]
fn e10_the_best_model() {
    let printed = printed("best_model", &[]);
    let mut lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.pop(), Some("best: gradient_boosting on products with 0.838"));
    // As they complete, which is in no order.
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "train on customers with gradient_boosting: 0.197",
            "train on customers with random_forest: 0.548",
            "train on orders with gradient_boosting: 0.207",
            "train on orders with random_forest: 0.198",
            "train on products with gradient_boosting: 0.838",
            "train on products with random_forest: 0.779",
        ]
    );
}

#[test]
fn e12_the_second_time_is_cached() {
    prints("cached", "add-one(1) = 2: Completed\nadd-one(1) = 2: Cached\nadd-one(2) = 3: Completed");
}

#[test]
fn e13_a_cached_run_does_not_sleep() {
    prints("stateful", "sleeping\n2: Completed\n2: Cached\nsleeping\n2: Completed");
}

#[test]
fn e14_bucket() {
    prints("bucket", "here: my-cached-task(1) = 43: Completed\nthere: my-cached-task(1) = 43: Cached");
}

#[test]
fn e15_a_number_of_3099_digits() {
    let printed = printed("pow", &[]);
    let digits = printed.trim_end();
    assert_eq!((digits.len(), digits.chars().all(|digit| digit.is_ascii_digit())), (3099, true));
}

#[test]
fn e16_pages_as_they_are_loaded() {
    let server = Server::closed();
    server.open();
    let url = server.url("/");
    let printed = printed("pages", &[&url, "http://name.invalid/", &url]);
    let mut lines: Vec<_> = printed.lines().collect();
    // As they complete, which is in no order.
    lines.sort_unstable_by_key(|line| line.contains("exception"));
    let page = format!("{url} page is 1256 bytes");
    assert_eq!(lines[..2], [&page, &page]);
    assert!(lines[2].starts_with("http://name.invalid/ generated an exception: run "), "{printed}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn retries() {
    prints(
        "retries",
        "attempt 3 completed\n\
         - Pending\n- Running\n- AwaitingRetry\n- Retrying\n- AwaitingRetry\n- Retrying\n- Completed\n\
         timed out after 50ms\n\
         - attempt 1 took ...ms\n- attempt 2 took ...ms\n- attempt 3 took ...ms",
    );
}

#[test]
fn a_transaction() {
    prints(
        "transaction",
        "commit 1\ncommit 2\nall is well\nrollback 4\nrollback 3\n\
         error: the transaction is rolled back, because run ... did not complete: \
         returned the error \"Cannot process negative value: -5\"",
    );
}

#[test]
fn events() {
    let lines = ["Pending", "Running", "1 done", "counted", "2 done", "counted", "3 done", "counted"];
    let lines = lines.into_iter().chain(["counted to 3", "Completed"]);
    let lines: Vec<_> = lines.map(|line| format!("count to 3: {line}")).collect();
    prints("events", &lines.join("\n"));
}

#[test]
fn every_example_is_tested_here_and_listed_in_their_readme() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/hostel/examples");
    let readme = fs::read_to_string(examples.join("README.md")).unwrap();
    let tests = include_str!("printing.rs");
    for name in names() {
        assert!(tests.contains(&format!("\"{name}\"")), "no test runs the example {name}");
        assert!(
            readme.contains(&format!("({name}.rs)")),
            "host/hostel/examples/README.md does not list {name}"
        );
    }
}
