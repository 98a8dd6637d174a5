//! A survey of a binary before it is compiled: one pass that counts everything that takes the compiler time and memory.
//!
//! It is linear in the size of the binary, and trusts nothing in it: a section that claims to have a million entries is
//! refused before the first one is read. It does not check whether the component is valid.

mod body;
mod bound;
mod compared;
mod cost;
mod data;
mod element;
mod entry;
mod part;
mod passed;
mod stack;
mod types;
mod weight;

use std::mem;

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, ConstExpr, Encoding,
    FromReader, FunctionBody, Parser, Payload, SectionLimited, TypeRef, Validator, WasmFeatures,
};

pub use self::bound::{Bound, Excess};
use self::compared::Compared;
pub(crate) use self::data::SPARSE_IMAGE_BYTES;
use self::part::{Content, Part};
use self::passed::Passed;
use self::weight::Largest;
pub(crate) use self::weight::{MAX_THREADS, Weight};

/// Work proportional to the size of a program: compilers' output has three to four for each byte of code. Only the
/// excess of a function counts in the sum, so that large programs load.
const WORK_PER_BYTE: u64 = 4;

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
    let whole = Part::new(Encoding::Component, 0);
    let mut survey = Survey {
        bytes,
        counts: [0; Bound::ALL.len()],
        part: whole,
        outer: Vec::new(),
        parts: 0,
        largest: Largest::default(),
        passed: Passed::default(),
        compared: Compared::default(),
    };
    // With all existing features, so that only what is malformed for all of them is refused. It does not read bodies.
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        survey.payload(&payload)?;
        survey.compared(&payload, &validator)?;
        validator.payload(&payload)?;
        if let Payload::ComponentCanonicalSection(section) = payload {
            survey.lowered(section, &validator)?;
        } else if let Payload::ComponentExportSection(section) = payload {
            survey.shown(section, &validator)?;
        }
    }
    let count = |bound: Bound| survey.counts.get(bound as usize).copied().unwrap_or_default();
    let is_slow = count(Bound::Squares) > weight::QUICK_SQUARES;
    Ok(Weight { code_bytes: count(Bound::Code), is_slow, is_heavy: survey.largest.are_heavy() })
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
    largest: Largest,
    passed: Passed,
    compared: Compared,
}

