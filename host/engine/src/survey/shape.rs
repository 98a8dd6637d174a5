//! The sizes of component types. Parsers and the compiler walk through a type again wherever it is used, and a type may contain
//! others many times, so it may be larger than its declaration by any factor.

use std::collections::HashMap;
use std::rc::Rc;

use wasmparser::{ComponentDefinedType, ComponentFuncType, ComponentValType, PrimitiveValType};

use super::passed;

/// The number of bytes of a name that cost as much as a type.
const BYTES_PER_NODE: usize = 64;

/// The size of a type. Everything in it counts as often as it occurs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Types, parameters, fields, cases and exports.
    pub(super) nodes: u64,
    /// The same of all instances and components in it, once for each level of nesting: each level is walked on its own.
    below: u64,
    /// Imports and exports in it, which are copied wherever it is used.
    pub(super) items: u64,
    /// Resource types that are created again wherever it is imported or exported.
    pub(super) resources: u64,
    /// The size of the code that passes it between components.
    pub(super) passed: u64,
    /// Components and modules that a component takes from the components around it, which are copied with it.
    pub(super) captured: u64,
    /// The number of types inside each other.
    pub(super) depth: u64,
}

/// A type, function, instance, component or module of a component.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape<'a> {
    pub(super) size: Size,
    /// Of a component: the size of its instances.
    exported: Size,
    /// Of an instance or a component.
    exports: Option<Rc<HashMap<&'a str, Shape<'a>>>>,
}

impl Size {
    const ONE: Self = Self { nodes: 1, below: 0, items: 0, resources: 0, passed: 1, captured: 0, depth: 1 };

    /// A core module, with its imports and exports.
    pub(super) fn of_module(externs: u64) -> Self {
        Self { nodes: 1_u64.saturating_add(externs), items: externs, ..Self::ONE }
    }

    /// What one walk through the type meets.
    pub(super) fn walked(&self) -> u64 {
        self.nodes.saturating_add(self.below)
    }

    /// What is copied where an instance or a component is used.
    pub(super) fn copied(&self) -> u64 {
        self.items.saturating_add(self.captured)
    }

    /// Adds an import or export.
    fn add(&mut self, name: &str, item: &Self) {
        let of_name = (name.len() / BYTES_PER_NODE) as u64;
        let below = if item.items > 0 { item.walked() } else { 0 };
        self.nodes = self.nodes.saturating_add(item.nodes).saturating_add(of_name);
        self.below = self.below.saturating_add(below);
        self.items = self.items.saturating_add(item.items).saturating_add(1 + of_name);
        self.resources = self.resources.saturating_add(item.resources);
        self.depth = self.depth.max(item.depth.saturating_add(1));
    }

    fn and(self, other: Self) -> Self {
        Self {
            nodes: self.nodes.saturating_add(other.nodes),
            below: self.below.saturating_add(other.below),
            items: self.items.saturating_add(other.items),
            resources: self.resources.saturating_add(other.resources),
            passed: self.passed.saturating_add(other.passed),
            captured: self.captured.saturating_add(other.captured),
            depth: self.depth.max(other.depth),
        }
    }
}

impl<'a> Shape<'a> {
    /// Anything without content of its own.
    pub(super) fn of(size: Size) -> Self {
        Self { size, exported: size, exports: None }
    }

    /// What has no known size, because it does not exist.
    pub(super) fn unknown() -> Self {
        Self::of(Size::ONE)
    }

    /// A new resource type.
    pub(super) fn resource() -> Self {
        Self::of(Size { resources: 1, ..Size::ONE })
    }

    /// An instance of this component.
    pub(super) fn instantiated(&self) -> Self {
        Self { size: self.exported, exported: self.exported, exports: self.exports.clone() }
    }

    /// An export of this instance.
    pub(super) fn export(&self, name: &str) -> Self {
        let export = self.exports.as_ref().and_then(|exports| exports.get(name));
        export.cloned().unwrap_or_else(Self::unknown)
    }
}

/// The imports and exports of a component, an instance, or a type of either.
#[derive(Debug)]
pub(super) struct Externs<'a> {
    imported: Size,
    exported: Size,
    exports: HashMap<&'a str, Shape<'a>>,
}

impl Default for Externs<'_> {
    fn default() -> Self {
        Self { imported: Size::default(), exported: Size::ONE, exports: HashMap::new() }
    }
}

impl<'a> Externs<'a> {
    pub(super) fn import(&mut self, name: &str, item: &Shape<'a>) {
        self.imported.add(name, &item.size);
    }

    pub(super) fn export(&mut self, name: &'a str, item: Shape<'a>) {
        self.exported.add(name, &item.size);
        self.exports.insert(name, item);
    }

    /// The whole, which takes so much from the components around it.
    pub(super) fn finish(self, captured: u64) -> Shape<'a> {
        let whole = self.exported.and(self.imported);
        let size = Size { captured, ..whole };
        Shape { size, exported: self.exported, exports: Some(Rc::new(self.exports)) }
    }
}

