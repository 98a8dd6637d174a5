//! Schedules of registered scripts: their arguments, and the inputs of the runtime that executes them.

use std::sync::Arc;

use hostel_core::{
    ComponentRef, Digest, InputSpec, LANGUAGE_INTERFACE, Manifest, Name, Param, RunSpec, Schedule,
    ScriptManifest, ScriptPackage, StoredValue, TaskKey, Type, Value,
};

use super::{ScheduledTask, arguments_of, input};
use crate::delay::decoded;
use crate::registry::Registry;
use crate::run::Input;
use crate::script_call::ScriptCall;
use crate::script_inputs::wrapped;
use crate::task::Task;

/// As [`arguments_of`], for a schedule whose reference names a function of a registered [`Script`](crate::Script): the arguments of the
/// function itself, so that a later version of its source gets them. For other tasks both are the same.
pub fn script_arguments_of(task: &Task, run: &RunSpec) -> Vec<(Name, StoredValue)> {
    let Some(script) = task.script() else { return arguments_of(task, run) };
    let inputs = run.inputs.iter().map(|input| match input.as_value() {
        Some(StoredValue::Bytes(bytes)) => decoded(Some(Arc::clone(bytes))).ok(),
        Some(StoredValue::Blob(_)) | None => None,
    });
    let Some(inputs) = inputs.collect::<Option<Vec<_>>>() else { return Vec::new() };
    let arguments = script.arguments(&inputs).into_iter().zip(&*script.signature.params);
    let stored = arguments.filter_map(|(value, param)| Some((param.name.clone(), stored(value, param)?)));
    stored.collect()
}

fn stored(value: Value, param: &Param) -> Option<StoredValue> {
    StoredValue::new(&param.ty.conform(value).ok()?, &param.ty).ok()
}

/// The task that a schedule of a script stands for now, with its inputs: a call of the runtime.
pub(super) fn resolve(
    registry: &Registry,
    schedule: &Schedule,
    manifest: &Manifest,
    script: &ScriptManifest,
    export: &str,
) -> Result<ScheduledTask, String> {
    let (export, _) = manifest.task(Some(export)).map_err(|error| error.to_string())?;
    let function = script.function(export.path.function()).ok_or("its manifest is damaged")?;
    let bytes = registry.bytes(manifest.digest).map_err(|error| error.to_string())?;
    let package = ScriptPackage::decode(&bytes).map_err(|error| error.to_string())?;
    let (key, params) = runtime_call(registry, script.runtime)?;
    let call = ScriptCall::new(package.file(), package.source(), function, None);
    let arguments = call.signature.params.iter().map(|param| argument(schedule, param));
    let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
    let is_param = |name: &Name| call.signature.params.iter().any(|param| param.name == *name);
    if let Some((name, _)) = schedule.arguments.iter().find(|(name, _)| !is_param(name)) {
        return Err(format!("the function has no parameter \"{name}\" any more: add the schedule again"));
    }
    let inputs = wrapped(&call, arguments).map_err(|error| error.to_string())?;
    let inputs = inputs.iter().zip(&params).map(|(input, ty)| {
        let value = ty.conform(input.resolve()).map_err(|error| error.to_string())?;
        StoredValue::new(&value, ty).map(InputSpec::Value).map_err(|error| error.to_string())
    });
    Ok((key, inputs.collect::<Result<_, _>>()?))
}

/// The function of a runtime that executes functions of scripts, and the types of its parameters.
fn runtime_call(registry: &Registry, runtime: Digest) -> Result<(TaskKey, Vec<Type>), String> {
    let runtime = registry.component(&ComponentRef::Digest(runtime)).map_err(|error| error.to_string())?;
    let (export, signature) = runtime
        .manifest
        .task(Some(&format!("{LANGUAGE_INTERFACE}.call")))
        .map_err(|error| error.to_string())?;
    let params = signature.params.iter().map(|param| param.ty.clone());
    Ok((TaskKey { component: runtime.manifest.digest, export: export.path.clone() }, params.collect()))
}

/// An argument of the schedule; an absent one if the function has got an optional parameter since.
fn argument(schedule: &Schedule, param: &Param) -> Result<Input, String> {
    if param.is_optional() && !schedule.arguments.iter().any(|(name, _)| *name == param.name) {
        return Ok(Input::from(Value::Option(None)));
    }
    let InputSpec::Value(stored) = input(schedule, param)? else {
        return Err(format!("its value for \"{}\" is missing", param.name));
    };
    match stored.read() {
        Ok(Some((_, value))) => Ok(Input::from(value)),
        Ok(None) | Err(_) => Err(format!("its value for \"{}\" is damaged", param.name)),
    }
}
