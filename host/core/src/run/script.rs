//! Runs of functions of scripts: what is executed is one function of a language runtime, which gets the script and its function's name.

use std::sync::Arc;

use crate::{RunSpec, TaskKey, Value};

/// The WIT interface of language runtimes.
pub const LANGUAGE_INTERFACE: &str = "hostel:runtime/language@0.1.0";

/// The most bytes of the name of a function that lists show.
const MAX_FUNCTION_BYTES: usize = 256;

/// The place of the function's name among the inputs of the runtime: after the file's name and the source.
const FUNCTION: usize = 2;

impl TaskKey {
    /// Whether it is the function of a language runtime that executes those of scripts.
    pub fn is_script_call(&self) -> bool {
        self.export.interface() == Some(LANGUAGE_INTERFACE) && self.export.function() == "call"
    }
}

impl RunSpec {
    /// The function of a script that the run calls; `None` for a run of anything else, and for a name of more than 256 bytes.
    pub fn script_function(&self) -> Option<Arc<str>> {
        if !self.task.is_script_call() {
            return None;
        }
        match self.inputs.get(FUNCTION)?.as_value()?.read().ok()?? {
            (_, Value::String(name)) if name.len() <= MAX_FUNCTION_BYTES => Some(name.into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, ExportPath, InputSpec, RunId, StoredValue, TaskSpec, Timestamp, Type};

    fn call(export: ExportPath, inputs: &[&str]) -> Option<Arc<str>> {
        let task = TaskKey { component: Digest::of(b"a runtime"), export };
        let at = Timestamp::from_unix_nanos(1);
        let mut spec = RunSpec::new(RunId::from_bytes([1; 16]), task, TaskSpec::default().into(), at);
        let text = |text: &&str| StoredValue::new(&Value::String((*text).to_owned()), &Type::String).unwrap();
        spec.inputs = inputs.iter().map(|input| InputSpec::Value(text(input))).collect();
        spec.script_function()
    }

    #[test]
    fn only_a_call_of_a_runtime_has_a_function() {
        let inputs = ["tasks.py", "def add(): ...", "add"];
        let of_runtime = || ExportPath::in_interface(LANGUAGE_INTERFACE, "call");
        assert_eq!(call(of_runtime(), &inputs).as_deref(), Some("add"));
        assert_eq!(call(ExportPath::in_interface(LANGUAGE_INTERFACE, "describe"), &inputs), None);
        assert_eq!(call(ExportPath::top_level("call"), &inputs), None);
        assert_eq!(call(of_runtime(), &inputs[..2]), None);
        let long = "a".repeat(257);
        assert_eq!(call(of_runtime(), &["", "", &long]), None);
    }
}
