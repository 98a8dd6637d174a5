//! Hooks: exported for the host, hidden among tasks, and run like anything else.

use hostel_core::{CommittedRun, ErrorKind, Failure, Hook, Limits, LogStream, RunId, Value};
use hostel_engine::{AttemptOptions, Attempted};
use hostel_guests::{ARITH, LEDGER, wat};

use crate::{Ran, load, run};

/// Calls a hook of the ledger for a run that booked an amount on this account.
async fn tell(hook: Hook, account: &str) -> Ran {
    let ledger = load(LEDGER);
    let task = ledger.function(Some("book")).unwrap().key().clone();
    let inputs = format!(r#"{{"account":"{account}","amount":5}}"#);
    let value = format!(r#""{account}: 5""#);
    let run = CommittedRun { run: RunId::from_bytes([7; 16]), task, inputs, value };
    let options = AttemptOptions::new(Limits::default());
    let function = ledger.hook(hook).unwrap();
    let inputs = function.signature().bind(vec![Value::from(run)].into()).unwrap();
    let Attempted { outcome, observation, receipt } =
        function.attempt(&inputs, &options.clone().into()).await.unwrap();
    Ran { outcome, observation, receipt, log: options.log }
}

#[tokio::test(flavor = "current_thread")]
async fn a_hook_is_told_of_the_run() {
    let ran = tell(Hook::OnCommit, "household").await;
    assert_eq!(ran.value(), "()");
    let key = load(LEDGER).function(None).unwrap().key().to_string();
    let told = format!(
        "run 07070707-0707-0707-0707-070707070707 of {key}: {}",
        r#"{"account":"household","amount":5} gave "household: 5""#
    );
    assert_eq!(ran.printed(LogStream::Stdout), [format!("committed {told}")]);
    let ran = tell(Hook::OnRollback, "household").await;
    assert_eq!(ran.value(), "()");
    assert_eq!(ran.printed(LogStream::Stdout), [format!("undoing {told}")]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_hook_can_fail() {
    assert_eq!(tell(Hook::OnCommit, "closed").await.value(), "()");
    let ran = tell(Hook::OnRollback, "closed").await;
    assert_eq!(ran.failure(), &Failure::Error(Value::String("the account is closed".into())));
}

#[tokio::test(flavor = "current_thread")]
async fn beside_hooks_there_is_one_task() {
    let ledger = load(LEDGER);
    assert_eq!(ledger.function(None).unwrap().key().export.to_string(), "book");
    assert_eq!(run(LEDGER, "book", &["household", "5"]).await.value(), "\"household: 5\"");
    let tasks = ledger.exports().iter().filter(|export| export.callable.is_ok());
    assert_eq!(tasks.map(|export| export.path.function()).collect::<Vec<_>>(), ["book"]);
    let hooks: Vec<_> = ledger.exports().iter().filter_map(|export| export.hook).collect();
    assert_eq!(hooks, Hook::ALL);
}

#[test]
fn a_hook_is_no_task() {
    for name in ["on-commit", "hooks.on-commit", "hostel:task/hooks@0.1.0.on-commit"] {
        let error = load(LEDGER).function(Some(name)).err().unwrap();
        assert_eq!(
            (error.kind(), error.to_string()),
            (
                ErrorKind::Invalid,
                "`hostel:task/hooks@0.1.0.on-commit` is not callable as a task: it is a hook, which the host calls"
                    .to_owned()
            )
        );
    }
    let error = load(LEDGER).function(Some("of")).err().unwrap();
    assert_eq!(error.to_string(), "no export is named `of`; the component exports book");
}

#[test]
fn what_only_looks_like_a_hook_is_neither_hook_nor_task() {
    let component = load(wat::WRONG_HOOKS);
    assert_eq!(component.function(None).unwrap().key().export.to_string(), "answer");
    assert!(component.exports().iter().all(|export| export.hook.is_none()));
    for name in ["on-commit", "on-holiday"] {
        let error = component.function(Some(name)).err().unwrap();
        let reason = "it stands among the hooks, and is none that this host knows";
        assert!(error.to_string().ends_with(reason), "{error}");
    }
    for hook in Hook::ALL {
        assert!(component.hook(hook).is_none());
        assert!(load(ARITH).hook(hook).is_none());
    }
}
