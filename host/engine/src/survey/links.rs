//! What the components of a file import, export, take from each other and instantiate.
//!
//! Each use of a type costs as much as all of it, and so does each use of an instance, because what it exports is copied: once
//! where the use stands in the file, and once more for each instance of the component around it.

use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentCanonicalSectionReader, ComponentExport,
    ComponentExternalKind, ComponentImport, ComponentInstance, ComponentInstantiationArg,
    ComponentOuterAliasKind, ComponentTypeRef, ComponentValType, Instance, InstanceSectionReader,
};

use super::part::Content;
use super::shape::{self, Externs, Shape};
use super::types;
use super::{Bound, Excess, Refused, Survey};

/// An export that is declared in a type.
pub(super) fn declare_export<'a>(
    survey: &mut Survey<'a>,
    name: &'a str,
    ty: &ComponentTypeRef,
) -> Result<(), Excess> {
    let item = declare(survey, name, ty)?;
    survey.scope.externs.export(name, item.clone());
    survey.scope.push(ty.kind(), item);
    Ok(())
}

/// An import that is declared in a type.
pub(super) fn declare_import<'a>(
    survey: &mut Survey<'a>,
    import: &ComponentImport<'a>,
) -> Result<(), Excess> {
    let item = declare(survey, import.name.name, &import.ty)?;
    survey.scope.externs.import(import.name.name, &item);
    survey.scope.push(import.ty.kind(), item);
    Ok(())
}

fn declare<'a>(survey: &mut Survey<'a>, name: &str, ty: &ComponentTypeRef) -> Result<Shape<'a>, Excess> {
    survey.name(name)?;
    let item = survey.scope.typed(ty);
    survey.add(Bound::Compared, item.size.walked())?;
    // Each time, an instance with resources has new ones.
    survey.add(Bound::Copied, if item.size.resources > 0 { item.size.copied().max(1) } else { 0 })?;
    Ok(item)
}

/// A section of imports.
pub(super) fn imports<'a>(
    survey: &mut Survey<'a>,
    section: wasmparser::ComponentImportSectionReader<'a>,
) -> Result<(), Refused> {
    survey.add(Bound::Externs, section.count().into())?;
    survey.define(section.count().into())?;
    for import in section {
        let import = import?;
        let (name, kind) = (import.name.name, import.ty.kind());
        survey.name(name)?;
        let item = survey.scope.typed(&import.ty);
        using(survey, &item)?;
        survey.create(item.size.resources)?;
        survey.scope.externs.import(name, &item);
        survey.scope.push(kind, item);
        if kind == ComponentExternalKind::Component {
            survey.part.components.push(None);
        }
    }
    Ok(())
}

/// A section of exports.
pub(super) fn exports<'a>(
    survey: &mut Survey<'a>,
    section: wasmparser::ComponentExportSectionReader<'a>,
) -> Result<(), Refused> {
    survey.add(Bound::Externs, section.count().into())?;
    survey.define(section.count().into())?;
    for export in section {
        let export = export?;
        survey.name(export.name.name)?;
        let item = export_of(survey, &export)?;
        // All that the whole component exports is listed.
        if export.kind == ComponentExternalKind::Instance && survey.outer.is_empty() {
            survey.add(Bound::Externs, item.size.items.saturating_add(1))?;
        }
        survey.scope.externs.export(export.name.name, item.clone());
        survey.scope.push(export.kind, item);
        if export.kind == ComponentExternalKind::Component {
            let content = survey.part.component(export.index);
            survey.part.components.push(content);
        }
    }
    Ok(())
}

/// What is exported, in the larger of the two types that it may have.
fn export_of<'a>(survey: &mut Survey<'a>, export: &ComponentExport<'a>) -> Result<Shape<'a>, Excess> {
    let item = survey.scope.get(export.kind, export.index);
    using(survey, &item)?;
    let Some(ty) = &export.ty else { return Ok(item) };
    let typed = survey.scope.typed(ty);
    using(survey, &typed)?;
    Ok(typed)
}

