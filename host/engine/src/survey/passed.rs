//! Values passed between components: for each function that one component calls in another, the compiler generates code
//! as large as the types of its parameters and its result, once for each time the two are instantiated.
//!
//! Measured in November 2026 with wasmtime 48 on x86-64, built with debug assertions, on one thread: 100 functions that take a
//! tuple of 450 values of one type, and thousands that take one value. A unit takes up to 15 µs of processor time and 400 bytes of
//! memory. Functions that take the same types may share code, and then take less.

use std::collections::HashMap;

use wasmparser::component_types::{
    ComponentDefinedType, ComponentDefinedTypeId, ComponentFuncType, ComponentValType,
};
use wasmparser::types::TypesRef;
use wasmparser::{CanonicalFunction, ComponentCanonicalSectionReader, PrimitiveValType};

/// A number, a boolean, a handle or a set of flags.
const VALUE: u64 = 1;

/// A character, which has to be one.
const CHARACTER: u64 = 5;

/// A string, a list or a map, in addition to its elements: it is allocated, checked and copied in a loop.
const SEQUENCE: u64 = 50;

/// A function, whatever its parameters.
const FUNCTION: u64 = 40;

/// A case of a variant, in addition to its payload.
const CASE: u64 = 1;

/// The compiler refuses types that nest deeper than this.
const DEEPEST: u32 = 200;

/// Computes the sizes of types.
#[derive(Default)]
pub(super) struct Passed {
    sizes: HashMap<ComponentDefinedTypeId, u64>,
}

impl Passed {
    /// The size of the calls of the functions that a section lowers. The section must be valid, and `types` must be
    /// those after it.
    pub(super) fn by(
        &mut self,
        section: ComponentCanonicalSectionReader<'_>,
        types: TypesRef<'_>,
    ) -> Result<u64, wasmparser::BinaryReaderError> {
        let mut passed = 0_u64;
        for function in section {
            if let CanonicalFunction::Lower { func_index, .. } = function? {
                let function = types.get(types.component_function_at(func_index));
                let by = function.map_or(0, |function| self.function(function, types));
                passed = passed.saturating_add(by);
            }
        }
        Ok(passed)
    }

    fn function(&mut self, function: &ComponentFuncType, types: TypesRef<'_>) -> u64 {
        let values = function.params.iter().map(|(_, ty)| ty).chain(&function.result);
        values.fold(FUNCTION, |sum, ty| sum.saturating_add(self.value(ty, types, DEEPEST)))
    }

    fn value(&mut self, ty: &ComponentValType, types: TypesRef<'_>, deepest: u32) -> u64 {
        match ty {
            ComponentValType::Primitive(ty) => primitive(*ty),
            ComponentValType::Type(id) => self.defined(*id, types, deepest),
        }
    }

    fn defined(&mut self, id: ComponentDefinedTypeId, types: TypesRef<'_>, deepest: u32) -> u64 {
        if let Some(&size) = self.sizes.get(&id) {
            return size;
        }
        let Some(deeper) = deepest.checked_sub(1) else { return u64::MAX };
        let size = types.get(id).map_or(0, |ty| self.size(ty, types, deeper));
        self.sizes.insert(id, size);
        size
    }

    fn size(&mut self, ty: &ComponentDefinedType, types: TypesRef<'_>, deepest: u32) -> u64 {
        let mut all = |values: &mut dyn Iterator<Item = &ComponentValType>, each: u64, first: u64| {
            values.fold(first, |sum, ty| {
                sum.saturating_add(each).saturating_add(self.value(ty, types, deepest))
            })
        };
        match ty {
            ComponentDefinedType::Primitive(ty) => primitive(*ty),
            ComponentDefinedType::Own(_)
            | ComponentDefinedType::Borrow(_)
            | ComponentDefinedType::Future { .. }
            | ComponentDefinedType::Stream { .. } => VALUE,
            ComponentDefinedType::Flags(names) => (names.len() as u64).div_ceil(32).max(VALUE),
            ComponentDefinedType::Enum(names) => (names.len() as u64).saturating_mul(CASE),
            ComponentDefinedType::Record(record) => all(&mut record.fields.values(), 0, VALUE),
            ComponentDefinedType::Tuple(tuple) => all(&mut tuple.types.iter(), 0, VALUE),
            ComponentDefinedType::List { element, .. } => all(&mut [element].into_iter(), 0, SEQUENCE),
            ComponentDefinedType::Map { key, value, .. } => all(&mut [key, value].into_iter(), 0, SEQUENCE),
            ComponentDefinedType::FixedLengthList { element, length, .. } => {
                all(&mut [element].into_iter(), 0, VALUE).saturating_mul(u64::from(*length).clamp(1, 16))
            }
            ComponentDefinedType::Option { ty, .. } => all(&mut [ty].into_iter(), CASE, CASE),
            ComponentDefinedType::Result { ok, err, .. } => {
                all(&mut ok.iter().chain(err), 0, CASE.saturating_mul(2))
            }
            ComponentDefinedType::Variant(variant) => {
                let cases = (variant.cases.len() as u64).saturating_mul(CASE);
                all(&mut variant.cases.values().filter_map(|case| case.ty.as_ref()), 0, cases)
            }
        }
    }
}

fn primitive(ty: PrimitiveValType) -> u64 {
    match ty {
        PrimitiveValType::Char => CHARACTER,
        PrimitiveValType::String => SEQUENCE,
        PrimitiveValType::Bool
        | PrimitiveValType::S8
        | PrimitiveValType::U8
        | PrimitiveValType::S16
        | PrimitiveValType::U16
        | PrimitiveValType::S32
        | PrimitiveValType::U32
        | PrimitiveValType::S64
        | PrimitiveValType::U64
        | PrimitiveValType::F32
        | PrimitiveValType::F64
        | PrimitiveValType::ErrorContext => VALUE,
    }
}
