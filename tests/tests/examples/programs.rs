//! The programs that are no examples, each as its readers expect it to go. They need the built guests.

use std::path::Path;

use futures_util::StreamExt;
use hostel::{CachePolicy, Host, LogStream, State, TaskFuture, args, as_completed, each};
use hostel_guests::{CACHING, CALCULATOR, PAGES};
use tempfile::TempDir;

use crate::{host, load};

fn inputs() -> CachePolicy {
    CachePolicy::INPUTS + CachePolicy::TASK_SOURCE
}

fn printed(run: &TaskFuture) -> Vec<String> {
    let stdout = run.log().into_iter().filter(|line| line.stream == LogStream::Stdout);
    stdout.map(|line| line.text).collect()
}

#[tokio::test]
async fn e11_add_and_multiply_print_and_return() {
    let host = host();
    let calculator = load(&host, CALCULATOR).await;
    let check = async |task: &str, line: &str, value: i64| {
        let run = calculator.task(task).unwrap().submit(args![2, 3]).unwrap();
        assert_eq!(run.result::<i64>().await.unwrap(), value);
        assert_eq!(printed(&run), [line]);
    };
    check("add", "2 + 3 = 5", 5).await;
    check("multiply", "2 * 3 = 6", 6).await;
}

#[tokio::test]
async fn e14_another_host_gets_the_result_of_the_first() {
    async fn run(dir: &Path) -> (i64, State) {
        let host = Host::builder().max_workers(1).data_dir(dir).build().unwrap();
        let task = load(&host, CACHING).await.task("my-cached-task").unwrap().cache(inputs());
        let run = task.submit(args![1]).unwrap();
        (run.result().await.unwrap(), run.state())
    }
    let dir = TempDir::new().unwrap();
    assert_eq!(run(dir.path()).await, (43, State::Completed));
    assert_eq!(run(dir.path()).await, (43, State::Cached));
}

#[tokio::test]
async fn e16_every_url_is_answered_though_none_may_be_loaded() {
    let host = host();
    let load_url = load(&host, PAGES).await.task("load-url").unwrap();
    let urls =
        ["http://127.0.0.1/", "https://localhost/a", "http://name.invalid/", "ftp://127.0.0.1/", "no URL"];
    let runs = load_url.map(args![each(urls), 60_000]).unwrap();
    let ended: Vec<_> = as_completed(runs).collect().await;
    assert_eq!(ended.len(), urls.len());
    for run in ended {
        assert_eq!(run.state(), State::Failed, "{}", run.outcome().await);
    }
}
