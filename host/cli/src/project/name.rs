//! The name of a project, which is the name of a WIT package, of a crate and of an npm package as well.

use std::fmt;

use crate::problem::Problem;

/// The longest name, in bytes.
const MAX_BYTES: usize = 64;

/// Words that are no names in WIT, in Rust or for cargo, or no names of directories on Windows.
const RESERVED: &str = "\
    abstract alloc as async aux await become bool borrow box break build char com1 com2 com3 com4 com5 com6 com7 com8 com9 con const constructor continue core \
    crate deps do dyn else enum examples export extern f32 f64 false final flags fn for from func future gen if impl import in include \
    incremental interface let list loop lpt1 lpt2 lpt3 lpt4 lpt5 lpt6 lpt7 lpt8 lpt9 macro map match mod move mut nul option override own package priv prn \
    proc-macro pub record ref resource result return s16 s32 s64 s8 self static std stream string struct super test trait true try \
    tuple type typeof u16 u32 u64 u8 union unsafe unsized use variant virtual where while wit-bindgen with world yield";

/// A valid name, such as `my-tasks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    /// # Errors
    ///
    /// [`Problem`] if it is no name, with what is expected.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        if is_reserved(text) {
            let problem = format!("invalid project name {text:?}: it is a reserved word");
            return Err(Problem::invalid(problem).hint(format!("for example {text}-tasks")));
        }
        if is_valid(text) {
            return Ok(Self(text.to_owned()));
        }
        let expected = format!(
            "expected at most {MAX_BYTES} characters: words of a-z and 0-9 that begin with a letter, joined by -"
        );
        let near = near(text).map(|near| format!("for example {near}"));
        let shown = excerpt(text);
        Err(Problem::invalid(format!("invalid project name {shown}: {expected}")).hints_of(near))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The text of a template, with this name in it.
    pub(crate) fn fill(&self, text: &str) -> String {
        text.replace("{{name}}", &self.0).replace("{{crate}}", &self.0.replace('-', "_"))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The beginning of a text, quoted.
fn excerpt(text: &str) -> String {
    let shown = text.char_indices().nth(MAX_BYTES).and_then(|(end, _)| text.get(..end)).unwrap_or(text);
    format!("{shown:?}{}", if shown.len() < text.len() { "…" } else { "" })
}

fn is_reserved(text: &str) -> bool {
    RESERVED.split_ascii_whitespace().any(|word| word == text)
}

fn is_valid(text: &str) -> bool {
    text.len() <= MAX_BYTES && text.split('-').all(is_word)
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// A valid name that is like this text.
fn near(text: &str) -> Option<String> {
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let near = parts.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    (is_valid(&near) && !is_reserved(&near)).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_everywhere_or_refused() {
        for text in ["a", "math", "my-tasks", "v2-api", "x64"] {
            assert_eq!(Name::parse(text).unwrap().as_str(), text);
        }
        let longest = "a".repeat(MAX_BYTES);
        assert_eq!(Name::parse(&longest).unwrap().as_str(), longest);
        let refused = ["", "-", "a-", "-a", "a--b", "2a", "a-2", "A", "a_b", "a.b", "a b", "a/b", "..", "ä"];
        for text in refused.into_iter().chain([&*format!("{longest}a"), "list", "fn", "test"]) {
            let problem = Name::parse(text).unwrap_err();
            assert!(problem.to_string().starts_with("invalid project name "), "{text}: {problem}");
            assert!(problem.is_invalid());
        }
    }

    #[test]
    fn a_name_that_would_do_is_suggested() {
        let check =
            |text: &str, expected: &[&str]| assert_eq!(Name::parse(text).unwrap_err().hints(), expected);
        check("My_Tasks", &["for example my-tasks"]);
        check("list", &["for example list-tasks"]);
        check("List", &[]);
        check("../a", &["for example a"]);
        check("2a", &[]);
        let hidden = Name::parse("a\n\u{1b}[31m").unwrap_err().to_string();
        assert!(hidden.starts_with(r#"invalid project name "a\n\u{1b}[31m": "#), "{hidden}");
        check("ä", &[]);
    }

    #[test]
    fn reserved_words_are_names_otherwise() {
        let words: Vec<_> = RESERVED.split_ascii_whitespace().collect();
        assert!(words.iter().all(|word| is_valid(word)), "others are refused anyway");
        assert!(words.is_sorted(), "{words:?}");
        assert_eq!(
            Name::parse("my-math").unwrap().fill("{{name}}.wasm {{crate}}.wasm"),
            "my-math.wasm my_math.wasm"
        );
    }
}
