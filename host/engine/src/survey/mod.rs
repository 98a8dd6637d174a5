//! A survey of a binary before it is compiled: one pass that counts everything that takes the compiler time and memory.
//!
//! It is linear in the size of the binary, and trusts nothing in it: a section that claims to have a million entries is
//! refused before the first one is read. It does not check whether the component is valid.

mod body;
mod bound;
mod budget;
mod cost;
mod data;
mod element;
mod entry;
mod links;
mod merges;
mod part;
mod passed;
mod scope;
mod shape;
mod stack;
mod types;
mod weight;

use std::mem;

use wasmparser::{
    ComponentExternalKind, ConstExpr, Encoding, FunctionBody, Parser, Payload, SectionLimited, TypeRef,
};

pub use self::bound::{Bound, Excess};
pub(crate) use self::data::SPARSE_IMAGE_BYTES;
use self::merges::Merges;
use self::part::{Content, Part};
use self::scope::Scope;
use self::shape::{Shape, Size};
use self::weight::Largest;
pub(crate) use self::weight::{MAX_THREADS, Weight};

/// Work proportional to the size of a program: compilers' output has three to four for each byte of code. Only the
/// excess of a function counts in the sum, so that large programs load.
const WORK_PER_BYTE: u64 = 4;

/// The one custom section that the compiler reads.
const NAMES: &str = "name";

/// The reason why a component is not compiled.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It exceeds a bound.
    Excess(Excess),
    /// It cannot be read.
    Malformed(String),
}

impl From<Excess> for Refused {
    fn from(excess: Excess) -> Self {
        Self::Excess(excess)
    }
}

impl From<wasmparser::BinaryReaderError> for Refused {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// Surveys a whole component, and decides how it is compiled.
pub(crate) fn survey(bytes: &[u8]) -> Result<Weight, Refused> {
    let mut survey = Survey {
        bytes,
        counts: [0; Bound::ALL.len()],
        part: Part::new(Encoding::Component, 0),
        outer: Vec::new(),
        scope: Scope::default(),
        outer_scopes: Vec::new(),
        parts: 0,
        largest: Largest::default(),
        merges: Merges::default(),
    };
    for payload in Parser::new(0).parse_all(bytes) {
        survey.payload(&payload?)?;
    }
    survey.finish()
}

/// The bytes of code of all functions in a component, or in the part of it that can be read. Takes time in proportion to the size of
/// the component, and next to nothing for code itself.
pub fn code_bytes(component: &[u8]) -> u64 {
    let payloads = Parser::new(0).parse_all(component).map_while(Result::ok);
    let bytes = payloads.map(|payload| {
        if let Payload::CodeSectionEntry(body) = payload { body.range().len() as u64 } else { 0 }
    });
    bytes.sum()
}

struct Survey<'a> {
    bytes: &'a [u8],
    /// By bound: the totals of the whole component so far.
    counts: [u64; Bound::ALL.len()],
    /// The current component or module.
    part: Part,
    /// The enclosing components, outermost first.
    outer: Vec<Part>,
    /// The number of components and modules so far.
    parts: u64,
    /// The index spaces of the current component, or of the type that is being declared in it.
    scope: Scope<'a>,
    /// Those around it, outermost first.
    outer_scopes: Vec<Scope<'a>>,
    largest: Largest,
    /// Of the function that is read.
    merges: Merges,
}

