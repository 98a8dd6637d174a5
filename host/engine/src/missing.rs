//! Imports that the host does not provide, and functions that trap in their place.

use std::fmt;

use hostel_core::{Capability, Import, listed, wasi_version};
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component as Compiled, Linker, LinkerInstance, ResourceType};

use crate::names::{self, MAX_REASON_BYTES, one_line};

/// The version of WASI of this host, for messages.
const WASI_HERE: &str = "0.2";

/// The maximum number of resources that are compared with each other: the comparison is quadratic.
const MAX_RESOURCES: usize = 2_000;

/// The version of the interfaces in the linker; a test checks it. A component may be made for another version of the same
/// world, which may have functions that this one lacks.
const LINKED_WASI: &str = "0.2.12";

/// The reason why a component cannot run on this host: the imports that the host does not provide.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingImports {
    /// The full names of the imports that the host does not know, including those of another version of WASI.
    pub unknown: Vec<String>,
    /// The version of WASI that the component was made for, if it is not this host's: `0.3.0`.
    pub made_for_wasi: Option<String>,
    /// The reason why a known import does not fit, if one does not.
    other_form: Option<String>,
    trappable: bool,
}

impl MissingImports {
    /// Derived from the imports and from the error of linking.
    pub(crate) fn of(imports: &[Import], error: &wasmtime::Error) -> Self {
        let unknown = imports.iter().filter(|import| import.capability == Capability::Unknown);
        let unknown: Vec<_> = unknown.map(|import| import.name.clone()).collect();
        let made_for_wasi = unknown.iter().find_map(|name| wasi_version(name)).map(str::to_owned);
        let other_form = unknown.is_empty().then(|| names::shortened(one_line(error), MAX_REASON_BYTES));
        Self { unknown, made_for_wasi, other_form, trappable: false }
    }

    /// Sets whether the component can be linked with functions that trap.
    pub(crate) fn trappable(self, trappable: bool) -> Self {
        Self { trappable, ..self }
    }

    /// Whether the component can run with functions that trap in their place
    /// ([`UnknownImports::Trap`](hostel_core::UnknownImports)), and may be useful then: one that was built for another
    /// WASI would not get far.
    pub const fn can_trap(&self) -> bool {
        self.trappable && self.made_for_wasi.is_none()
    }
}

impl fmt::Display for MissingImports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = &self.other_form {
            return write!(
                f,
                "it imports an interface that this host provides with different types ({reason})"
            );
        }
        if let Some(version) = &self.made_for_wasi {
            return write!(f, "it was built for WASI {version}, but this host provides WASI {WASI_HERE}");
        }
        write!(f, "it imports {}, which this host does not provide", listed(&self.unknown, ", "))
    }
}

/// Adds functions that trap for all imports that the host does not know.
pub(crate) fn trap_unknown<T: 'static>(linker: &mut Linker<T>, compiled: &Compiled) -> wasmtime::Result<()> {
    let engine = compiled.engine();
    // The first import of a resource defines it. Later imports of the same resource need no definition.
    let mut resources = Vec::new();
    for (name, item) in compiled.component_type().imports(engine) {
        let is_known = Capability::of(name) != Capability::Unknown;
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            if !is_known {
                trap(&mut linker.root(), name, name, &item.ty)?;
            }
            continue;
        };
        let linked = is_known.then(|| linked_name(name)).flatten();
        let mut linker = linker.instance(linked.as_deref().unwrap_or(name))?;
        for (inner, item) in instance.exports(engine) {
            if let ComponentItem::Resource(resource) = item.ty {
                if resources.len() > MAX_RESOURCES {
                    return Err(wasmtime::Error::msg("it imports too many resources"));
                }
                let is_new = !resources.contains(&resource);
                resources.extend(is_new.then_some(resource));
                if is_known || !is_new {
                    continue;
                }
            }
            match trap(&mut linker, &format!("{name}.{inner}"), inner, &item.ty) {
                // The linker has it already.
                Err(_) if is_known => {}
                trapped => trapped?,
            }
        }
    }
    Ok(())
}

/// The name of an interface of WASI in the linker.
fn linked_name(name: &str) -> Option<String> {
    let (interface, _) = name.split_once('@').filter(|(interface, _)| interface.starts_with("wasi:"))?;
    Some(format!("{interface}@{LINKED_WASI}"))
}

/// Adds one import, called `path` in messages. Modules and components cannot be replaced by functions that trap.
fn trap<T: 'static>(
    linker: &mut LinkerInstance<'_, T>,
    path: &str,
    name: &str,
    item: &ComponentItem,
) -> wasmtime::Result<()> {
    let called = format!("called the import `{path}`, which this host does not provide");
    let error = move || wasmtime::Error::msg(called.clone());
    match item {
        ComponentItem::ComponentFunc(function) => trap_function(linker, name, function, error),
        ComponentItem::Resource(_) => {
            linker.resource(name, ResourceType::host::<()>(), move |_, _| Err(error()))
        }
        ComponentItem::ComponentInstance(_)
        | ComponentItem::CoreFunc(_)
        | ComponentItem::Module(_)
        | ComponentItem::Component(_)
        | ComponentItem::Type(_) => Ok(()),
    }
}

fn trap_function<T: 'static>(
    linker: &mut LinkerInstance<'_, T>,
    name: &str,
    function: &ComponentFunc,
    error: impl Fn() -> wasmtime::Error + Send + Sync + 'static,
) -> wasmtime::Result<()> {
    if function.async_() {
        return linker.func_new_concurrent(name, move |_, _, _, _| {
            let error = error();
            Box::pin(async move { Err(error) })
        });
    }
    linker.func_new(name, move |_, _, _, _| Err(error()))
}
