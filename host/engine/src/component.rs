//! A compiled and linked component, with its exports and imports.

use std::sync::{Arc, OnceLock};
use std::thread;

use hostel_core::{
    Digest, Export, ExportPath, Field, Hook, Import, Manifest, Name, Param, Signature, Type, UnknownImports,
    is_in_hooks, is_program,
};
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem};
use wasmtime::component::{Component as Compiled, ComponentExportIndex, InstancePre, Linker};

use crate::compile_cache::CompileCache;
use crate::config::{Flavor, QUICK_STACK_FACTOR, STACK_BYTES};
use crate::guest::Guest;
use crate::missing::{MissingImports, trap_unknown};
use crate::resources::SharedResources;
use crate::runtime::{Runtime, WarmPlace, WarmPlaces};
use crate::types::{Room, Unwritable};
use crate::warm::Warmth;

/// A compiled component. Cheap to clone. Keep it as long as its tasks are needed.
#[derive(Clone)]
pub struct Component(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) resources: Arc<SharedResources>,
    manifest: Manifest,
    /// The code that it was loaded with.
    first: Tier,
    /// Whether `first` is the fastest code that there will be.
    is_optimised: bool,
    /// Whether it has no code: it can be inspected and not run.
    is_surface: bool,
    /// The optimised code compiled since then; `None` if that failed.
    optimised: OnceLock<Option<Tier>>,
    /// Warm places, if they may pay for its instances.
    pub(crate) warm: Option<Warm>,
}

/// Warm places for the instances of a component.
pub(crate) struct Warm {
    pub(crate) warmth: Warmth,
    places: Arc<WarmPlaces>,
    /// The code for them; `None` if there is none.
    code: OnceLock<Option<Tier>>,
}

/// Compiled code of a component.
pub(crate) struct Tier {
    /// The position of each export.
    indexes: Vec<ComponentExportIndex>,
    /// Ready to instantiate, or the imports that the host lacks.
    linked: Linked,
    /// The same with functions that trap in place of missing imports, if there are any.
    trapping: Option<Linked>,
}

/// A component that is ready to instantiate, or the imports that the host lacks.
pub(crate) type Linked = Result<InstancePre<Guest>, MissingImports>;

/// Two components are equal if they share their code: that is so for all loads of the same bytes by one engine, while one of
/// them is in use.
impl PartialEq for Component {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Component {}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// With its parameters, for its result.
    Function,
    /// As the `main` of a program: with argv and stdin, for its stdout and exit code.
    Program,
}

impl Component {
    pub(crate) fn new(
        resources: &Arc<SharedResources>,
        runtime: &Runtime,
        compiled: Compiled,
        digest: Digest,
        size_bytes: u64,
    ) -> Self {
        let (exports, indexes): (Vec<_>, Vec<_>) = exports(&compiled).into_iter().unzip();
        let imports: Vec<_> = compiled
            .component_type()
            .imports(&runtime.engine)
            .filter(|(_, item)| !is_only_types(&runtime.engine, &item.ty))
            .map(|(name, _)| Import::new(name))
            .collect();
        let first = Tier::new(runtime, &compiled, indexes, &imports);
        Self(Arc::new(Inner {
            resources: Arc::clone(resources),
            manifest: Manifest { digest, size_bytes, exports, imports, script: None },
            first,
            is_optimised: runtime.flavor != Flavor::Quick,
            is_surface: false,
            optimised: OnceLock::new(),
            warm: Warm::of(runtime, &compiled),
        }))
    }

