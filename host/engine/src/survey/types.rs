//! The types of components.

use wasmparser::{
    ComponentAlias, ComponentDefinedType, ComponentFuncType, ComponentOuterAliasKind, ComponentType,
    ComponentTypeDeclaration, ComponentTypeSectionReader, CoreType, CoreTypeSectionReader,
    InstanceTypeDeclaration, ModuleTypeDeclaration, RecGroup,
};

use super::links;
use super::shape::{self, Shape, Size};
use super::{Bound, Excess, Refused, Survey};

/// Surveys a section of types.
pub(super) fn section<'a>(
    survey: &mut Survey<'a>,
    section: ComponentTypeSectionReader<'a>,
) -> Result<(), Refused> {
    survey.add(Bound::Types, section.count().into())?;
    let nested = nested(survey.bytes.get(section.range()).unwrap_or_default());
    survey.check(Bound::TypeDepth, nested)?;
    for ty in section {
        component_type(survey, &ty?)?;
    }
    Ok(())
}

/// Surveys a section of core types.
pub(super) fn core_section<'a>(
    survey: &mut Survey<'a>,
    section: CoreTypeSectionReader<'a>,
) -> Result<(), Refused> {
    survey.add(Bound::Types, section.count().into())?;
    for ty in section {
        core_type(survey, &ty?)?;
    }
    Ok(())
}

/// The maximum possible nesting depth of type declarations. Parsers read them by recursion without a bound, so this
/// must be known before anything is parsed: it counts what could be the beginning of such a declaration.
fn nested(section: &[u8]) -> u64 {
    const TYPE: u8 = 0x01;
    const COMPONENT: u8 = 0x41;
    const INSTANCE: u8 = 0x42;
    section.windows(2).filter(|pair| matches!(pair, [TYPE, COMPONENT | INSTANCE])).count() as u64
}

fn component_type<'a>(survey: &mut Survey<'a>, ty: &ComponentType<'a>) -> Result<(), Excess> {
    let shape = match ty {
        ComponentType::Defined(ty) => {
            names(survey, ty)?;
            survey.add(Bound::Fields, fields(ty))?;
            Shape::of(shape::defined(ty, &survey.scope.types))
        }
        ComponentType::Func(ty) => function(survey, ty)?,
        ComponentType::Component(declared) => {
            survey.add(Bound::Types, declared.len() as u64)?;
            survey.open();
            declared.iter().try_for_each(|declaration| in_component(survey, declaration))?;
            survey.close()?
        }
        ComponentType::Instance(declared) => {
            survey.add(Bound::Types, declared.len() as u64)?;
            survey.open();
            declared.iter().try_for_each(|declaration| in_instance(survey, declaration))?;
            survey.close()?
        }
        ComponentType::Resource { .. } => {
            survey.create(1)?;
            Shape::resource()
        }
    };
    survey.scope.types.push(shape);
    Ok(())
}

fn function<'a>(survey: &mut Survey<'a>, ty: &ComponentFuncType<'a>) -> Result<Shape<'a>, Excess> {
    ty.params.iter().try_for_each(|(name, _)| survey.name(name))?;
    survey.add(Bound::Fields, ty.params.len() as u64)?;
    Ok(Shape::of(shape::function(ty, &survey.scope.types)))
}

fn in_component<'a>(survey: &mut Survey<'a>, declared: &ComponentTypeDeclaration<'a>) -> Result<(), Excess> {
    match declared {
        ComponentTypeDeclaration::Type(ty) => component_type(survey, ty),
        ComponentTypeDeclaration::Export { name, ty } => links::declare_export(survey, name.name, ty),
        ComponentTypeDeclaration::Import(import) => links::declare_import(survey, import),
        ComponentTypeDeclaration::CoreType(ty) => core_type(survey, ty),
        ComponentTypeDeclaration::Alias(alias) => declare_alias(survey, alias),
    }
}

fn in_instance<'a>(survey: &mut Survey<'a>, declared: &InstanceTypeDeclaration<'a>) -> Result<(), Excess> {
    match declared {
        InstanceTypeDeclaration::Type(ty) => component_type(survey, ty),
        InstanceTypeDeclaration::Export { name, ty } => links::declare_export(survey, name.name, ty),
        InstanceTypeDeclaration::CoreType(ty) => core_type(survey, ty),
        InstanceTypeDeclaration::Alias(alias) => declare_alias(survey, alias),
    }
}

fn declare_alias<'a>(survey: &mut Survey<'a>, alias: &ComponentAlias<'a>) -> Result<(), Excess> {
    match alias {
        ComponentAlias::InstanceExport { kind, instance_index, name } => {
            links::alias_export(survey, *kind, *instance_index, name).map(|_| ())
        }
        ComponentAlias::Outer { kind, count, index } => outer_type(survey, *kind, *count, *index),
        ComponentAlias::CoreInstanceExport { .. } => Ok(()),
    }
}

