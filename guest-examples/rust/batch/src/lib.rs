//! Results as values: a task can fail without crashing, by returning the `err` of a `result`.

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        world batch {
            /// Refuses negative items.
            export process-data: func(item: s64) -> result<string, string>;
            /// No input, a constant result.
            export cool-task: func() -> string;
            /// Says how another run ended.
            export describe: func(outcome: result<string, string>) -> string;
        }
    "
});

struct Batch;

impl Guest for Batch {
    fn process_data(item: i64) -> Result<String, String> {
        if item < 0 {
            return Err(format!("Cannot process negative value: {item}"));
        }
        Ok(format!("Processed {item}"))
    }

    fn cool_task() -> String {
        "sup".to_owned()
    }

    fn describe(outcome: Result<String, String>) -> String {
        match outcome {
            Ok(value) => format!("it went well: {value}"),
            Err(cause) => format!("it went wrong: {cause}"),
        }
    }
}

export!(Batch);
