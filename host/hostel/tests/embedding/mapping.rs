//! One task over many elements.

use std::ops::Range;

use futures_executor::block_on;
use futures_util::{FutureExt, StreamExt, stream};
use hostel::{
    Host, Outcome, State, SubmitError, TaskFuture, Value, args, as_completed, each, each_of_stream, results,
};
use hostel_guests::{ARITH, BATCH, ELEVATOR, MODELS, SPIN_FOREVER, SUM_PLUS, wat};
use tokio::sync::mpsc;

use crate::{build, host, task};

fn numbers(range: Range<i64>) -> hostel::Each {
    each(range)
}

#[test]
fn f24_what_is_not_marked_stays_the_same_for_all() {
    let host = host(2);
    let futures = task(&host, SUM_PLUS, "sum-plus").map(args![each([4, 5, 6]), vec![1, 2, 3]]).unwrap();
    let sums: Vec<i64> = futures.iter().map(|future| block_on(future.result()).unwrap()).collect();
    assert_eq!(sums, [10, 11, 12]);
}

#[test]
fn f23_a_failing_item_fails_alone() {
    let host = host(2);
    let futures = task(&host, BATCH, "process-data").map(args![each([1, -2, 3, -4, 5])]).unwrap();
    let outcomes: Vec<_> = futures.iter().map(|future| block_on(future.outcome()).to_string()).collect();
    assert_eq!(
        outcomes,
        [
            "\"Processed 1\"",
            "returned the error \"Cannot process negative value: -2\"",
            "\"Processed 3\"",
            "returned the error \"Cannot process negative value: -4\"",
            "\"Processed 5\"",
        ]
    );
}

#[test]
fn f26_one_over_many_and_the_best() {
    let host = host(2);
    let named = |name: &str| Value::Record(vec![("name".into(), Value::String(name.into()))]);
    let train = task(&host, MODELS, "train-model");
    let train = train.run_name("{dataset.name} with {model-config.name}").unwrap();
    let mut runs = Vec::new();
    for dataset in ["customers", "products", "orders"] {
        let configs = each(["random_forest", "gradient_boosting"].map(named));
        runs.extend(train.map(args![dataset = named(dataset), "model-config" = configs]).unwrap());
    }
    let names: Vec<_> = runs.iter().map(|run| run.name().to_string()).collect();
    let of = |dataset: &str| {
        ["random_forest", "gradient_boosting"].map(|model| format!("{dataset} with {model}")).to_vec()
    };
    assert_eq!(names, [of("customers"), of("products"), of("orders")].concat());
    let score = |run: &TaskFuture| {
        let Outcome::Completed(Value::Record(fields)) = &*block_on(run.outcome()) else { panic!("{run:?}") };
        let Some((_, Value::F64(score))) = fields.last() else { panic!("{fields:?}") };
        *score
    };
    let best = runs.iter().max_by(|a, b| score(a).total_cmp(&score(b))).unwrap();
    assert_eq!((&*best.name().to_string(), score(best)), ("products with gradient_boosting", 0.838));
}

#[test]
fn f09_different_lengths_nothing_marked_and_empty() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    assert!(matches!(add.map(args![each(0..3), each(0..1)]), Err(SubmitError::LengthsDiffer { .. })));
    assert!(matches!(add.map(args![1, 2]), Err(SubmitError::NothingMapped)));
    assert!(add.map(args![each(0..0), 1]).unwrap().is_empty());
}

#[test]
fn nothing_runs_if_one_element_is_wrong() {
    let host = host(1);
    let (say, mut lines) = crate::telling(task(&host, ELEVATOR, "stop-at-floor"));
    let floors = vec![Value::U32(1), Value::U32(2), Value::String("roof".into())];
    let error = say.map(args![each(floors), 0]).unwrap_err();
    assert_eq!(error.to_string(), "argument \"floor\": expected u32, found string \"roof\"");
    drop((say, host));
    assert_eq!(lines.blocking_recv(), None, "nothing was printed");
}

#[test]
fn f10_a_map_gives_its_futures_in_the_order_of_the_elements_whoever_ends_first() {
    let host = host(1);
    let stop_at_floor = task(&host, ELEVATOR, "stop-at-floor");
    let futures = stop_at_floor.map(args![each([3, 1, 2]), 200]).unwrap();
    let ended: Vec<_> = block_on(as_completed(futures.clone()).collect());
    assert_eq!(ended, [1, 2, 0].map(|index| futures[index].clone()));
    assert_eq!(block_on(results::<u32>(&futures)).unwrap(), [3, 1, 2]);
}

