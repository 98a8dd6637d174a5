//! From the arguments of a function of a script to the inputs of the runtime that executes it.

use hostel_core::{ArgumentError, Param, Passing, Value, ValueError};

use crate::run::Input;
use crate::script_call::ScriptCall;

/// The inputs of the runtime's function, from one for each parameter.
///
/// # Errors
///
/// A parameter that has only a position has an argument, and one before it has none.
pub(crate) fn wrapped(call: &ScriptCall, inputs: Vec<Input>) -> Result<Vec<Input>, ArgumentError> {
    let mut positional = Vec::new();
    let mut named = Vec::new();
    let mut left_out = None;
    for ((input, param), passing) in inputs.into_iter().zip(&*call.signature.params).zip(&call.passing) {
        let given = if param.is_optional() { input.into_payload() } else { Some(input) };
        let Some(input) = given else {
            left_out = left_out.or((*passing != Passing::Named).then(|| param.name.clone()));
            continue;
        };
        match (passing, &left_out) {
            (Passing::Positional | Passing::Rest, Some(missing)) => {
                // Its default is known inside only.
                let error = ValueError::mismatch(format!("an argument {missing:?} before it"), "none");
                return Err(ArgumentError::Wrong { name: param.name.clone(), error });
            }
            (Passing::Rest, None) => {
                let items = input.into_items().map_err(|_| unknown(param, "list"))?;
                positional.extend(items.into_iter().map(Input::data));
            }
            (Passing::Positional | Passing::Either, None) => positional.push(input.data()),
            (Passing::Named, _) | (Passing::Either, Some(_)) => named.push(pair(&param.name, input)),
            (Passing::NamedRest, _) => {
                let Some(Value::Map(entries)) = input.as_value() else { return Err(unknown(param, "map")) };
                named.extend(entries.iter().filter_map(entry));
            }
        }
    }
    let text = |text: &str| Input::from(Value::String(text.to_owned()));
    Ok(vec![
        text(&call.file),
        text(&call.source),
        text(&call.function),
        Input::list(positional).settled(),
        Input::list(named).settled(),
    ])
}

fn pair(name: &str, input: Input) -> Input {
    Input::tuple([Input::from(Value::String(name.to_owned())), input.data()])
}

fn entry((name, value): &(Value, Value)) -> Option<Input> {
    let Value::String(name) = name else { return None };
    Some(pair(name, Input::from(value.clone())))
}

/// How many arguments there are is known only when a run has ended.
fn unknown(param: &Param, what: &str) -> ArgumentError {
    let error = ValueError::mismatch(format!("a {what} whose length is known"), "the result of a run");
    ArgumentError::Wrong { name: param.name.clone(), error }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hostel_core::{Signature, Type};

    use super::*;

    /// `def f(a, /, b=…, *rest, c=…, **named)`.
    fn call() -> ScriptCall {
        let optional = || Type::option(Type::Data);
        let params = [
            ("a", Type::Data, Passing::Positional),
            ("b", optional(), Passing::Either),
            ("rest", Type::option(Type::list(Type::Data)), Passing::Rest),
            ("c", optional(), Passing::Named),
            ("named", Type::option(Type::map(Type::String, Type::Data)), Passing::NamedRest),
        ];
        let passing = params.iter().map(|(_, _, passing)| *passing).collect();
        let params = params.into_iter().map(|(name, ty, _)| Param { name: name.into(), ty });
        let signature = Signature { params: params.collect(), result: None, is_async: false };
        let text = |text: &str| Arc::from(text);
        ScriptCall { file: text("f.py"), source: text("…"), function: text("f"), signature, passing }
    }

    /// The arguments by position and by name, from WAVE for each parameter.
    fn wrapped(arguments: &[(&str, &str)]) -> Result<String, ArgumentError> {
        let call = call();
        let named =
            arguments.iter().fold(hostel_core::Arguments::new(), |all, (name, text)| all.named(*name, *text));
        let values = call.signature.bind_text(named)?;
        let inputs = super::wrapped(&call, values.iter().cloned().map(Input::from).collect())?;
        let inputs: Vec<_> = inputs.iter().map(Input::resolve).collect();
        // The way back leads to the same arguments.
        let back = call.arguments(&inputs).into_iter().zip(&*call.signature.params);
        let back: Vec<_> = back.map(|(value, param)| param.ty.conform(value).unwrap()).collect();
        let is_empty = |value: &Value| matches!(value, Value::Option(Some(some)) if matches!(&**some, Value::List(all) if all.is_empty()) || matches!(&**some, Value::Map(all) if all.is_empty()));
        for (back, value) in back.iter().zip(&values) {
            assert!(back == value || is_empty(back) && *value == Value::Option(None), "{back} {value}");
        }
        let shown: Vec<_> = inputs.iter().skip(ScriptCall::FIXED).map(ToString::to_string).collect();
        Ok(shown.join(" "))
    }

    #[test]
    fn arguments_are_passed_as_the_language_wants_them() {
        let check =
            |arguments: &[(&str, &str)], expected: &str| assert_eq!(wrapped(arguments).unwrap(), expected);
        check(&[("a", "1")], r#"["1"] []"#);
        check(&[("a", "1"), ("b", "text")], r#"["1", "\"text\""] []"#);
        check(&[("a", "1"), ("b", "2"), ("rest", "[3, 4]")], r#"["1", "2", "3", "4"] []"#);
        check(&[("a", "1"), ("c", "5")], r#"["1"] [("c", "5")]"#);
        check(&[("a", "1"), ("named", r#"{"z": 6}"#)], r#"["1"] [("z", "6")]"#);
        let missing = wrapped(&[("a", "1"), ("rest", "[3]")]).unwrap_err();
        assert_eq!(missing.to_string(), r#"argument "rest": expected an argument "b" before it, found none"#);
    }
}
