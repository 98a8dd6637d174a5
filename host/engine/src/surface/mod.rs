//! A component without its code: it has the same exports and imports, and compiling it takes almost no time.
//!
//! Each module in it is replaced by one that has the same types, imports and exports, and nothing else: exported functions trap,
//! memories and tables are empty, globals have some value.

pub(crate) mod wit;

use std::ops::Range;

use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType,
    HeapType, Instruction, Module, RawSection, RefType, SectionId, TableSection, TableType, ValType,
};
use wasmparser::{Chunk, ExternalKind, Parser, Payload, TypeRef};

/// The section of a component that holds a module, and the one that holds a component.
const MODULE: u8 = 1;
const COMPONENT: u8 = 4;

/// The component without its code; `None` if it has parts that cannot be replaced or read. Linear in its size.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others are copied")]
pub(crate) fn of_component(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut surface = wasm_encoder::Component::new();
    for_each_payload(bytes, |payload| {
        let (id, data) = match &payload {
            Payload::ModuleSection { unchecked_range, .. } => {
                (MODULE, of_module(bytes.get(unchecked_range.clone())?)?)
            }
            // They nest as deep as the survey allows.
            Payload::ComponentSection { unchecked_range, .. } => {
                (COMPONENT, of_component(bytes.get(unchecked_range.clone())?)?)
            }
            Payload::CustomSection(_) => return Some(()),
            other => match other.as_section() {
                Some((id, range)) => (id, bytes.get(range)?.to_vec()),
                None => return Some(()),
            },
        };
        surface.section(&RawSection { id, data: &data });
        Some(())
    })?;
    Some(surface.finish())
}

/// Calls `each` with the content of a component or module, but not with that of nested ones.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others are read one after the other")]
fn for_each_payload<'a>(bytes: &'a [u8], mut each: impl FnMut(Payload<'a>) -> Option<()>) -> Option<()> {
    let mut parser = Parser::new(0);
    let mut at = 0;
    loop {
        let Chunk::Parsed { consumed, payload } = parser.parse(bytes.get(at..)?, true).ok()? else {
            return None;
        };
        at += consumed;
        match &payload {
            Payload::ModuleSection { unchecked_range, .. }
            | Payload::ComponentSection { unchecked_range, .. } => at = unchecked_range.end,
            Payload::CodeSectionStart { range, .. } => {
                parser.skip_section();
                at = range.end;
            }
            Payload::End(_) => return Some(()),
            _ => {}
        }
        each(payload)?;
    }
}

/// The properties of a module needed to leave out its code.
#[derive(Default)]
struct Parts {
    types: Option<Range<usize>>,
    imports: Option<Range<usize>>,
    memories: Option<Range<usize>>,
    tags: Option<Range<usize>>,
    imported_functions: u32,
    /// The types of the functions that are its own.
    functions: Vec<u32>,
    tables: TableSection,
    globals: GlobalSection,
    exports: Vec<(String, ExternalKind, u32)>,
}

fn of_module(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    for_each_payload(bytes, |payload| parts.take(payload))?;
    parts.surface(bytes)
}

impl Parts {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are left out")]
    fn take(&mut self, payload: Payload<'_>) -> Option<()> {
        match payload {
            Payload::TypeSection(section) => self.types = Some(section.range()),
            Payload::ImportSection(section) => {
                self.imports = Some(section.range());
                for import in section.into_imports() {
                    let is_function = matches!(import.ok()?.ty, TypeRef::Func(_) | TypeRef::FuncExact(_));
                    self.imported_functions += u32::from(is_function);
                }
            }
            Payload::FunctionSection(section) => {
                self.functions = section.into_iter().collect::<Result<_, _>>().ok()?;
            }
            Payload::TableSection(section) => {
                for table in section {
                    self.tables.table(table_type(table.ok()?.ty)?);
                }
            }
            Payload::MemorySection(section) => self.memories = Some(section.range()),
            Payload::TagSection(section) => self.tags = Some(section.range()),
            Payload::GlobalSection(section) => {
                for global in section {
                    let ty = global.ok()?.ty;
                    let (val_type, value) = (val_type(ty.content_type)?, zero(ty.content_type)?);
                    let ty = GlobalType { val_type, mutable: ty.mutable, shared: ty.shared };
                    self.globals.global(ty, &value);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.ok()?;
                    self.exports.push((export.name.to_owned(), export.kind, export.index));
                }
            }
            _ => {}
        }
        Some(())
    }