/// A section of aliases.
pub(super) fn aliases<'a>(
    survey: &mut Survey<'a>,
    section: wasmparser::ComponentAliasSectionReader<'a>,
) -> Result<(), Refused> {
    survey.define(section.count().into())?;
    for alias in section {
        match alias? {
            ComponentAlias::Outer { kind, count, index } => outer(survey, kind, count, index)?,
            ComponentAlias::InstanceExport { kind, instance_index, name } => {
                let item = alias_export(survey, kind, instance_index, name)?;
                survey.multiply(Bound::Copied, item.size.copied())?;
                if kind == ComponentExternalKind::Component {
                    survey.part.components.push(None);
                }
            }
            ComponentAlias::CoreInstanceExport { .. } => {}
        }
    }
    Ok(())
}

/// An alias of an export of an instance.
pub(super) fn alias_export<'a>(
    survey: &mut Survey<'a>,
    kind: ComponentExternalKind,
    instance: u32,
    name: &str,
) -> Result<Shape<'a>, Excess> {
    let item = survey.scope.get(ComponentExternalKind::Instance, instance).export(name);
    survey.scope.push(kind, item.clone());
    Ok(item)
}

/// An alias of something in a component around this one. All components between the two take it, too.
fn outer(
    survey: &mut Survey<'_>,
    kind: ComponentOuterAliasKind,
    count: u32,
    index: u32,
) -> Result<(), Excess> {
    let kind = match kind {
        ComponentOuterAliasKind::Component => ComponentExternalKind::Component,
        ComponentOuterAliasKind::CoreModule => ComponentExternalKind::Module,
        ComponentOuterAliasKind::Type | ComponentOuterAliasKind::CoreType => {
            return types::outer_type(survey, kind, count, index);
        }
    };
    let Some(outer) = survey.outer_scope(count) else { return Ok(()) };
    let item = outer.get(kind, index);
    let captured = item.size.captured.saturating_add(1);
    survey.capture(count, captured);
    survey.multiply(Bound::Copied, captured.saturating_mul(u64::from(count).max(1)))?;
    survey.scope.push(kind, item);
    if kind == ComponentExternalKind::Component {
        let content = survey.component(count, index);
        survey.part.components.push(content);
    }
    Ok(())
}

/// A section of instances. Each instance of a component has everything that the component defines, including the content of
/// *its* instances. So the size doubles with each level if each component is instantiated twice.
pub(super) fn instances<'a>(
    survey: &mut Survey<'a>,
    section: wasmparser::ComponentInstanceSectionReader<'a>,
) -> Result<(), Refused> {
    survey.define(section.count().into())?;
    for instance in section {
        let shape = match instance? {
            ComponentInstance::Instantiate { component_index, args } => {
                instantiate(survey, component_index, &args)?
            }
            ComponentInstance::FromExports(exports) => bag(survey, &exports)?,
        };
        survey.scope.push(ComponentExternalKind::Instance, shape);
    }
    Ok(())
}

fn instantiate<'a>(
    survey: &mut Survey<'a>,
    index: u32,
    args: &[ComponentInstantiationArg<'a>],
) -> Result<Shape<'a>, Refused> {
    let Some(content) = survey.part.component(index) else {
        return Err(Refused::Malformed(format!(
            "{}: it instantiates a component that it imports or takes from an instance, which is not supported",
            survey.part.place()
        )));
    };
    survey.define(args.len() as u64)?;
    for argument in args {
        let item = survey.scope.get(argument.kind, argument.index);
        survey.multiply(Bound::Copied, item.size.copied())?;
    }
    let component = survey.scope.get(ComponentExternalKind::Component, index);
    let instance = component.instantiated();
    // Imports are compared with arguments, and exports copied.
    survey.multiply(Bound::Compared, component.size.walked())?;
    survey.multiply(Bound::Copied, component.size.copied())?;
    contain(survey, content)?;
    Ok(instance)
}

