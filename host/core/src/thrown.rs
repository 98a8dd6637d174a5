//! Exceptions of functions in dynamic languages, in the typed errors of their runtimes.

use std::fmt::{self, Write as _};

use crate::value::Value;

/// An exception, as the interface `hostel:runtime/language` has it: the case `thrown` of an error, with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thrown<'v> {
    /// The name of its class, such as `ValueError`.
    pub class: &'v str,
    /// Its message.
    pub message: &'v str,
    /// As the language prints it, with lines of the source.
    pub traceback: &'v str,
}

impl<'v> Thrown<'v> {
    /// The exception in a typed error, if it has that form.
    pub fn of(error: &'v Value) -> Option<Self> {
        let Value::Variant(case, Some(payload)) = error else { return None };
        let Value::Record(fields) = &**payload else { return None };
        let [
            (class_name, Value::String(class)),
            (message_name, Value::String(message)),
            (trace_name, Value::String(traceback)),
        ] = &**fields
        else {
            return None;
        };
        let names = [case, class_name, message_name, trace_name].map(|name| &**name);
        (names == ["thrown", "class", "message", "traceback"]).then_some(Self { class, message, traceback })
    }
}

impl fmt::Display for Thrown<'_> {
    /// The class and the message, in one line: control characters become spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |text: &str, f: &mut fmt::Formatter<'_>| {
            text.chars().try_for_each(|c| f.write_char(if c.is_control() { ' ' } else { c }))
        };
        line(self.class, f)?;
        if !self.message.is_empty() {
            f.write_str(": ")?;
            line(self.message, f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;

    fn thrown(names: [&str; 3], message: &str) -> Value {
        let texts = ["ValueError", message, "Traceback"].map(|text| Value::String(text.into()));
        let fields = names.into_iter().map(Into::into).zip(texts);
        Value::Variant("thrown".into(), Some(Box::new(Value::Record(fields.collect()))))
    }

    #[test]
    fn an_exception_is_shown_as_its_language_does() {
        let line = |error: Value| Failure::Error(error).to_string();
        assert_eq!(line(thrown(["class", "message", "traceback"], "no 1")), "ValueError: no 1");
        assert_eq!(line(thrown(["class", "message", "traceback"], "")), "ValueError");
        let hidden = line(thrown(["class", "message", "traceback"], "a\nb\u{1b}[31m"));
        assert_eq!(hidden, "ValueError: a b [31m");
        assert!(
            line(thrown(["class", "text", "traceback"], "no 1")).starts_with("returned the error thrown(")
        );
    }
}
