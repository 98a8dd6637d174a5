//! Segments of data and values of globals: which of them the compiled module has as they are, and which it makes code for.
//!
//! Measured in November 2026 with wasmtime 48 on x86-64: 10,000 segments that code sets take 2.6 s, 20,000 take 8 s and 415 MiB,
//! 50,000 take 44 s and 1 GiB; 65,000 globals that refer to a function take 16 s.

use wasmparser::{ConstExpr, Data, DataKind, DataSectionReader, MemorySectionReader, Operator};

use super::{Bound, Refused, Survey};

/// Up to here the data of a module becomes one image of its memory, however little of it is data; above it only if it is
/// more than half. An image is held twice, and a module of thirty bytes can ask for one as large as this.
pub(crate) const SPARSE_IMAGE_BYTES: u64 = 64 << 10;

/// The bytes of a page of memory.
const PAGE_BYTES: u64 = 65_536;

/// The segments of a module that go to one memory, as far as their places are known.
#[derive(Default)]
struct Image {
    bytes: u64,
    begin: Option<u64>,
    end: u64,
}

/// Looks through a section of memories.
pub(super) fn memories<'a>(survey: &mut Survey<'a>, section: MemorySectionReader<'a>) -> Result<(), Refused> {
    for memory in section {
        let memory = memory?;
        let page_bytes = memory.page_size_log2.map_or(PAGE_BYTES, |log| 1 << log.min(16));
        survey.part.memories.push(Some(memory.initial.saturating_mul(page_bytes)));
    }
    Ok(())
}

/// Looks through a section of data. Segments are laid out when the module is compiled if all their places are known and lie close
/// together; otherwise code sets all of them.
pub(super) fn segments<'a>(survey: &mut Survey<'a>, section: DataSectionReader<'a>) -> Result<(), Refused> {
    let mut images: Vec<Image> = Vec::new();
    images.resize_with(survey.part.memories.len(), Image::default);
    let (mut active, mut set) = (0, false);
    for data in section {
        let data = data?;
        let DataKind::Active { memory_index, offset_expr } = &data.kind else { continue };
        survey.constant(offset_expr)?;
        active += 1;
        let size = survey.part.memories.get(*memory_index as usize).copied().flatten();
        match images.get_mut(*memory_index as usize).zip(size) {
            Some((image, size)) => set |= !image.add(&data, offset_expr, size),
            None => set = true,
        }
    }
    set |= images.iter().any(Image::is_sparse);
    Ok(survey.add(Bound::SetData, if set { active } else { 0 })?)
}

/// Looks at the value that a global begins with.
pub(super) fn global(survey: &mut Survey<'_>, value: &ConstExpr<'_>) -> Result<(), Refused> {
    survey.constant(value)?;
    let set = constant(value).is_none() && !is_plain(value);
    Ok(survey.add(Bound::SetGlobals, set.into())?)
}

impl Image {
    /// Adds a segment. `false` if its place is not known, or not in the memory.
    fn add(&mut self, data: &Data<'_>, offset: &ConstExpr<'_>, size: u64) -> bool {
        let length = data.data.len() as u64;
        let Some(begin) = constant(offset) else { return false };
        let Some(end) = begin.checked_add(length).filter(|end| *end <= size) else { return false };
        if length > 0 {
            self.bytes = self.bytes.saturating_add(length);
            self.begin = Some(self.begin.map_or(begin, |first| first.min(begin)));
            self.end = self.end.max(end);
        }
        true
    }

    /// Whether an image of the memory would be mostly empty, for which the compiler makes none.
    fn is_sparse(&self) -> bool {
        let span = self.end - self.begin.unwrap_or(self.end);
        span > SPARSE_IMAGE_BYTES && span >= self.bytes.saturating_mul(2)
    }
}

/// The integer that an expression is, if it is one and nothing else.
pub(super) fn constant(expression: &ConstExpr<'_>) -> Option<u64> {
    let mut operators = expression.get_operators_reader();
    match (operators.read(), operators.read()) {
        (Ok(Operator::I32Const { value }), Ok(Operator::End)) => Some(u64::from(value.cast_unsigned())),
        (Ok(Operator::I64Const { value }), Ok(Operator::End)) => Some(value.cast_unsigned()),
        _ => None,
    }
}

/// Whether an expression is one float, vector or null.
fn is_plain(expression: &ConstExpr<'_>) -> bool {
    let mut operators = expression.get_operators_reader();
    let first = matches!(
        operators.read(),
        Ok(Operator::F32Const { .. }
            | Operator::F64Const { .. }
            | Operator::V128Const { .. }
            | Operator::RefNull { .. })
    );
    first && matches!(operators.read(), Ok(Operator::End))
}