impl<'a> Survey<'a> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are bounded by the size of the file")]
    fn payload(&mut self, payload: &Payload<'a>) -> Result<(), Refused> {
        // Before any of them is read.
        self.add(Bound::Declared, declared_bytes(payload))?;
        match payload {
            Payload::Version { encoding, .. } => self.begin(*encoding),
            Payload::End(_) => Ok(self.end()?),
            Payload::CustomSection(section) => {
                self.add(Bound::CustomSections, 1)?;
                let names = if section.name() == NAMES { section.data().len() as u64 } else { 0 };
                Ok(self.add(Bound::FunctionNames, names)?)
            }
            Payload::TypeSection(section) => self.core_types(section.clone()),
            Payload::ImportSection(section) => self.core_imports(section.clone()),
            Payload::TableSection(section) => element::tables(self, section.clone()),
            Payload::ElementSection(section) => {
                self.add(Bound::Segments, section.count().into())?;
                element::segments(self, section.clone())
            }
            Payload::ExportSection(section) => {
                self.add(Bound::CoreExterns, section.count().into())?;
                self.part.externs += u64::from(section.count());
                entry::exports(self, section.clone())
            }
            Payload::GlobalSection(section) => {
                self.add(Bound::Globals, section.count().into())?;
                section.clone().into_iter().try_for_each(|value| data::global(self, &value?.init_expr))
            }
            Payload::MemorySection(section) => data::memories(self, section.clone()),
            Payload::DataSection(section) => {
                self.add(Bound::Segments, section.count().into())?;
                data::segments(self, section.clone())
            }
            Payload::FunctionSection(section) => self.functions(section.clone()),
            Payload::CodeSectionEntry(body) => self.body(body),
            Payload::CoreTypeSection(section) => types::core_section(self, section.clone()),
            Payload::ComponentTypeSection(section) => types::section(self, section.clone()),
            Payload::ComponentImportSection(section) => links::imports(self, section.clone()),
            Payload::ComponentExportSection(section) => links::exports(self, section.clone()),
            Payload::ComponentAliasSection(section) => links::aliases(self, section.clone()),
            Payload::ComponentInstanceSection(section) => links::instances(self, section.clone()),
            Payload::InstanceSection(section) => links::core_instances(self, section.clone()),
            Payload::ComponentCanonicalSection(section) => links::canonical(self, section.clone()),
            _ => Ok(()),
        }
    }

    /// Counts a constant expression, and the functions that it refers to.
    fn constant(&mut self, expression: &ConstExpr<'_>) -> Result<(), Refused> {
        let bytes = expression.get_binary_reader().range().len() as u64;
        self.check(Bound::Constant, bytes)?;
        self.add(Bound::Constants, bytes)?;
        entry::refer(self, expression)
    }

    fn begin(&mut self, encoding: Encoding) -> Result<(), Refused> {
        let begun = Part::new(encoding, self.parts);
        let outer = mem::replace(&mut self.part, begun);
        if self.parts > 0 {
            self.outer.push(outer);
            if encoding == Encoding::Component {
                self.open();
            }
        }
        self.parts += 1;
        self.add(Bound::Parts, 1)?;
        Ok(self.check(Bound::Depth, self.outer.len() as u64 + 1)?)
    }

    fn end(&mut self) -> Result<(), Excess> {
        let Some(outer) = self.outer.pop() else { return Ok(()) };
        let ended = mem::replace(&mut self.part, outer);
        if ended.encoding == Encoding::Module {
            self.scope.push(ComponentExternalKind::Module, Shape::of(Size::of_module(ended.externs)));
            return Ok(());
        }
        self.part.components.push(Some(ended.content));
        let shape = self.close()?;
        self.check(Bound::Nesting, shape.size.depth)?;
        self.scope.push(ComponentExternalKind::Component, shape);
        Ok(())
    }

    /// The content of the component with this index, in the component this many levels further out.
    fn component(&self, levels: u32, index: u32) -> Option<Content> {
        match levels.checked_sub(1) {
            None => self.part.component(index),
            Some(levels) => self.outer.iter().rev().nth(levels as usize)?.component(index),
        }
    }

    fn core_types(&mut self, section: wasmparser::TypeSectionReader<'a>) -> Result<(), Refused> {
        self.add(Bound::Types, section.count().into())?;
        for group in section {
            let types = group?.into_types();
            // One of the group is counted above.
            self.add(Bound::Types, (types.len() as u64).saturating_sub(1))?;
            for ty in types {
                self.add(Bound::CoreParams, part::width(&ty))?;
                self.add(Bound::Entries, entry::cost(part::width(&ty)))?;
                self.part.types.push(ty);
            }
        }
        Ok(())
    }

    fn core_imports(&mut self, section: wasmparser::ImportSectionReader<'a>) -> Result<(), Refused> {
        for import in section.into_imports() {
            self.add(Bound::CoreExterns, 1)?;
            self.part.externs += 1;
            match import?.ty {
                TypeRef::Func(ty) | TypeRef::FuncExact(ty) => self.part.import(ty),
                TypeRef::Table(_) => self.part.tables.push(None),
                TypeRef::Memory(_) => self.part.memories.push(None),
                TypeRef::Global(_) | TypeRef::Tag(_) => {}
            }
        }
        Ok(())
    }

    fn functions(&mut self, section: SectionLimited<'a, u32>) -> Result<(), Refused> {
        self.add(Bound::Functions, section.count().into())?;
        for ty in section {
            let ty = ty?;
            self.part.functions.push(ty);
        }
        Ok(())
    }

    fn body(&mut self, body: &FunctionBody<'a>) -> Result<(), Refused> {
        let function = self.part.next_body();
        let bytes = body.range().len() as u64;
        let found = |bound, found| Excess { bound, found, place: format!("function {function}") };
        self.add(Bound::Code, bytes)?;
        self.check_with(found(Bound::Body, bytes))?;
        let effort = body::effort(body, function, &self.part, &mut self.merges)?;
        self.check_with(found(Bound::Locals, effort.locals))?;
        self.check_with(found(Bound::BodyWork, effort.work))?;
        self.check_with(found(Bound::BodyExtra, effort.extra))?;
        self.check_with(found(Bound::BodyMerges, self.merges.held()))?;
        self.largest.add(bytes.saturating_add(effort.extra).saturating_add(self.merges.held_bytes()));
        self.add(Bound::Merges, self.merges.squared())?;
        self.add(Bound::Work, effort.work.saturating_sub(bytes.saturating_mul(WORK_PER_BYTE)))?;
        self.add(Bound::Extra, effort.extra)?;
        Ok(self.add(Bound::Squares, effort.computed.saturating_mul(effort.computed))?)
    }

    /// Checks the sums of everything, and decides how it is compiled.
    fn finish(mut self) -> Result<Weight, Refused> {
        // Instances count with everything in them, which is at least what stands in the file.
        let totals = self.part.content.totals();
        for (bound, found) in totals {
            if let Some(count) = self.counts.get_mut(bound as usize) {
                *count = found.max(*count);
            }
        }
        let count = |bound: Bound| self.counts.get(bound as usize).copied().unwrap_or_default();
        self.check(Bound::Memory, budget::memory_bytes(count))?;
        self.check(Bound::Time, budget::quick_milliseconds(count))?;
        let is_slow = count(Bound::Squares) > weight::QUICK_SQUARES
            || budget::slow_milliseconds(count) > weight::QUICK_MILLISECONDS;
        Ok(Weight { code_bytes: count(Bound::Code), is_slow, is_heavy: self.largest.are_heavy() })
    }

    /// Begins a component, or the declaration of a type of one.
    fn open(&mut self) {
        let outer = mem::take(&mut self.scope);
        self.outer_scopes.push(outer);
    }

    /// Ends it. The parser searches all of it for resources.
    fn close(&mut self) -> Result<Shape<'a>, Excess> {
        let outer = self.outer_scopes.pop().unwrap_or_default();
        let shape = mem::replace(&mut self.scope, outer).finish();
        self.add(Bound::Compared, shape.size.walked())?;
        Ok(shape)
    }

    /// The index spaces so many levels further out.
    fn outer_scope(&self, levels: u32) -> Option<&Scope<'a>> {
        match levels.checked_sub(1) {
            None => Some(&self.scope),
            Some(levels) => self.outer_scopes.iter().rev().nth(levels as usize),
        }
    }

    /// Counts something that the current component and so many levels further out take from the next.
    fn capture(&mut self, levels: u32, captured: u64) {
        let outer = self.outer_scopes.iter_mut().rev();
        for scope in [&mut self.scope].into_iter().chain(outer).take(levels as usize) {
            scope.captured = scope.captured.saturating_add(captured);
        }
    }

    /// Counts definitions, once for each instance of the current component.
    fn define(&mut self, definitions: u64) -> Result<(), Excess> {
        self.contain(Bound::Definitions, definitions)
    }

    /// Counts new resource types, each with every instance.
    fn create(&mut self, resources: u64) -> Result<(), Excess> {
        let content = &mut self.part.content;
        content.resources = content.resources.saturating_add(resources);
        let listed = content.listed();
        self.check(Bound::Listed, listed)
    }

    /// Adds to the total of the current component, which counts once for each of its instances.
    fn contain(&mut self, bound: Bound, more: u64) -> Result<(), Excess> {
        let found = self.part.content.add(bound, more);
        self.check(bound, found)
    }

    /// Counts something once where it stands, and once for each instance of the current component.
    fn multiply(&mut self, bound: Bound, more: u64) -> Result<(), Excess> {
        self.add(bound, more)?;
        self.contain(bound, more)
    }

    fn name(&self, name: &str) -> Result<(), Excess> {
        self.check(Bound::Name, name.len() as u64)
    }

    /// Adds to a total of the whole component.
    fn add(&mut self, bound: Bound, more: u64) -> Result<(), Excess> {
        let Some(count) = self.counts.get_mut(bound as usize) else { return Ok(()) };
        *count = count.saturating_add(more);
        let found = *count;
        self.check(bound, found)
    }

    fn check(&self, bound: Bound, found: u64) -> Result<(), Excess> {
        if found <= bound.allowed() { Ok(()) } else { Err(Excess { bound, found, place: self.part.place() }) }
    }

    /// Checks a bound at a position in the current part.
    fn check_with(&self, excess: Excess) -> Result<(), Excess> {
        if excess.found <= excess.bound.allowed() {
            return Ok(());
        }
        Err(Excess { place: format!("{} of {}", excess.place, self.part.place()), ..excess })
    }
}

/// The length of a section that is read entry by entry, where one entry may be as long as all of it.
#[expect(clippy::wildcard_enum_match_arm, reason = "entries of the others are short, or not read here")]
fn declared_bytes(payload: &Payload<'_>) -> u64 {
    let range = match payload {
        Payload::TypeSection(section) => section.range(),
        Payload::CoreTypeSection(section) => section.range(),
        Payload::ComponentTypeSection(section) => section.range(),
        Payload::ComponentImportSection(section) => section.range(),
        Payload::ComponentExportSection(section) => section.range(),
        Payload::ComponentAliasSection(section) => section.range(),
        Payload::ComponentInstanceSection(section) => section.range(),
        Payload::InstanceSection(section) => section.range(),
        Payload::ComponentCanonicalSection(section) => section.range(),
        Payload::ComponentStartSection { range, .. } => range.clone(),
        _ => return 0,
    };
    range.len() as u64
}