/// The content of an instance becomes content of the current component.
fn contain(survey: &mut Survey<'_>, content: Content) -> Result<(), Excess> {
    for (bound, found) in content.totals() {
        survey.contain(bound, found)?;
    }
    survey.create(content.resources)
}

/// An instance of some existing things.
fn bag<'a>(survey: &mut Survey<'a>, exports: &[ComponentExport<'a>]) -> Result<Shape<'a>, Refused> {
    survey.define(exports.len() as u64)?;
    let mut externs = Externs::default();
    for export in exports {
        survey.name(export.name.name)?;
        externs.export(export.name.name, survey.scope.get(export.kind, export.index));
    }
    let shape = externs.finish(0);
    survey.check(Bound::Nesting, shape.size.depth)?;
    using(survey, &shape)?;
    Ok(shape)
}

/// A section of core instances.
pub(super) fn core_instances<'a>(
    survey: &mut Survey<'a>,
    section: InstanceSectionReader<'a>,
) -> Result<(), Refused> {
    survey.define(section.count().into())?;
    for instance in section {
        let linked = match instance? {
            Instance::Instantiate { module_index, .. } => {
                survey.scope.get(ComponentExternalKind::Module, module_index).size.items
            }
            Instance::FromExports(exports) => exports.len() as u64,
        };
        survey.define(linked)?;
    }
    Ok(())
}

/// A section of functions between components and core modules.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others have no types that may be large")]
pub(super) fn canonical<'a>(
    survey: &mut Survey<'a>,
    section: ComponentCanonicalSectionReader<'a>,
) -> Result<(), Refused> {
    survey.define(section.count().into())?;
    for function in section {
        let function = function?;
        if !matches!(function, CanonicalFunction::Lift { .. }) {
            survey.contain(Bound::Lowered, 1)?;
        }
        match function {
            CanonicalFunction::Lift { type_index, .. } => {
                let size = survey.scope.size_of_type(type_index);
                survey.multiply(Bound::Compared, size.walked())?;
                survey.scope.functions.push(Shape::of(size));
            }
            CanonicalFunction::Lower { func_index, .. } => {
                let function = survey.scope.get(ComponentExternalKind::Func, func_index);
                survey.multiply(Bound::Compared, function.size.walked())?;
                survey.contain(Bound::Passed, function.size.passed)?;
            }
            CanonicalFunction::TaskReturn { result, .. } => {
                let size = result.map(|ty| shape::value(&ty, &survey.scope.types));
                survey.multiply(Bound::Compared, size.map_or(1, |size| size.walked()))?;
            }
            CanonicalFunction::StreamNew { ty }
            | CanonicalFunction::StreamRead { ty, .. }
            | CanonicalFunction::StreamWrite { ty, .. }
            | CanonicalFunction::StreamCancelRead { ty, .. }
            | CanonicalFunction::StreamCancelWrite { ty, .. }
            | CanonicalFunction::StreamDropReadable { ty }
            | CanonicalFunction::StreamDropWritable { ty }
            | CanonicalFunction::FutureNew { ty }
            | CanonicalFunction::FutureRead { ty, .. }
            | CanonicalFunction::FutureWrite { ty, .. }
            | CanonicalFunction::FutureCancelRead { ty, .. }
            | CanonicalFunction::FutureCancelWrite { ty, .. }
            | CanonicalFunction::FutureDropReadable { ty }
            | CanonicalFunction::FutureDropWritable { ty } => {
                let size = shape::value(&ComponentValType::Type(ty), &survey.scope.types);
                survey.multiply(Bound::Compared, size.walked())?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Counts a use of something.
fn using(survey: &mut Survey<'_>, item: &Shape<'_>) -> Result<(), Excess> {
    survey.multiply(Bound::Compared, item.size.walked())?;
    survey.multiply(Bound::Copied, item.size.copied())
}
