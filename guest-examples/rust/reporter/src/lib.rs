//! Tells the host what it does while it does it: progress, and a log with levels and fields.

wit_bindgen::generate!({
    path: ["../../../wit"],
    inline: "
        package hostel:examples@0.1.0;

        world reporter {
            use hostel:task/context@0.1.0.{level};

            record about {
                task-name: string,
                run-name: string,
                /// Nanoseconds since 1970.
                deadline: option<u64>,
            }

            /// Counts to n; at each number it tells its progress and logs a line.
            export count-to: func(n: u64) -> u64;
            /// Logs one message as it is given.
            export say: func(level: level, message: string, fields: list<tuple<string, string>>);
            /// Tells one progress as it is given.
            export tell: func(done: u64, total: option<u64>, message: option<string>);
            /// What it is told of its run.
            export about-me: func() -> about;
        }
    ",
    generate_all,
});

use hostel::task::context;

struct Reporter;

impl Guest for Reporter {
    fn count_to(n: u64) -> u64 {
        for number in 1..=n {
            context::progress(number, Some(n), Some(&format!("counting {number}")));
            let fields = [("number".to_owned(), number.to_string())];
            context::log(Level::Debug, "counted", &fields);
        }
        context::log(Level::Info, &format!("counted to {n}"), &[]);
        n
    }

    fn say(level: Level, message: String, fields: Vec<(String, String)>) {
        context::log(level, &message, &fields);
    }

    fn tell(done: u64, total: Option<u64>, message: Option<String>) {
        context::progress(done, total, message.as_deref());
    }

    fn about_me() -> About {
        About {
            task_name: context::task_name(),
            run_name: context::run_name(),
            deadline: context::deadline(),
        }
    }
}

export!(Reporter);
