//! The current component or module of the survey.

use std::collections::HashSet;

use wasmparser::{CompositeInnerType, Encoding, SubType};

use super::Bound;

/// The properties of a component or module needed to survey the rest of it.
pub(super) struct Part {
    pub(super) encoding: Encoding,
    number: u64,
    /// Of a module.
    pub(super) types: Vec<SubType>,
    /// Of a module: the type of each function, imported ones first.
    pub(super) functions: Vec<u32>,
    /// Of a module: the initial number of elements of each table; `None` if its elements can only be set by code.
    pub(super) tables: Vec<Option<u64>>,
    /// Of a module: how many bytes each memory begins with; `None` if it is imported.
    pub(super) memories: Vec<Option<u64>>,
    /// Of a module: whether a segment of elements was met that is set by code. All after it are, too.
    pub(super) sets_elements: bool,
    /// Of a module: the functions that can be called from outside.
    pub(super) entered: HashSet<u32>,
    imported: usize,
    bodies: usize,
    /// Of a module: imports and exports.
    pub(super) externs: u64,
    /// Of a component: the content of each component in it; `None` if that is not known.
    pub(super) components: Vec<Option<Content>>,
    /// Of a component: its own content.
    pub(super) content: Content,
}

/// The content of a component, including that of its instances: each total counts as often as something is instantiated.
#[derive(Clone, Copy)]
pub(super) struct Content {
    /// The number of its definitions.
    definitions: u64,
    /// The size of its calls to functions of other components.
    passed: u64,
    /// The size of the types that it uses.
    compared: u64,
    /// The size of the instances that it uses.
    copied: u64,
    /// Components that are instantiated, it among them.
    instances: u64,
    /// Functions that it makes for core modules.
    lowered: u64,
    /// Resource types.
    pub(super) resources: u64,
}

impl Content {
    const EMPTY: Self =
        Self { definitions: 1, passed: 0, compared: 0, copied: 0, instances: 1, lowered: 0, resources: 0 };

    /// The totals that have a bound.
    pub(super) fn totals(&self) -> [(Bound, u64); 6] {
        [
            (Bound::Definitions, self.definitions),
            (Bound::Passed, self.passed),
            (Bound::Compared, self.compared),
            (Bound::Copied, self.copied),
            (Bound::Instances, self.instances),
            (Bound::Lowered, self.lowered),
        ]
    }

    /// Adds to a total, and returns it; 0 if there is none for this bound.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only some bounds depend on instances")]
    pub(super) fn add(&mut self, bound: Bound, more: u64) -> u64 {
        let total = match bound {
            Bound::Definitions => &mut self.definitions,
            Bound::Passed => &mut self.passed,
            Bound::Compared => &mut self.compared,
            Bound::Copied => &mut self.copied,
            Bound::Instances => &mut self.instances,
            Bound::Lowered => &mut self.lowered,
            _ => return 0,
        };
        *total = total.saturating_add(more);
        *total
    }

    /// The cost of the resource types, of which the compiler copies a list for each instance.
    pub(super) fn listed(&self) -> u64 {
        self.instances.saturating_mul(self.resources)
    }
}

impl Part {
    pub(super) fn new(encoding: Encoding, number: u64) -> Self {
        Self {
            encoding,
            number,
            types: Vec::new(),
            functions: Vec::new(),
            tables: Vec::new(),
            memories: Vec::new(),
            sets_elements: false,
            entered: HashSet::new(),
            imported: 0,
            bodies: 0,
            externs: 0,
            components: Vec::new(),
            content: Content::EMPTY,
        }
    }

    /// Its name in messages.
    pub(super) fn place(&self) -> String {
        match self.encoding {
            Encoding::Component => format!("component {}", self.number),
            Encoding::Module => format!("module {}", self.number),
        }
    }

    /// Records an imported function.
    pub(super) fn import(&mut self, ty: u32) {
        self.functions.push(ty);
        self.imported += 1;
    }

    /// The index of the function whose body comes next.
    pub(super) fn next_body(&mut self) -> usize {
        self.bodies += 1;
        self.imported + self.bodies - 1
    }

    /// The content of the component with this index.
    pub(super) fn component(&self, index: u32) -> Option<Content> {
        self.components.get(index as usize).copied().flatten()
    }

    /// Parameters and results of a function; none for one that does not exist, which is found out later.
    pub(super) fn width_of(&self, function: usize) -> u64 {
        self.functions.get(function).map_or(0, |&ty| self.of_type(ty))
    }

    /// Parameters and results of a type.
    pub(super) fn of_type(&self, index: u32) -> u64 {
        self.types.get(index as usize).map_or(0, width)
    }
}

/// Parameters and results of a core type, or its fields.
pub(super) fn width(ty: &SubType) -> u64 {
    match &ty.composite_type.inner {
        CompositeInnerType::Func(function) => (function.params().len() + function.results().len()) as u64,
        CompositeInnerType::Struct(structure) => structure.fields.len() as u64,
        CompositeInnerType::Array(_) | CompositeInnerType::Cont(_) => 1,
    }
}