    /// The same component, marked as compiled without its code. It must have no clones yet.
    pub(crate) fn into_surface(mut self) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.is_surface = true;
        }
        self
    }

    /// Whether it can only be inspected, and not run: see [`Engine::inspect_file`](crate::Engine::inspect_file).
    pub fn is_surface(&self) -> bool {
        self.0.is_surface
    }

    /// Whether it runs the fastest code that there will be: `false` while a large component is still being optimised
    /// ([`EngineOptions::quick_code_bytes`](crate::EngineOptions)).
    pub fn is_optimised(&self) -> bool {
        self.0.is_optimised || self.0.optimised.get().is_some()
    }

    /// Blocks the calling thread until [`Component::is_optimised`]: for ever if the engine does not
    /// [optimise](crate::EngineOptions::optimise) components that were compiled quickly. `false` if that failed, and only the
    /// slower code exists.
    pub fn wait_until_optimised(&self) -> bool {
        self.0.is_optimised || self.0.optimised.wait().is_some()
    }

    /// Whether the memory of its instances may stay with their slots: see
    /// [`EngineOptions::warm_memory_bytes`](crate::EngineOptions). Known after its first attempts.
    pub fn is_warm(&self) -> bool {
        self.0.warm.as_ref().is_some_and(|warm| warm.code.get().is_some_and(Option::is_some))
    }

    /// The SHA-256 of the component's bytes.
    pub fn digest(&self) -> Digest {
        self.0.manifest.digest
    }

    /// The length of the component's bytes; 0 if only its compiled code was available
    /// ([`Engine::load_compiled`](crate::Engine::load_compiled)).
    pub fn size_bytes(&self) -> u64 {
        self.0.manifest.size_bytes
    }

    /// The component without its code.
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// Every function that the component exports, callable or not, in declared order, including hooks.
    pub fn exports(&self) -> &[Export] {
        &self.0.manifest.exports
    }

    /// Everything the component imports, in declared order.
    pub fn imports(&self) -> &[Import] {
        &self.0.manifest.imports
    }

    /// The imports that this host does not provide, if there are any.
    pub fn missing(&self) -> Option<&MissingImports> {
        self.0.first.linked.as_ref().err()
    }

    /// The most that the stack of an attempt takes.
    pub(crate) fn stack_bytes(&self) -> u64 {
        let factor = if self.is_optimised() { 1 } else { QUICK_STACK_FACTOR };
        (STACK_BYTES * factor) as u64
    }

    /// The best code available now.
    pub(crate) fn tier(&self) -> &Tier {
        self.0.optimised.get().and_then(Option::as_ref).unwrap_or(&self.0.first)
    }
}

impl Inner {
    /// Sets the optimised code, or `None` if there will be none. From then on new attempts use it.
    pub(crate) fn optimise(&self, code: Option<(&Runtime, Compiled)>) {
        if self.optimised.get().is_some() {
            return;
        }
        let tier = code.map(|(runtime, compiled)| Tier::of(runtime, &compiled, &self.manifest.imports));
        // Only one thread at a time compiles the same component.
        let _ = self.optimised.set(tier);
        // The new code has its own pool.
        self.resources.ticker.there_may_be_room();
    }
}

impl Warm {
    fn of(runtime: &Runtime, compiled: &Compiled) -> Option<Self> {
        let places = Arc::clone(runtime.warm.as_ref()?);
        Some(Self { warmth: Warmth::of(compiled)?, places, code: OnceLock::new() })
    }

    /// A free place for an attempt, with the code for it, if there is some.
    pub(crate) fn place(&self) -> Option<(&Tier, WarmPlace<'_>)> {
        Some((self.code.get()?.as_ref()?, self.places.take()?))
    }
}

impl Component {
    /// An attempt that was looked at has ended. After the last one, the component gets code for warm places in the background if they
    /// pay.
    pub(crate) fn looked_at(&self) {
        if !self.0.warm.as_ref().is_some_and(|warm| warm.warmth.has_shown_that_it_pays()) {
            return;
        }
        let waiting = Arc::downgrade(&self.0);
        let load = move || waiting.upgrade().iter().for_each(|component| component.warm_up());
        if let Err(error) = thread::Builder::new().name("hostel-warm".to_owned()).spawn(load) {
            tracing::warn!("memory does not stay with the slots of a component: {error}");
        }
    }
}

