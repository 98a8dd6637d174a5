//! A guest that waits for a page which never comes is stopped as any other.

use hostel::{Grants, Outcome, State, Task, args};
use hostel_guests::PAGES;

use crate::server::Silence;
use crate::{host, load};

async fn load_url(host: &hostel::Host) -> Task {
    let grants = Grants { http: vec!["127.0.0.1:*".parse().unwrap()], ..Grants::default() };
    load(host, PAGES).await.task("load-url").unwrap().grants(grants)
}

#[tokio::test]
async fn when_the_run_is_cancelled() {
    let (host, server) = (host(), Silence::start());
    let run = load_url(&host).await.submit(args![server.url()]).unwrap();
    assert_eq!(server.next(), "asked");
    assert!(run.cancel());
    assert_eq!((&*run.outcome().await, run.state()), (&Outcome::Cancelled, State::Cancelled));
    assert_eq!(server.next(), "abandoned");
}

#[tokio::test]
async fn when_the_host_is_dropped() {
    let (host, server) = (host(), Silence::start());
    let run = load_url(&host).await.submit(args![server.url()]).unwrap();
    assert_eq!(server.next(), "asked");
    drop(host);
    assert_eq!(*run.outcome().await, Outcome::Cancelled);
    assert_eq!(server.next(), "abandoned");
}
