//! From the words of the command line to the inputs of one run.

use std::borrow::Cow;

use hostel::{
    ArgumentError, Arguments, CallText, FindError, Param, Problem as ValueProblem, Signature, Task, Type,
    Value, ValueError, listed, parse_json,
};

use crate::files::{Files, Named};
use crate::load;
use crate::loaded::Loaded;
use crate::problem::Problem;
use crate::task_ref::FileTask;

/// A mark before a number that is not an option; no word of a command line contains it.
pub(crate) const MARK: char = '\0';

/// An argument without the mark, for clap.
pub(crate) fn unmarked(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(text.strip_prefix(MARK).unwrap_or(text).to_owned())
}

/// A task, and its arguments as text.
pub(crate) struct Call<'a> {
    pub(crate) task: Task,
    pub(crate) texts: Vec<&'a str>,
}

impl<'a> Call<'a> {
    /// Finds the task for `reference`, or the function in a single text such as `add(1, 2)`.
    pub(crate) fn find(loaded: &Loaded, reference: &FileTask, texts: &'a [String]) -> Result<Self, Problem> {
        let written_out = match texts {
            [only] => CallText::parse(only),
            _ => None,
        };
        let texts = texts.iter().map(String::as_str).collect();
        let (task, call) = match written_out {
            None => (find(loaded, reference)?, None),
            Some(call) if reference.export.is_some() => {
                let task = find(loaded, reference)?;
                let is_meant = loaded.task(call.function).is_ok_and(|named| named.is_same_function(&task))
                    && !takes_text_first(task.signature());
                (task, is_meant.then_some(call))
            }
            Some(call) => find_called(loaded, reference, call)?,
        };
        let texts = call.map_or(texts, |call| call.arguments);
        Ok(Self { task, texts })
    }
}

/// The task for a reference.
pub(crate) fn find(loaded: &Loaded, reference: &FileTask) -> Result<Task, Problem> {
    let found = match &reference.export {
        Some(export) => loaded.task(export),
        None => loaded.only_task(),
    };
    found.map_err(|error| not_found(loaded, reference, &error))
}

fn not_found(loaded: &Loaded, reference: &FileTask, error: &FindError) -> Problem {
    let problem = load::not_found(&reference.path, error);
    match (&loaded.script, error) {
        (None, _) => problem,
        (Some(_), FindError::NotFound { name, candidates }) => problem.with_detail(format!(
            "{} defines no function {name}: it defines {}",
            reference.path.display(),
            if candidates.is_empty() { "none".to_owned() } else { listed(candidates, ", ") }
        )),
        (Some(_), FindError::Unnamed { candidates }) if candidates.is_empty() => {
            problem.with_detail(format!("{} defines no function at its top level", reference.path.display()))
        }
        (Some(_), _) => problem.with_detail(format!("which function of {}?", reference.path.display())),
    }
}

/// The function that a call names. Otherwise the only task, and the text is an argument that looks like a call.
fn find_called<'a>(
    loaded: &Loaded,
    reference: &FileTask,
    call: CallText<'a>,
) -> Result<(Task, Option<CallText<'a>>), Problem> {
    match loaded.task(call.function) {
        Ok(task) if task.is_program() => Ok((task, None)),
        Ok(task) => Ok((task, Some(call))),
        Err(error @ FindError::NotFound { .. }) => match loaded.only_task() {
            Ok(task) if takes_text_first(task.signature()) || task.is_program() => Ok((task, None)),
            _ => Err(not_found(loaded, reference, &error)),
        },
        Err(error) => Err(not_found(loaded, reference, &error)),
    }
}

/// Parses arguments: `name=value`, or values by position.
pub(crate) fn typed(signature: &Signature, texts: &[&str], files: &Files) -> Result<Vec<Value>, Problem> {
    let mut arguments = Arguments::new();
    for text in texts {
        arguments = match named(signature, text) {
            Some((name, value)) => arguments.named(name, value),
            None => arguments.positional(*text),
        };
    }
    let mut trouble = None;
    let bound = signature.bind_with(arguments, |param, text| {
        value(param, text, files).map_err(|error| error.or_keep(&mut trouble))
    });
    trouble.map_or(Ok(()), Err)?;
    bound.map_err(|error| unfit(signature, &error))
}

/// Parses arguments from a JSON object or array, given as text, `@FILE` or `-`.
pub(crate) fn json(signature: &Signature, text: &str, files: &Files) -> Result<Vec<Value>, Problem> {
    let file = if text == "-" { Some("-") } else { text.strip_prefix('@') };
    let text = match file {
        Some(file) => Cow::Owned(files.read_text(&Named::new(file))?),
        None => Cow::Borrowed(text),
    };
    let json = parse_json(&text).map_err(|error| Problem::invalid(format!("--json: {error}")))?;
    signature.bind_json(&json).map_err(|error| unfit(signature, &error))
}

