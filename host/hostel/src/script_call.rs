//! A function of a script, as what is called.

use std::sync::Arc;

use hostel_core::{
    CachePolicy, Failure, Outcome, Passing, RunId, ScriptFunction, Signature, TaskKey, Trap, Type, Value,
    parse_json,
};

/// The function of a script that a task calls.
#[derive(Debug)]
pub(crate) struct ScriptCall {
    pub(crate) file: Arc<str>,
    pub(crate) source: Arc<str>,
    pub(crate) function: Arc<str>,
    /// Its parameters as callers see them: those with a default are options.
    pub(crate) signature: Signature,
    /// How each of them is passed.
    pub(crate) passing: Vec<Passing>,
}

impl ScriptCall {
    /// The inputs of the runtime's function before the arguments: the file's name, the source and the function's name.
    pub(crate) const FIXED: usize = 3;

    /// A function of this source. `failure` is the type of the runtime's failures.
    pub(crate) fn new(
        file: &Arc<str>,
        source: &Arc<str>,
        function: &ScriptFunction,
        failure: Option<Type>,
    ) -> Self {
        Self {
            file: Arc::clone(file),
            source: Arc::clone(source),
            function: function.name.as_str().into(),
            signature: function.signature(failure),
            passing: function.params.iter().map(|param| param.passing).collect(),
        }
    }

    /// Whether a cache policy leaves out one of the arguments.
    pub(crate) fn leaves_out(&self, policy: &CachePolicy) -> bool {
        self.signature.params.iter().any(|param| policy.leaves_out(&param.name))
    }

    /// The arguments that the runtime's inputs hold, one for each parameter: the way back from the inputs of a run. Texts are texts, and
    /// everything else is data.
    pub(crate) fn arguments(&self, inputs: &[Value]) -> Vec<Value> {
        let list = |index: usize| match inputs.get(index) {
            Some(Value::List(items)) => &**items,
            _ => &[],
        };
        let (mut positional, named) = (list(Self::FIXED).iter(), list(Self::FIXED + 1));
        let all = || self.signature.params.iter().zip(self.passing.iter().copied());
        // Other parameters may have the name of a further named argument.
        let is_param =
            |name: &str| all().any(|(param, passing)| passing.is_by_name() && *param.name == *name);
        let params = all().map(|(param, passing)| {
            let found = match passing {
                Passing::Rest => Some(Value::List(positional.by_ref().map(readable).collect())),
                Passing::NamedRest => {
                    let rest = named.iter().filter_map(pair).filter(|(name, _)| !is_param(name));
                    Some(Value::Map(
                        rest.map(|(name, text)| (Value::String(name.to_owned()), readable(text))).collect(),
                    ))
                }
                Passing::Named => None,
                Passing::Positional | Passing::Either => positional.next().map(readable),
            };
            let is_named = |(name, _): &(&str, _)| passing.is_by_name() && **name == *param.name;
            let by_name = || named.iter().filter_map(pair).find(is_named);
            let found = found.or_else(|| by_name().map(|(_, text)| readable(text)));
            if param.is_optional() {
                Value::Option(found.map(Box::new))
            } else {
                found.unwrap_or(Value::Option(None))
            }
        });
        params.collect()
    }

    /// The default name of a run.
    pub(crate) fn run_name(&self, run: RunId) -> String {
        let [.., high, low] = *run.as_bytes();
        format!("{}-{:x}{low:02x}", self.function, high & 15)
    }
}

/// The outcome of an attempt. A language runtime that returns a text that is not data has broken its contract, which is a trap.
///
/// Reads the text twice.
pub(crate) fn checked(task: &TaskKey, outcome: Outcome) -> Outcome {
    let Outcome::Completed(Value::String(text)) = &outcome else { return outcome };
    if !task.is_script_call() || Value::data(text).is_some() {
        return outcome;
    }
    // What is parsed otherwise may have one.
    let reason = parse_json(text)
        .err()
        .map_or_else(|| "it has a byte order mark".to_owned(), |error| error.to_string());
    let message = format!(
        "the language runtime {} returned a result that is not JSON of at most 127 levels: {reason}",
        task.component
    );
    Outcome::Failed(Failure::Trap(Trap { message, backtrace: Vec::new(), stderr_tail: Vec::new() }))
}

/// An argument by its name.
fn pair(value: &Value) -> Option<(&str, &Value)> {
    let Value::Tuple(parts) = value else { return None };
    let [Value::String(name), text] = &**parts else { return None };
    Some((name, text))
}

/// Data in the form of an input as a value for people: a text without quotes.
fn readable(text: &Value) -> Value {
    let Value::String(json) = text else { return text.clone() };
    match parse_json(json) {
        Ok(serde_json::Value::String(text)) => Value::String(text),
        _ => Value::data(json).unwrap_or_else(|| text.clone()),
    }
}

#[cfg(test)]
mod tests {
    use hostel_core::{Digest, ExportPath, LANGUAGE_INTERFACE};

    use super::*;

    #[test]
    fn a_runtime_returns_json_or_has_trapped() {
        let key = |export: ExportPath| TaskKey { component: Digest::of(b"runtime"), export };
        let call = key(ExportPath::in_interface(LANGUAGE_INTERFACE, "call"));
        let returned = |text: &str| Outcome::Completed(Value::String(text.to_owned()));
        for json in ["null", "[1, 12345678901234567890123]", r#"{"$float":"NaN"}"#] {
            assert_eq!(checked(&call, returned(json)), returned(json));
        }
        for (text, reason) in [
            ("", "end of text"),
            ("[undefined]", "expected value"),
            ("NaN", "expected value"),
            ("\u{feff}1", "byte order mark"),
            (&format!("{}{}", "[".repeat(128), "]".repeat(128)), "recursion limit exceeded"),
        ] {
            let Outcome::Failed(failure) = checked(&call, returned(text)) else { panic!("{text}") };
            let (failure, runtime) = (failure.to_string(), call.component.to_string());
            assert!(failure.contains(&runtime), "{failure}");
            assert!(failure.contains(reason), "{failure}");
        }
        // The text of another function is a text.
        let other = key(ExportPath::in_interface(LANGUAGE_INTERFACE, "name"));
        assert_eq!(checked(&other, returned("two words")), returned("two words"));
    }
}