impl<'a> Survey<'a> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are bounded by the size of the file")]
    fn payload(&mut self, payload: &Payload<'a>) -> Result<(), Refused> {
        match payload {
            Payload::Version { encoding, .. } => self.begin(*encoding),
            Payload::End(_) => {
                self.end();
                Ok(())
            }
            Payload::CustomSection(_) => Ok(self.add(Bound::CustomSections, 1)?),
            Payload::TypeSection(section) => self.core_types(section.clone()),
            Payload::ImportSection(section) => self.core_imports(section.clone()),
            Payload::TableSection(section) => element::tables(self, section.clone()),
            Payload::ElementSection(section) => element::segments(self, section.clone()),
            Payload::ExportSection(section) => {
                self.add(Bound::CoreExterns, section.count().into())?;
                entry::exports(self, section.clone())
            }
            Payload::GlobalSection(section) => {
                section.clone().into_iter().try_for_each(|value| data::global(self, &value?.init_expr))
            }
            Payload::MemorySection(section) => data::memories(self, section.clone()),
            Payload::DataSection(section) => data::segments(self, section.clone()),
            Payload::FunctionSection(section) => self.functions(section.clone()),
            Payload::CodeSectionEntry(body) => self.body(body),
            Payload::CoreTypeSection(section) => Ok(self.add(Bound::Types, section.count().into())?),
            Payload::ComponentTypeSection(section) => types::section(self, section.clone()),
            Payload::ComponentImportSection(section) => self.imports(section.clone()),
            Payload::ComponentExportSection(section) => self.exports(section.clone()),
            Payload::ComponentAliasSection(section) => self.aliases(section.clone()),
            Payload::ComponentInstanceSection(section) => self.instances(section.clone()),
            Payload::InstanceSection(section) => self.define(section.count().into()),
            Payload::ComponentCanonicalSection(section) => self.define(section.count().into()),
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
        }
        self.parts += 1;
        self.add(Bound::Parts, 1)?;
        Ok(self.check(Bound::Depth, self.outer.len() as u64 + 1)?)
    }

    fn end(&mut self) {
        let Some(outer) = self.outer.pop() else { return };
        let ended = mem::replace(&mut self.part, outer);
        if ended.encoding == Encoding::Component {
            self.part.components.push(Some(ended.content));
        }
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
        let effort = body::effort(body, function, &self.part)?;
        self.check_with(found(Bound::Locals, effort.locals))?;
        self.check_with(found(Bound::BodyWork, effort.work))?;
        self.check_with(found(Bound::BodyExtra, effort.extra))?;
        self.largest.add(bytes.saturating_add(effort.extra));
        self.add(Bound::Work, effort.work.saturating_sub(bytes.saturating_mul(WORK_PER_BYTE)))?;
        self.add(Bound::Extra, effort.extra)?;
        Ok(self.add(Bound::Squares, effort.computed.saturating_mul(effort.computed))?)
    }

    fn imports(&mut self, section: wasmparser::ComponentImportSectionReader<'a>) -> Result<(), Refused> {
        self.add(Bound::Externs, section.count().into())?;
        for import in self.defined(section)? {
            let import = import?;
            self.name(import.name.name)?;
            if import.ty.kind() == ComponentExternalKind::Component {
                self.part.components.push(None);
            }
        }
        Ok(())
    }

    fn exports(&mut self, section: wasmparser::ComponentExportSectionReader<'a>) -> Result<(), Refused> {
        self.add(Bound::Externs, section.count().into())?;
        for export in self.defined(section)? {
            let export = export?;
            self.name(export.name.name)?;
            if export.kind == ComponentExternalKind::Component {
                let content = self.part.component(export.index);
                self.part.components.push(content);
            }
        }
        Ok(())
    }

    fn aliases(&mut self, section: wasmparser::ComponentAliasSectionReader<'a>) -> Result<(), Refused> {
        for alias in self.defined(section)? {
            match alias? {
                ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                    let content = self.component(count, index);
                    self.part.components.push(content);
                }
                ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => {
                    self.part.components.push(None);
                }
                ComponentAlias::Outer { .. }
                | ComponentAlias::InstanceExport { .. }
                | ComponentAlias::CoreInstanceExport { .. } => {}
            }
        }
        Ok(())
    }

    /// Each instance of a component has everything that the component defines, including the content of *its*
    /// instances. So the size doubles with each level if each component is instantiated twice.
    fn instances(&mut self, section: wasmparser::ComponentInstanceSectionReader<'a>) -> Result<(), Refused> {
        for instance in self.defined(section)? {
            let component_index = match instance? {
                ComponentInstance::Instantiate { component_index, .. } => component_index,
                ComponentInstance::FromExports(exports) => {
                    exports.iter().try_for_each(|export| self.name(export.name.name))?;
                    continue;
                }
            };
            let Some(content) = self.part.component(component_index) else {
                return Err(Refused::Malformed(format!(
                    "{}: it instantiates a component that it imports or takes from an instance, \
                     which is not supported",
                    self.part.place()
                )));
            };
            self.define(content.definitions)?;
            self.pass(content.passed)?;
        }
        Ok(())
    }

    /// Counts the comparisons when the components of a section are instantiated, or when something is imported or
    /// exported by a type, before they are made.
    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else has types that may be large")]
    fn compared(&mut self, payload: &Payload<'a>, validator: &Validator) -> Result<(), Refused> {
        let Some(types) = validator.types(0) else { return Ok(()) };
        let compared = match payload {
            Payload::ComponentInstanceSection(section) => self.compared.by(section.clone(), types)?,
            Payload::ComponentImportSection(section) => {
                let imports = section.clone().into_iter().map(|import| Ok(Some(import?.ty)));
                self.compared.by_types(imports, types)?
            }
            Payload::ComponentExportSection(section) => {
                self.compared.by_types(section.clone().into_iter().map(|export| Ok(export?.ty)), types)?
            }
            _ => return Ok(()),
        };
        Ok(self.add(Bound::Compared, compared)?)
    }

    /// Counts the content of the instances that the whole component exports, which is listed.
    fn shown(
        &mut self,
        section: wasmparser::ComponentExportSectionReader<'a>,
        validator: &Validator,
    ) -> Result<(), Refused> {
        let Some(types) = validator.types(0).filter(|_| self.outer.is_empty()) else { return Ok(()) };
        for export in section {
            let export = export?;
            if export.kind == ComponentExternalKind::Instance {
                let size = self.compared.of_instance(export.index, types);
                self.add(Bound::Externs, size)?;
            }
        }
        Ok(())
    }

    /// Counts the calls between components of a section, which is valid.
    fn lowered(
        &mut self,
        section: wasmparser::ComponentCanonicalSectionReader<'a>,
        validator: &Validator,
    ) -> Result<(), Refused> {
        let Some(types) = validator.types(0) else { return Ok(()) };
        let passed = self.passed.by(section, types)?;
        self.pass(passed)
    }

    fn pass(&mut self, values: u64) -> Result<(), Refused> {
        self.part.content.passed = self.part.content.passed.saturating_add(values);
        Ok(self.check(Bound::Passed, self.part.content.passed)?)
    }

    /// A section with definitions.
    fn defined<T: FromReader<'a>>(
        &mut self,
        section: SectionLimited<'a, T>,
    ) -> Result<SectionLimited<'a, T>, Refused> {
        self.define(section.count().into())?;
        Ok(section)
    }

    fn define(&mut self, definitions: u64) -> Result<(), Refused> {
        self.part.content.definitions = self.part.content.definitions.saturating_add(definitions);
        Ok(self.check(Bound::Definitions, self.part.content.definitions)?)
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
