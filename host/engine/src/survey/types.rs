//! The types of components.

use wasmparser::{
    ComponentDefinedType, ComponentType, ComponentTypeDeclaration, ComponentTypeSectionReader,
    InstanceTypeDeclaration,
};

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

/// The maximum possible nesting depth of type declarations. Parsers read them by recursion without a bound, so this
/// must be known before anything is parsed: it counts what could be the beginning of such a declaration.
fn nested(section: &[u8]) -> u64 {
    const TYPE: u8 = 0x01;
    const COMPONENT: u8 = 0x41;
    const INSTANCE: u8 = 0x42;
    section.windows(2).filter(|pair| matches!(pair, [TYPE, COMPONENT | INSTANCE])).count() as u64
}

fn component_type(survey: &mut Survey<'_>, ty: &ComponentType<'_>) -> Result<(), Excess> {
    match ty {
        ComponentType::Defined(ty) => names(survey, ty),
        ComponentType::Func(ty) => ty.params.iter().try_for_each(|(name, _)| survey.name(name)),
        ComponentType::Component(declared) => {
            survey.add(Bound::Types, declared.len() as u64)?;
            declared.iter().try_for_each(|declaration| in_component(survey, declaration))
        }
        ComponentType::Instance(declared) => {
            survey.add(Bound::Types, declared.len() as u64)?;
            declared.iter().try_for_each(|declaration| in_instance(survey, declaration))
        }
        ComponentType::Resource { .. } => Ok(()),
    }
}

fn in_component(survey: &mut Survey<'_>, declared: &ComponentTypeDeclaration<'_>) -> Result<(), Excess> {
    match declared {
        ComponentTypeDeclaration::Type(ty) => component_type(survey, ty),
        ComponentTypeDeclaration::Export { name, .. } => survey.name(name.name),
        ComponentTypeDeclaration::Import(import) => survey.name(import.name.name),
        ComponentTypeDeclaration::CoreType(_) | ComponentTypeDeclaration::Alias(_) => Ok(()),
    }
}

fn in_instance(survey: &mut Survey<'_>, declared: &InstanceTypeDeclaration<'_>) -> Result<(), Excess> {
    match declared {
        InstanceTypeDeclaration::Type(ty) => component_type(survey, ty),
        InstanceTypeDeclaration::Export { name, .. } => survey.name(name.name),
        InstanceTypeDeclaration::CoreType(_) | InstanceTypeDeclaration::Alias(_) => Ok(()),
    }
}

fn names(survey: &Survey<'_>, ty: &ComponentDefinedType<'_>) -> Result<(), Excess> {
    match ty {
        ComponentDefinedType::Record(fields) => fields.iter().try_for_each(|(name, _)| survey.name(name)),
        ComponentDefinedType::Variant(cases) => cases.iter().try_for_each(|case| survey.name(case.name)),
        ComponentDefinedType::Flags(names) | ComponentDefinedType::Enum(names) => {
            names.iter().try_for_each(|name| survey.name(name))
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
