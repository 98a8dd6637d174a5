//! The argv and the standard input of a program (`wasi:cli/run`).

use hostel_core::Value;

use crate::options::AttemptOptions;
use crate::stdin::StdinReader;

/// The first word of a program's argv, before its arguments. It is the same for all programs, because results may
/// depend on it.
const PROGRAM_NAME: &str = "program";

/// The input of a program; empty for functions.
#[derive(Default)]
pub(crate) struct Program {
    pub(crate) args: Vec<String>,
    pub(crate) stdin: Input,
}

/// A standard input.
pub(crate) enum Input {
    Bytes(Vec<u8>),
    Stream(StdinReader),
}

impl Default for Input {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl Program {
    /// From the inputs `args` and `stdin`, each of which may be none. Without `stdin`, the stream of the options is
    /// used.
    pub(crate) fn new(inputs: &[Value], options: &AttemptOptions) -> Self {
        let mut args = vec![PROGRAM_NAME.to_owned()];
        let mut bytes = None;
        for input in inputs {
            let Value::Option(Some(value)) = input else {
                continue;
            };
            if let Value::List(texts) = &**value {
                args.extend(texts.iter().filter_map(text));
            } else if let Value::Bytes(stdin) = &**value {
                bytes = Some(stdin.clone());
            }
        }
        let stdin = match (bytes, &options.stdin) {
            (Some(bytes), _) => Input::Bytes(bytes),
            (None, Some(stdin)) => {
                let taken = inputs.iter().map(Value::footprint).sum::<usize>() as u64;
                let allowed = options.limits.input_bytes.saturating_sub(taken);
                Input::Stream(StdinReader::new(stdin.clone(), allowed))
            }
            (None, None) => Input::default(),
        };
        Self { args, stdin }
    }

    /// The stream that it reads, if any.
    pub(crate) fn stream(&self) -> Option<&StdinReader> {
        match &self.stdin {
            Input::Stream(stream) => Some(stream),
            Input::Bytes(_) => None,
        }
    }
}

fn text(value: &Value) -> Option<String> {
    if let Value::String(text) = value { Some(text.clone()) } else { None }
}
