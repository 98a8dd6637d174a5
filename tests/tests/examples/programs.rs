//! The programs that are no examples, each as its readers expect it to go. They need the built guests.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::try_join_all;
use hostel::{CachePolicy, Grants, Host, LogStream, State, TaskFuture, args, as_completed, each};
use hostel_guests::{ASYNCY, CACHING, CALCULATOR, PAGES};
use tempfile::TempDir;

use crate::server::Server;
use crate::{host, load};

fn inputs() -> CachePolicy {
    CachePolicy::INPUTS + CachePolicy::TASK_SOURCE
}

fn printed(run: &TaskFuture) -> Vec<String> {
    let stdout = run.log().into_iter().filter(|line| line.stream == LogStream::Stdout);
    stdout.map(|line| line.text).collect()
}

#[tokio::test]
async fn e03_elevators_that_are_async_functions_are_gathered() {
    let host = Host::builder().max_workers(1).build().unwrap();
    let stop_at_floor = load(&host, ASYNCY).await.task("stop-at-floor").unwrap();
    let runs = stop_at_floor.map(args![each((1..=10).rev()), 10]).unwrap();
    let floors = try_join_all(runs.iter().map(TaskFuture::result::<u32>)).await.unwrap();
    assert_eq!(floors, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    for (run, floor) in runs.iter().zip(floors) {
        let lines = [format!("elevator moving to floor {floor}"), format!("elevator stops on floor {floor}")];
        assert_eq!(printed(run), lines);
    }
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
async fn another_host_gets_the_result_of_the_first() {
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
async fn e16_f28_every_url_is_answered_though_none_may_be_loaded() {
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

#[tokio::test]
async fn e16_the_name_that_does_not_resolve_comes_first_and_then_the_pages() {
    let host = Host::builder().max_workers(5).build().unwrap();
    let server = Server::closed();
    let http = ["127.0.0.1:*", "name.invalid"].map(|text| text.parse().unwrap()).to_vec();
    let load_url = load(&host, PAGES).await.task("load-url").unwrap();
    let load_url = load_url.grants(Grants { http, ..Grants::default() }).timeout(Duration::from_secs(60));
    let mut urls = ["/5", "/100", "/0", "/70000"].map(|path| server.url(path)).to_vec();
    urls.insert(2, "http://name.invalid/".to_owned());
    let runs = load_url.map(args![each(urls.clone()), 60_000]).unwrap();
    let url_of = |run: &TaskFuture| {
        let index = runs.iter().position(|one| one.id() == run.id()).unwrap();
        urls[index].as_str()
    };

    let mut ended = as_completed(runs.clone());
    let first = ended.next().await.unwrap();
    assert_eq!((url_of(&first), first.state()), ("http://name.invalid/", State::Failed));
    assert!(first.outcome().await.to_string().contains("DnsError"), "{}", first.outcome().await);
    server.open();
    let mut lines = Vec::new();
    while let Some(run) = ended.next().await {
        let page = run.result::<Vec<u8>>().await.unwrap();
        lines.push(format!("{} page is {} bytes", url_of(&run), page.len()));
    }
    lines.sort();
    let expected = [("/0", 0), ("/100", 100), ("/5", 5), ("/70000", 70_000)];
    assert_eq!(lines, expected.map(|(path, bytes)| format!("{} page is {bytes} bytes", server.url(path))));
}
