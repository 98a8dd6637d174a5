//! Books amounts, and hears whether they stand: the task `book`, and hooks beside it that are no tasks.
//!
//! A hook runs in an instance of its own, so it knows nothing but what it is told.

wit_bindgen::generate!({
    path: ["../../../wit"],
    inline: "
        package hostel:examples@0.1.0;

        world ledger {
            /// Books an amount, and returns the receipt.
            export book: func(account: string, amount: s64) -> string;

            /// Prints what it is told. What was booked on the account `closed` cannot be undone.
            export hostel:task/hooks@0.1.0;
        }
    ",
    generate_all,
});

use exports::hostel::task::hooks::{self, CommittedRun};

struct Ledger;

impl Guest for Ledger {
    fn book(account: String, amount: i64) -> String {
        println!("booking {amount} on {account}");
        format!("{account}: {amount}")
    }
}

impl hooks::Guest for Ledger {
    fn on_commit(run: CommittedRun) {
        println!("committed {}", told(&run));
    }

    fn on_rollback(run: CommittedRun) -> Result<(), String> {
        println!("undoing {}", told(&run));
        if run.inputs.contains(r#""closed""#) {
            return Err("the account is closed".to_owned());
        }
        Ok(())
    }
}

export!(Ledger);

fn told(run: &CommittedRun) -> String {
    let CommittedRun { run_id, task_key, inputs, value } = run;
    format!("run {run_id} of {task_key}: {inputs} gave {value}")
}
