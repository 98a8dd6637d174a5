//! The size of comparisons when a component is instantiated: each import is compared with its argument. Types of
//! instances may contain others twice, and so be larger than their declaration by any factor.

use std::collections::HashMap;

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentEntityType, ComponentInstanceTypeId, ComponentItem, ComponentTypeId,
};
use wasmparser::types::TypesRef;
use wasmparser::{ComponentInstance, ComponentInstanceSectionReader, ComponentTypeRef};

/// Types that nest deeper than this count as infinite; the survey bounds how deep they are declared.
const DEEPEST: u32 = 500;

/// Computes the sizes of the types of instances and components.
#[derive(Default)]
pub(super) struct Compared {
    instances: HashMap<ComponentInstanceTypeId, u64>,
    components: HashMap<ComponentTypeId, u64>,
}

impl Compared {
    /// The size of the comparisons of a section of instances. `types` are those before it.
    pub(super) fn by(
        &mut self,
        section: ComponentInstanceSectionReader<'_>,
        types: TypesRef<'_>,
    ) -> Result<u64, wasmparser::BinaryReaderError> {
        let mut compared = 0_u64;
        for instance in section {
            let ComponentInstance::Instantiate { component_index, .. } = instance? else { continue };
            if component_index >= types.component_count() {
                continue;
            }
            let size = self.component(types.component_at(component_index), types, DEEPEST);
            compared = compared.saturating_add(size);
        }
        Ok(compared)
    }

    /// The size of what is imported or exported with these types.
    pub(super) fn by_types(
        &mut self,
        items: impl Iterator<Item = Result<Option<ComponentTypeRef>, wasmparser::BinaryReaderError>>,
        types: TypesRef<'_>,
    ) -> Result<u64, wasmparser::BinaryReaderError> {
        let mut compared = 0_u64;
        for item in items {
            let Some(ComponentTypeRef::Instance(index) | ComponentTypeRef::Component(index)) = item? else {
                continue;
            };
            if index >= types.component_type_count() {
                continue;
            }
            let size = match types.component_any_type_at(index) {
                ComponentAnyTypeId::Instance(id) => self.instance(id, types, DEEPEST),
                ComponentAnyTypeId::Component(id) => self.component(id, types, DEEPEST),
                ComponentAnyTypeId::Resource(_)
                | ComponentAnyTypeId::Defined(_)
                | ComponentAnyTypeId::Func(_) => 1,
            };
            compared = compared.saturating_add(size);
        }
        Ok(compared)
    }

    /// The size of the existing instance with this index.
    pub(super) fn of_instance(&mut self, index: u32, types: TypesRef<'_>) -> u64 {
        self.instance(types.component_instance_at(index), types, DEEPEST)
    }

    fn component(&mut self, id: ComponentTypeId, types: TypesRef<'_>, deepest: u32) -> u64 {
        if let Some(&size) = self.components.get(&id) {
            return size;
        }
        let size = types.get(id).map_or(0, |component| {
            let items = component.imports.values().chain(component.exports.values());
            self.items(items, types, deepest)
        });
        self.components.insert(id, size);
        size
    }

    fn instance(&mut self, id: ComponentInstanceTypeId, types: TypesRef<'_>, deepest: u32) -> u64 {
        if let Some(&size) = self.instances.get(&id) {
            return size;
        }
        let size = types.get(id).map_or(0, |instance| self.items(instance.exports.values(), types, deepest));
        self.instances.insert(id, size);
        size
    }

    fn items<'a>(
        &mut self,
        items: impl Iterator<Item = &'a ComponentItem>,
        types: TypesRef<'_>,
        deepest: u32,
    ) -> u64 {
        let Some(deeper) = deepest.checked_sub(1) else { return u64::MAX };
        items.fold(1, |sum: u64, item| {
            let size = match item.ty {
                ComponentEntityType::Instance(id) => self.instance(id, types, deeper),
                ComponentEntityType::Component(id) => self.component(id, types, deeper),
                ComponentEntityType::Module(_)
                | ComponentEntityType::Func(_)
                | ComponentEntityType::Value(_)
                | ComponentEntityType::Type { .. } => 1,
            };
            sum.saturating_add(size)
        })
    }
}
