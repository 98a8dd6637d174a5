//! What a program (`wasi:cli/run`) is given: its argv and its standard input.

use hostel_core::Value;

use crate::options::AttemptOptions;
use crate::stdin::StdinReader;

/// What a program finds as the first word of its argv, before its arguments. It is the same for all, since a result may depend
/// on it.
const PROGRAM_NAME: &str = "program";

/// What a program is given; empty for functions.
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
    /// From the inputs `args` and `stdin`, each of which may be none. If `stdin` is, the stream of the options takes its place.
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

    /// The stream that it reads, if it is given one.
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