impl Inner {
    /// Loads the code for warm places. It comes from the compile cache, where it is mapped a second time.
    fn warm_up(&self) {
        let Some(warm) = &self.warm else { return };
        let Some(runtime) = warm.places.set_up() else { return };
        self.resources.ticker.drive(&runtime.engine);
        let cache = CompileCache::new(warm.places.compile_cache_dir.clone());
        let compiled = cache.get(&self.manifest.digest, &runtime.engine);
        // Only one thread gets here.
        let _ = warm.code.set(compiled.map(|compiled| Tier::of(runtime, &compiled, &self.manifest.imports)));
    }
}

impl Tier {
    /// Other code of a component with these imports.
    pub(crate) fn of(runtime: &Runtime, compiled: &Compiled, imports: &[Import]) -> Self {
        let indexes = exports(compiled).into_iter().map(|(_, index)| index).collect();
        Self::new(runtime, compiled, indexes, imports)
    }

    fn new(
        runtime: &Runtime,
        compiled: &Compiled,
        indexes: Vec<ComponentExportIndex>,
        imports: &[Import],
    ) -> Self {
        let linked = link(&runtime.linker, compiled, imports);
        let trapping = linked.is_err().then(|| link_trapping(&runtime.linker, compiled, imports));
        let trappable = trapping.as_ref().is_some_and(Result::is_ok);
        Self { indexes, linked: linked.map_err(|missing| missing.trappable(trappable)), trapping }
    }

    /// What instances are made from, depending on how unknown imports are treated.
    pub(crate) fn linked(&self, unknown_imports: UnknownImports) -> &Linked {
        match unknown_imports {
            UnknownImports::Trap => self.trapping.as_ref().unwrap_or(&self.linked),
            UnknownImports::Refuse => &self.linked,
        }
    }

    /// The index in the code of the export at this position among all exports.
    pub(crate) fn index(&self, position: usize) -> Option<ComponentExportIndex> {
        self.indexes.get(position).copied()
    }
}

fn link(linker: &Linker<Guest>, compiled: &Compiled, imports: &[Import]) -> Linked {
    linker.instantiate_pre(compiled).map_err(|error| MissingImports::of(imports, &error))
}

fn link_trapping(linker: &Linker<Guest>, compiled: &Compiled, imports: &[Import]) -> Linked {
    let mut linker = linker.clone();
    trap_unknown(&mut linker, compiled).map_err(|error| MissingImports::of(imports, &error))?;
    link(&linker, compiled, imports)
}

/// Every function that the component exports, and its index in this code.
fn exports(compiled: &Compiled) -> Vec<(Export, ComponentExportIndex)> {
    let engine = compiled.engine();
    let mut exports = Vec::new();
    let mut room = Room::new();
    for (name, item) in compiled.component_type().exports(engine) {
        match item.ty {
            ComponentItem::ComponentFunc(function) => {
                let path = ExportPath::top_level(name);
                exports.extend(export(compiled, None, path, &function, &mut room));
            }
            ComponentItem::ComponentInstance(instance) => {
                let Some(interface) = compiled.get_export_index(None, name) else {
                    continue;
                };
                for (inner, item) in instance.exports(engine) {
                    match item.ty {
                        ComponentItem::ComponentFunc(function) => {
                            let path = ExportPath::in_interface(name, inner);
                            exports.extend(export(compiled, Some(&interface), path, &function, &mut room));
                        }
                        ComponentItem::ComponentInstance(below) => {
                            exports_below(compiled, &interface, (name, inner), &below, &mut exports);
                        }
                        ComponentItem::CoreFunc(_)
                        | ComponentItem::Module(_)
                        | ComponentItem::Component(_)
                        | ComponentItem::Type(_)
                        | ComponentItem::Resource(_) => {}
                    }
                }
            }
            ComponentItem::CoreFunc(_)
            | ComponentItem::Module(_)
            | ComponentItem::Component(_)
            | ComponentItem::Type(_)
            | ComponentItem::Resource(_) => {}
        }
    }
    exports
}

/// The longest path of an instance in others that is followed.
const MAX_PATH_BYTES: usize = 2_000;