/// The size of a type of functions, where `types` are those declared so far.
pub(super) fn function(ty: &ComponentFuncType<'_>, types: &[Shape<'_>]) -> Size {
    let values = ty.params.iter().map(|(_, ty)| ty).chain(&ty.result);
    all(values, types, Size { passed: passed::FUNCTION, ..Size::ONE }, 0)
}

/// The size of a type of values, where `types` are those declared so far.
pub(super) fn defined(ty: &ComponentDefinedType<'_>, types: &[Shape<'_>]) -> Size {
    let from = |passed: u64| Size { passed, ..Size::ONE };
    match ty {
        ComponentDefinedType::Primitive(ty) => from(passed::primitive(*ty)),
        ComponentDefinedType::Own(_) | ComponentDefinedType::Borrow(_) => from(passed::VALUE),
        ComponentDefinedType::Future(ty) | ComponentDefinedType::Stream(ty) => {
            Size { passed: passed::VALUE, ..all(ty, types, Size::ONE, 0) }
        }
        ComponentDefinedType::Flags(names) => named(names, passed::of_flags(names.len() as u64)),
        ComponentDefinedType::Enum(names) => named(names, passed::of_cases(names.len() as u64)),
        ComponentDefinedType::Record(fields) => {
            all(fields.iter().map(|(_, ty)| ty), types, from(passed::VALUE), 0)
        }
        ComponentDefinedType::Tuple(fields) => all(fields.iter(), types, from(passed::VALUE), 0),
        ComponentDefinedType::List(element) => all([element], types, from(passed::SEQUENCE), 0),
        ComponentDefinedType::Map(key, value) => all([key, value], types, from(passed::SEQUENCE), 0),
        ComponentDefinedType::FixedLengthList(element, length) => {
            let size = all([element], types, from(passed::VALUE), 0);
            let times = u64::from(*length).clamp(1, passed::REPEATED);
            Size {
                passed: size.passed.saturating_mul(times),
                nodes: size.nodes.saturating_mul(times),
                ..size
            }
        }
        ComponentDefinedType::Option(ty) => all([ty], types, from(passed::CASE), passed::CASE),
        ComponentDefinedType::Result { ok, err } => {
            all(ok.iter().chain(err), types, from(passed::of_cases(2)), 0)
        }
        ComponentDefinedType::Variant(cases) => {
            let count = cases.len() as u64;
            let first = Size { nodes: count.saturating_add(1), ..from(passed::of_cases(count)) };
            all(cases.iter().filter_map(|case| case.ty.as_ref()), types, first, 0)
        }
    }
}

/// The size of a type of so many names.
fn named(names: &[&str], passed: u64) -> Size {
    Size { nodes: 1 + names.len() as u64, passed, ..Size::ONE }
}

/// The size of a value.
pub(super) fn value(ty: &ComponentValType, types: &[Shape<'_>]) -> Size {
    match ty {
        ComponentValType::Primitive(ty) => primitive(*ty),
        ComponentValType::Type(index) => types.get(*index as usize).map_or(Size::ONE, |shape| shape.size),
    }
}

fn primitive(ty: PrimitiveValType) -> Size {
    Size { passed: passed::primitive(ty), ..Size::ONE }
}

/// The sum of some types, each with this much more code, and of `first`.
fn all<'t>(
    values: impl IntoIterator<Item = &'t ComponentValType>,
    types: &[Shape<'_>],
    first: Size,
    each: u64,
) -> Size {
    values.into_iter().fold(first, |sum, ty| {
        let size = value(ty, types);
        Size {
            nodes: sum.nodes.saturating_add(size.nodes),
            passed: sum.passed.saturating_add(size.passed).saturating_add(each),
            depth: sum.depth.max(size.depth.saturating_add(1)),
            ..sum
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_counts_as_often_as_it_occurs() {
        let text = PrimitiveValType::String;
        let mut types = vec![Shape::of(defined(
            &ComponentDefinedType::Tuple(vec![ComponentValType::Primitive(text); 3].into()),
            &[],
        ))];
        assert_eq!((types[0].size.nodes, types[0].size.passed), (4, 1 + 3 * 50));
        let twice = ComponentDefinedType::Tuple(vec![ComponentValType::Type(0); 2].into());
        types.push(Shape::of(defined(&twice, &types)));
        assert_eq!(types[1].size.nodes, 9);
        let unknown = ComponentDefinedType::List(ComponentValType::Type(99));
        assert_eq!(defined(&unknown, &types).nodes, 2);
    }

    #[test]
    fn instances_in_instances_are_walked_once_for_each_level() {
        let function = Shape::unknown();
        let mut inner = Externs::default();
        inner.export("f", function);
        let inner = inner.finish(0);
        assert_eq!((inner.size.nodes, inner.size.walked(), inner.size.items), (2, 2, 1));
        let mut outer = Externs::default();
        outer.export("a", inner.clone());
        outer.export("b", inner);
        let outer = outer.finish(0);
        assert_eq!((outer.size.nodes, outer.size.walked(), outer.size.items), (5, 9, 4));
        assert_eq!(outer.export("a").size.nodes, 2);
        assert_eq!(outer.export("c").size, Size::ONE);
    }
}