#[test]
fn f10_a_stream_keeps_the_order_of_its_inputs() {
    let host = host(2);
    let add = task(&host, ARITH, "add");
    let stream = add.map_stream(args![numbers(0..5_000), 1]).unwrap().window(64);
    let sums: Vec<i64> =
        block_on(stream.then(|run| async { run.unwrap().result::<i64>().await.unwrap() }).collect());
    assert_eq!(sums, (1..=5_000).collect::<Vec<_>>());
}

#[test]
fn a_stream_as_completed_gives_the_quick_ones_first() {
    let host = host(1);
    let sleep = task(&host, wat::SLEEPER, "sleep");
    let stream = sleep.map_stream(args![each([600, 1, 300])]).unwrap();
    let order: Vec<_> = block_on(stream.as_completed().map(|run| run.unwrap()).collect());
    let ids: Vec<_> = order.iter().map(|run| run.id()).collect();
    let mut submitted = ids.clone();
    submitted.sort();
    assert_eq!(ids, [submitted[1], submitted[2], submitted[0]]);
}

#[test]
fn a_stream_submits_no_more_than_its_window_and_nothing_endless() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let taken = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = taken.clone();
    let endless = (0i64..).inspect(move |_| _ = counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let mut stream = add.map_stream(args![each(endless), 1]).unwrap().window(8);
    for n in 0..100 {
        let run = block_on(stream.next()).unwrap().unwrap();
        assert_eq!(block_on(run.result::<i64>()).unwrap(), n + 1);
    }
    let taken = taken.load(std::sync::atomic::Ordering::Relaxed);
    assert!((100..=108).contains(&taken), "{taken}");
}

#[test]
fn a_stream_through_a_queue_smaller_than_its_window() {
    let host = build(Host::builder().max_workers(2).queue_capacity(3));
    let add = task(&host, ARITH, "add");
    let stream = add.map_stream(args![numbers(0..2_000), 1]).unwrap();
    let runs: Vec<_> = block_on(stream.collect());
    assert!(runs.len() == 2_000 && runs.iter().all(Result::is_ok));
}

#[test]
fn an_error_in_a_stream_comes_in_its_place_and_ends_it() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let values = vec![Value::S64(1), Value::Bool(true), Value::S64(3)];
    let runs: Vec<_> = block_on(add.map_stream(args![each(values), 1]).unwrap().collect());
    assert!(matches!(&runs[..], [Ok(_), Err(SubmitError::Argument(_))]), "{runs:?}");
}

#[test]
fn a_cancelled_stream_gives_what_it_had_in_flight() {
    let host = host(1);
    let spin = task(&host, SPIN_FOREVER, "spin-after");
    let mut stream = spin.map_stream(args![each(0..1000)]).unwrap().window(5);
    assert!(stream.next().now_or_never().is_none(), "all five are in flight");
    stream.cancel();
    let runs: Vec<_> = block_on(stream.collect());
    assert_eq!(runs.len(), 5);
    for run in runs {
        assert_eq!(*block_on(run.unwrap().outcome()), Outcome::Cancelled);
    }
}

#[test]
fn every_run_of_a_map_has_its_own_history() {
    let host = host(2);
    let futures = task(&host, ARITH, "add").map(args![numbers(0..50), 1]).unwrap();
    futures.iter().for_each(|future| _ = block_on(future.outcome()));
    assert!(futures.iter().all(|future| future.state() == State::Completed && future.history().len() == 3));
}

#[test]
fn a_map_takes_elements_of_a_stream_as_they_come() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let (send, receive) = mpsc::unbounded_channel();
    let numbers = stream::unfold(receive, async |mut receive| receive.recv().await.map(|n| (n, receive)));
    let mut sums = add.map_stream(args![each_of_stream(numbers), each(0..)].zip_shortest()).unwrap();
    for n in 0..3i64 {
        assert!(sums.next().now_or_never().is_none(), "nothing has come, so nothing is there");
        send.send(n).unwrap();
        let sum = block_on(sums.next()).unwrap().unwrap();
        assert_eq!(block_on(sum.result::<i64>()).unwrap(), n * 2);
    }
    drop(send);
    assert!(block_on(sums.next()).is_none());
    let error = add.map(args![each_of_stream(stream::iter([1])), 2]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "argument 1 is a stream: use `map_stream`, which takes its elements as they arrive"
    );
}