/// The inputs of a program: the texts as its arguments, and no stdin.
pub(crate) fn program(texts: &[&str]) -> Vec<Value> {
    let args = Value::List(texts.iter().map(|text| Value::String((*text).to_owned())).collect());
    vec![Value::Option(Some(Box::new(args))), Value::Option(None)]
}

/// Splits `name=value`, if the name is a parameter's. If no parameter takes text, everything before a `=` is meant as a
/// name.
fn named<'a>(signature: &Signature, text: &'a str) -> Option<(&'a str, &'a str)> {
    let (name, value) = text.split_once('=')?;
    let is_meant = || {
        let is_name =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        is_name && !signature.params.iter().any(|param| takes_text(&param.ty))
    };
    (signature.param(name).is_ok() || is_meant()).then_some((name, value))
}

/// The error in one argument.
pub(crate) enum Unread {
    Value(ValueError),
    File(Problem),
}

impl Unread {
    /// Remembers a problem that is not an error of a value, and returns a substitute.
    pub(crate) fn or_keep(self, trouble: &mut Option<Problem>) -> ValueError {
        match self {
            Self::Value(error) => error,
            Self::File(problem) => {
                *trouble = Some(problem);
                ValueError::mismatch("a file that can be read", "none")
            }
        }
    }
}

/// Parses one argument. `@FILE` is the content of a file, and `@@` a literal `@`.
pub(crate) fn value(param: &Param, text: &str, files: &Files) -> Result<Value, Unread> {
    let content = Content::of(&param.ty);
    match (text.strip_prefix('@'), content) {
        (None, _) => param.parse(text).map_err(Unread::Value),
        (Some(rest), Some(Content::Text)) if rest.starts_with('@') => {
            conform(param, Value::String(rest.to_owned()))
        }
        (Some(file), Some(Content::Text)) => {
            let text = files.read_text(&Named::new(file));
            let text = text.map_err(|problem| Unread::File(problem.within(argument(param))))?;
            conform(param, Value::String(text))
        }
        (Some(file), Some(Content::Bytes)) => {
            let bytes = files.read(&Named::new(file));
            let bytes = bytes.map_err(|problem| Unread::File(problem.within(argument(param))))?;
            conform(param, Value::Bytes(bytes))
        }
        (Some(_), None) => Err(Unread::File(
            Problem::invalid(format!("{}: expected {}, found {text}", argument(param), param.ty)).hint(
                "@FILE gives a file's content to a string or list<u8>; --json @FILE gives all arguments",
            ),
        )),
    }
}

/// The same words as in the library.
fn argument(param: &Param) -> String {
    format!("argument {:?}", param.name)
}

fn conform(param: &Param, value: Value) -> Result<Value, Unread> {
    param.ty.conform(value).map_err(Unread::Value)
}

/// The type for the content of a file.
#[derive(Clone, Copy)]
enum Content {
    Text,
    Bytes,
}

impl Content {
    fn of(ty: &Type) -> Option<Self> {
        if let Type::Option(some) = ty {
            return Self::of(some);
        }
        let is_bytes = matches!(ty, Type::List(element) if **element == Type::U8);
        matches!(ty, Type::String | Type::Data).then_some(Self::Text).or(is_bytes.then_some(Self::Bytes))
    }
}

/// Whether a text with a `=` in it may be meant as it is. Data may be a text, but its name is more likely to be wrong.
fn takes_text(ty: &Type) -> bool {
    !ty.is_of_data() && matches!(Content::of(ty), Some(Content::Text))
}

/// Whether the first parameter takes text: then a text that looks like a call may be an argument.
pub(crate) fn takes_text_first(signature: &Signature) -> bool {
    signature.params.first().is_some_and(|param| takes_text(&param.ty))
}

/// An error for arguments that do not fit, with the signature.
pub(crate) fn unfit(signature: &Signature, error: &ArgumentError) -> Problem {
    let problem = Problem::invalid(error.to_string());
    if let ArgumentError::Wrong { error, .. } = error {
        problem.hints_of(quotes_hint(error))
    } else if *signature.completed_type() == Type::Data {
        let optional = |param: &Param| if param.is_optional() { " (optional)" } else { "" };
        let params = signature.params.iter().map(|param| format!("{}{}", param.name, optional(param)));
        match params.collect::<Vec<_>>() {
            params if params.is_empty() => problem.hint("it has no parameters"),
            params => problem.hint(format!("its parameters are {}", params.join(", "))),
        }
    } else {
        problem.hint(format!("its signature is {signature}"))
    }
}

/// A hint for text without quotes that needs them.
pub(crate) fn quotes_hint(error: &ValueError) -> Option<String> {
    let ValueProblem::Mismatch { expected, found } = error.problem() else {
        return None;
    };
    let is_bare_text = expected == "string" && (found.starts_with("word ") || found.starts_with("case "));
    is_bare_text.then(|| "inside lists, records and the like, text needs quotes: [\"a\", \"b\"]".to_owned())
}