/// An alias of a type of an outer scope: the parser looks for resources in all of it.
pub(super) fn outer_type(
    survey: &mut Survey<'_>,
    kind: ComponentOuterAliasKind,
    count: u32,
    index: u32,
) -> Result<(), Excess> {
    let Some(outer) = survey.outer_scope(count) else { return Ok(()) };
    let of = |shapes: &[Shape<'_>]| shapes.get(index as usize).map_or(1, |shape| shape.size.walked());
    match kind {
        ComponentOuterAliasKind::Type => {
            let (walked, shape) = (of(&outer.types), outer.types.get(index as usize).cloned());
            survey.scope.types.push(shape.unwrap_or_else(Shape::unknown));
            survey.add(Bound::Compared, walked)
        }
        ComponentOuterAliasKind::CoreType => {
            let shape = outer.core_types.get(index as usize).cloned();
            survey.scope.core_types.push(shape.unwrap_or_else(Shape::unknown));
            Ok(())
        }
        ComponentOuterAliasKind::CoreModule | ComponentOuterAliasKind::Component => Ok(()),
    }
}

fn core_type<'a>(survey: &mut Survey<'a>, ty: &CoreType<'a>) -> Result<(), Excess> {
    match ty {
        CoreType::Rec(group) => {
            let types = recursive(survey, group)?;
            survey.scope.core_types.extend((0..types).map(|_| Shape::unknown()));
        }
        CoreType::Module(declared) => {
            survey.add(Bound::Types, declared.len() as u64)?;
            let mut externs = 0;
            for declaration in declared {
                match declaration {
                    ModuleTypeDeclaration::Type(group) => {
                        recursive(survey, group)?;
                    }
                    ModuleTypeDeclaration::Export { .. } | ModuleTypeDeclaration::Import(_) => externs += 1,
                    ModuleTypeDeclaration::OuterAlias { .. } => {}
                }
            }
            survey.scope.core_types.push(Shape::of(Size::of_module(externs)));
        }
    }
    Ok(())
}

/// Counts the types of a group, and returns their number.
fn recursive(survey: &mut Survey<'_>, group: &RecGroup) -> Result<u64, Excess> {
    let mut types = 0;
    for ty in group.types() {
        types += 1;
        survey.add(Bound::CoreParams, super::part::width(ty))?;
    }
    survey.add(Bound::Types, types)?;
    Ok(types)
}

/// The number of fields, cases and names of a type.
fn fields(ty: &ComponentDefinedType<'_>) -> u64 {
    let count = match ty {
        ComponentDefinedType::Record(fields) => fields.len(),
        ComponentDefinedType::Variant(cases) => cases.len(),
        ComponentDefinedType::Flags(names) | ComponentDefinedType::Enum(names) => names.len(),
        ComponentDefinedType::Tuple(fields) => fields.len(),
        ComponentDefinedType::Primitive(_)
        | ComponentDefinedType::List(_)
        | ComponentDefinedType::Map(..)
        | ComponentDefinedType::FixedLengthList(..)
        | ComponentDefinedType::Option(_)
        | ComponentDefinedType::Result { .. }
        | ComponentDefinedType::Own(_)
        | ComponentDefinedType::Borrow(_)
        | ComponentDefinedType::Future(_)
        | ComponentDefinedType::Stream(_) => 0,
    };
    count as u64
}

fn names(survey: &Survey<'_>, ty: &ComponentDefinedType<'_>) -> Result<(), Excess> {
    let label = |name: &str| survey.check(Bound::Label, name.len() as u64);
    match ty {
        ComponentDefinedType::Record(fields) => fields.iter().try_for_each(|(name, _)| label(name)),
        ComponentDefinedType::Variant(cases) => cases.iter().try_for_each(|case| label(case.name)),
        ComponentDefinedType::Flags(names) | ComponentDefinedType::Enum(names) => {
            names.iter().try_for_each(|name| label(name))
        }
        ComponentDefinedType::Primitive(_)
        | ComponentDefinedType::List(_)
        | ComponentDefinedType::Map(..)
        | ComponentDefinedType::FixedLengthList(..)
        | ComponentDefinedType::Tuple(_)
        | ComponentDefinedType::Option(_)
        | ComponentDefinedType::Result { .. }
        | ComponentDefinedType::Own(_)
        | ComponentDefinedType::Borrow(_)
        | ComponentDefinedType::Future(_)
        | ComponentDefinedType::Stream(_) => Ok(()),
    }
}