/// Adds the functions of a nested instance and of the instances inside it. They are listed, but not callable.
fn exports_below(
    compiled: &Compiled,
    outer: &ComponentExportIndex,
    (interface, name): (&str, &str),
    instance: &ComponentInstance,
    exports: &mut Vec<(Export, ComponentExportIndex)>,
) {
    let Some(index) = compiled.get_export_index(Some(outer), name) else { return };
    let interface = format!("{interface}.{name}");
    if interface.len() > MAX_PATH_BYTES {
        return;
    }
    for (inner, item) in instance.exports(compiled.engine()) {
        match item.ty {
            ComponentItem::ComponentFunc(_) => {
                let Some(index) = compiled.get_export_index(Some(&index), inner) else { continue };
                let path = ExportPath::in_interface(&interface, inner);
                let callable = Err("it is in an instance inside another one".to_owned());
                exports.push((Export::new(path, callable), index));
            }
            ComponentItem::ComponentInstance(below) => {
                exports_below(compiled, &index, (&interface, inner), &below, exports);
            }
            ComponentItem::CoreFunc(_)
            | ComponentItem::Module(_)
            | ComponentItem::Component(_)
            | ComponentItem::Type(_)
            | ComponentItem::Resource(_) => {}
        }
    }
}

fn export(
    compiled: &Compiled,
    interface: Option<&ComponentExportIndex>,
    path: ExportPath,
    function: &ComponentFunc,
    room: &mut Room,
) -> Option<(Export, ComponentExportIndex)> {
    let index = compiled.get_export_index(interface, path.function())?;
    let callable = match is_program(&path) {
        true => Ok(program_signature()),
        false => room.signature(function).map_err(Unwritable::reason),
    };
    let callable = callable.and_then(|signature| match why_no_task(&path, &signature) {
        Some(reason) => Err(reason.to_owned()),
        None => Ok(signature),
    });
    Some((Export::new(path, callable), index))
}

/// The reason why a callable function is neither a task nor a hook.
fn why_no_task(path: &ExportPath, signature: &Signature) -> Option<&'static str> {
    if is_toolchain_setup(path, signature) {
        return Some("it is the set-up function of the toolchain that made the component");
    }
    let is_odd = is_in_hooks(path) && Hook::of(path, signature).is_none();
    is_odd.then_some("it stands among the hooks, and is none that this host knows")
}

/// A program takes arguments and stdin. Its result is its output, which may be any bytes.
fn program_signature() -> Signature {
    let param = |name: &str, ty| Param { name: Name::from(name), ty };
    let args = Type::Option(Type::List(Type::String.into()).into());
    let stdin = Type::Option(Type::List(Type::U8.into()).into());
    let stdout = Field { name: Name::from("stdout"), ty: Type::List(Type::U8.into()) };
    Signature {
        params: [param("args", args), param("stdin", stdin)].into(),
        result: Some(Type::Record([stdout].into())),
        is_async: false,
    }
}

/// Exports of two toolchains that are not meant to be called: componentize-py leaves an interface `exports` with a
/// function `init`, the QuickJS back end of componentize-js a function `init(shim, script, …)`.
fn is_toolchain_setup(path: &ExportPath, signature: &Signature) -> bool {
    let first_params = signature.params.iter().map(|param| &*param.name).take(2);
    path.function() == "init"
        && (path.interface() == Some("exports")
            || (path.interface().is_none() && first_params.eq(["shim", "script"])))
}

/// Interfaces that share types between worlds are also imported, and request nothing.
fn is_only_types(engine: &wasmtime::Engine, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::Type(_) => true,
        ComponentItem::ComponentInstance(instance) => {
            instance.exports(engine).all(|(_, item)| matches!(item.ty, ComponentItem::Type(_)))
        }
        ComponentItem::ComponentFunc(_)
        | ComponentItem::CoreFunc(_)
        | ComponentItem::Module(_)
        | ComponentItem::Component(_)
        | ComponentItem::Resource(_) => false,
    }
}
