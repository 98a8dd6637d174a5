//! Asks the host which run it executes for, through the optional interface `hostel:task/context`.

wit_bindgen::generate!({
    path: ["../../../wit"],
    inline: "
        package hostel:examples@0.1.0;

        world self-aware {
            import hostel:task/context@0.1.0;

            /// Says which attempt of which run this is, and of which task.
            export who-am-i: func() -> string;
        }
    ",
    generate_all,
});

use hostel::task::context;

struct SelfAware;

impl Guest for SelfAware {
    fn who_am_i() -> String {
        format!("attempt {} of run {} of {}", context::attempt(), context::run_id(), context::task_key())
    }
}

export!(SelfAware);
