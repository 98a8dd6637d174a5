//! Strings, bytes, and a record as a result.

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        world text {
            /// How much text there is.
            record counts {
                lines: u64,
                /// Separated by white space.
                words: u64,
                /// Unicode scalar values.
                chars: u64,
                /// Of the text as UTF-8.
                bytes: u64,
            }

            /// Counts what is in the text.
            export word-count: func(text: string) -> counts;
            /// The same for bytes that ought to be UTF-8.
            export word-count-bytes: func(data: list<u8>) -> result<counts, string>;
            /// A greeting. The name must not be empty.
            export greet: func(name: string) -> result<string, string>;
        }
    "
});

struct Text;

impl Guest for Text {
    fn word_count(text: String) -> Counts {
        count(&text)
    }

    fn word_count_bytes(data: Vec<u8>) -> Result<Counts, String> {
        let text = str::from_utf8(&data).map_err(|error| format!("not text: {error}"))?;
        Ok(count(text))
    }

    fn greet(name: String) -> Result<String, String> {
        if name.is_empty() {
            return Err("the name is empty".to_owned());
        }
        Ok(format!("Hello, {name}!"))
    }
}

export!(Text);

fn count(text: &str) -> Counts {
    Counts {
        lines: text.lines().count() as u64,
        words: text.split_whitespace().count() as u64,
        chars: text.chars().count() as u64,
        bytes: text.len() as u64,
    }
}
