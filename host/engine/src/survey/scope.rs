//! The index spaces of a component, or of a declared type of a component or an instance, as far as the survey has read it.

use wasmparser::{ComponentExternalKind, ComponentTypeRef, TypeBounds};

use super::shape::{self, Externs, Shape, Size};

/// What the declarations so far can refer to. An index that does not exist has the least size: the component is refused later.
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    pub(super) types: Vec<Shape<'a>>,
    pub(super) functions: Vec<Shape<'a>>,
    instances: Vec<Shape<'a>>,
    components: Vec<Shape<'a>>,
    modules: Vec<Shape<'a>>,
    pub(super) core_types: Vec<Shape<'a>>,
    pub(super) externs: Externs<'a>,
    /// Components and modules taken from those around it, with what these have taken.
    pub(super) captured: u64,
}

impl<'a> Scope<'a> {
    /// What is declared to have this type.
    pub(super) fn typed(&self, ty: &ComponentTypeRef) -> Shape<'a> {
        match ty {
            ComponentTypeRef::Module(index) => of(&self.core_types, *index),
            ComponentTypeRef::Func(index)
            | ComponentTypeRef::Instance(index)
            | ComponentTypeRef::Component(index)
            | ComponentTypeRef::Type(TypeBounds::Eq(index)) => of(&self.types, *index),
            ComponentTypeRef::Type(TypeBounds::SubResource) => Shape::resource(),
            ComponentTypeRef::Value(ty) => Shape::of(shape::value(ty, &self.types)),
        }
    }

    /// What has this index.
    pub(super) fn get(&self, kind: ComponentExternalKind, index: u32) -> Shape<'a> {
        match kind {
            ComponentExternalKind::Module => of(&self.modules, index),
            ComponentExternalKind::Func => of(&self.functions, index),
            ComponentExternalKind::Type => of(&self.types, index),
            ComponentExternalKind::Instance => of(&self.instances, index),
            ComponentExternalKind::Component => of(&self.components, index),
            ComponentExternalKind::Value => Shape::unknown(),
        }
    }

    /// Gives something the next index of its kind.
    pub(super) fn push(&mut self, kind: ComponentExternalKind, shape: Shape<'a>) {
        match kind {
            ComponentExternalKind::Module => self.modules.push(shape),
            ComponentExternalKind::Func => self.functions.push(shape),
            ComponentExternalKind::Type => self.types.push(shape),
            ComponentExternalKind::Instance => self.instances.push(shape),
            ComponentExternalKind::Component => self.components.push(shape),
            ComponentExternalKind::Value => {}
        }
    }

    /// The size of a type of functions or values.
    pub(super) fn size_of_type(&self, index: u32) -> Size {
        of(&self.types, index).size
    }

    /// The component, or the type, whose declarations have ended.
    pub(super) fn finish(self) -> Shape<'a> {
        self.externs.finish(self.captured)
    }
}

fn of<'a>(shapes: &[Shape<'a>], index: u32) -> Shape<'a> {
    shapes.get(index as usize).cloned().unwrap_or_else(Shape::unknown)
}
