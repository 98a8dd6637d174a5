//! What the key and the name of a run are made from.

use std::borrow::Cow;

use hostel_core::{CacheKey, CachePolicy, KeyBase, Param, RunFacts, Value};

use super::Task;
use crate::script_call::ScriptCall;

/// The canonical bytes of an input; `None` if it does not count.
type KeyInput = Option<Vec<u8>>;

impl Task {
    /// The key under which the cache has the result for these inputs: one for each parameter of the exported function, in order and in
    /// normal form, as stored runs have them. `None` if the cache policy gives none or does not fit the task, or the inputs are not those of the task.
    pub fn cache_key(&self, inputs: &[Value]) -> Option<CacheKey> {
        let options = self.options();
        if options.problem().is_some() {
            return None;
        }
        self.key_from(options.key_base()?, &options.spec.cache, inputs)
    }

    /// The seed of a run without a cache key, if its random numbers are to be derived from a key.
    pub(crate) fn seed(&self, inputs: &[Value]) -> Option<CacheKey> {
        self.key_from(self.options().seed_base()?, &CachePolicy::AUTO, inputs)
    }

    fn key_from(&self, base: &KeyBase, policy: &CachePolicy, inputs: &[Value]) -> Option<CacheKey> {
        let guest_params = &self.guest_signature().params;
        // The policy of a script names its arguments. The file, the source and the function always count.
        let all = &CachePolicy::AUTO;
        let counted = match self.script() {
            Some(script) if script.leaves_out(policy) => {
                // The arguments one by one: the runtime's function has them in two lists.
                let params = &script.signature.params;
                let arguments = script.arguments(inputs).into_iter().zip(&**params);
                let normal =
                    arguments.map(|(value, param)| param.ty.conform(value)).collect::<Result<Vec<_>, _>>();
                let (first, _) = inputs.split_at_checked(ScriptCall::FIXED)?;
                [canonical(first, guest_params, all)?, canonical(&normal.ok()?, params, policy)?].concat()
            }
            Some(_) => canonical(inputs, guest_params, all)?,
            None => canonical(inputs, guest_params, policy)?,
        };
        let template = self.options().user_key();
        let named = template.map(|_| self.named_inputs(inputs)).unwrap_or_default();
        let user_key = template.map(|template| template.filled(&named));
        let flow = self.spec().flow.as_ref();
        base.key(&RunFacts { inputs: &counted, flow, user_key })
    }

    /// The inputs of a run as templates name them: one for each parameter of [`Task::signature`].
    pub(crate) fn named_inputs<'a>(&self, inputs: &'a [Value]) -> Cow<'a, [Value]> {
        self.script().map_or(Cow::Borrowed(inputs), |script| Cow::Owned(script.arguments(inputs)))
    }
}

fn canonical(inputs: &[Value], params: &[Param], policy: &CachePolicy) -> Option<Vec<KeyInput>> {
    let bytes = |(input, param): (&Value, &Param)| {
        let counts = !policy.leaves_out(&param.name);
        counts.then(|| input.to_canonical(&param.ty)).transpose()
    };
    // Inputs are in normal form, so all of them have canonical bytes.
    inputs.iter().zip(params).map(bytes).collect::<Result<_, _>>().ok()
}
