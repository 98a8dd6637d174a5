//! Deny by default: what a guest that tries everything gets.

use hostel_core::{LogStream, Value};
use hostel_guests::PEEK;

use crate::run;

#[tokio::test(flavor = "current_thread")]
async fn a_guest_gets_clocks_and_randomness_and_nothing_else() {
    let ran = run(PEEK, "everything", &[]).await;
    let hostel_core::Outcome::Completed(Value::List(findings)) = &ran.outcome else {
        panic!("{:?}", ran.outcome)
    };
    assert!(findings.len() > 5);
    for finding in findings {
        let Value::Record(fields) = finding else { panic!("{finding:?}") };
        let field = |name: &str| &fields.iter().find(|(field, _)| **field == *name).unwrap().1;
        let (Value::String(what), Value::Bool(allowed)) = (field("what"), field("allowed")) else { panic!() };
        let harmless = ["clock", "random"].iter().any(|word| what.contains(word));
        assert_eq!(*allowed, harmless, "{what}: {:?}", field("detail"));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn no_files() {
    for (name, args) in [
        ("list-dir", &["/"][..]),
        ("list-dir", &["."]),
        ("read-file", &["/etc/passwd"]),
        ("read-file", &["../../../../etc/passwd"]),
        ("write-file", &["/tmp/hostel-was-here", "x"]),
        ("remove-file", &["/tmp/hostel-was-here"]),
    ] {
        assert_eq!(run(PEEK, name, args).await.failure().kind().name(), "error", "{name} {args:?}");
    }
    assert!(!std::path::Path::new("/tmp/hostel-was-here").exists());
}

#[tokio::test(flavor = "current_thread")]
async fn no_environment_and_no_arguments() {
    assert!(std::env::var_os("PATH").is_some(), "there is something to find");
    assert_eq!(run(PEEK, "env-var", &["PATH"]).await.value(), "none");
    assert_eq!(run(PEEK, "env-vars", &[]).await.value(), "[]");
    assert_eq!(run(PEEK, "argv", &[]).await.value(), "[]");
}

#[tokio::test(flavor = "current_thread")]
async fn no_network_though_someone_listens() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let authority = format!("127.0.0.1:{port}");
    for (name, args) in [
        ("connect", &["(127, 0, 0, 1)", &*port][..]),
        ("resolve", &["localhost"]),
        ("http-get", &[&*authority, "/"]),
    ] {
        let ran = run(PEEK, name, args).await;
        assert_eq!(ran.failure().kind().name(), "error", "{name}: {:?}", ran.outcome);
    }
    let knocked = listener.accept();
    assert_eq!(knocked.unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody knocked");
}

#[tokio::test(flavor = "current_thread")]
async fn stdin_is_empty_and_the_terminal_is_not_there() {
    let ran = run(hostel_guests::COMMAND, "run", &["[]"]).await;
    assert!(ran.stdout().is_empty());
    assert!(ran.printed(LogStream::Stderr).is_empty());
}