    fn surface(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (mut functions, mut code, mut exports) =
            (FunctionSection::new(), CodeSection::new(), ExportSection::new());
        let mut made = 0;
        for (name, kind, index) in &self.exports {
            let (kind, index) = match kind {
                ExternalKind::Func | ExternalKind::FuncExact => {
                    match index.checked_sub(self.imported_functions) {
                        None => (ExportKind::Func, *index),
                        Some(own) => {
                            functions.function(*self.functions.get(own as usize)?);
                            let mut body = Function::new([]);
                            body.instruction(&Instruction::Unreachable).instruction(&Instruction::End);
                            code.function(&body);
                            made += 1;
                            (ExportKind::Func, self.imported_functions + made - 1)
                        }
                    }
                }
                ExternalKind::Table => (ExportKind::Table, *index),
                ExternalKind::Memory => (ExportKind::Memory, *index),
                ExternalKind::Global => (ExportKind::Global, *index),
                ExternalKind::Tag => (ExportKind::Tag, *index),
            };
            exports.export(name, kind, index);
        }
        let mut module = Module::new();
        let copy = |module: &mut Module, id: SectionId, range: &Option<Range<usize>>| {
            if let Some(data) = range.clone().and_then(|range| bytes.get(range)) {
                module.section(&RawSection { id: id as u8, data });
            }
        };
        copy(&mut module, SectionId::Type, &self.types);
        copy(&mut module, SectionId::Import, &self.imports);
        module.section(&functions).section(&self.tables);
        copy(&mut module, SectionId::Memory, &self.memories);
        copy(&mut module, SectionId::Tag, &self.tags);
        module.section(&self.globals).section(&exports).section(&code);
        Some(module.finish())
    }
}

fn table_type(ty: wasmparser::TableType) -> Option<TableType> {
    // Others need an initial value.
    let element_type = ref_type(ty.element_type).filter(|_| ty.element_type.is_nullable())?;
    Some(TableType {
        element_type,
        table64: ty.table64,
        minimum: ty.initial,
        maximum: ty.maximum,
        shared: ty.shared,
    })
}

fn val_type(ty: wasmparser::ValType) -> Option<ValType> {
    Some(match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(ty) => ValType::Ref(ref_type(ty)?),
    })
}

/// References to functions and to objects of the host; others are rare.
fn ref_type(ty: wasmparser::RefType) -> Option<RefType> {
    match ty {
        wasmparser::RefType::FUNCREF => Some(RefType::FUNCREF),
        wasmparser::RefType::EXTERNREF => Some(RefType::EXTERNREF),
        _ => None,
    }
}

fn zero(ty: wasmparser::ValType) -> Option<ConstExpr> {
    Some(match ty {
        wasmparser::ValType::I32 => ConstExpr::i32_const(0),
        wasmparser::ValType::I64 => ConstExpr::i64_const(0),
        wasmparser::ValType::F32 => ConstExpr::f32_const(0.0.into()),
        wasmparser::ValType::F64 => ConstExpr::f64_const(0.0.into()),
        wasmparser::ValType::V128 => ConstExpr::v128_const(0),
        wasmparser::ValType::Ref(wasmparser::RefType::FUNCREF) => ConstExpr::ref_null(HeapType::FUNC),
        wasmparser::ValType::Ref(wasmparser::RefType::EXTERNREF) => ConstExpr::ref_null(HeapType::EXTERN),
        wasmparser::ValType::Ref(_) => return None,
    })
}
