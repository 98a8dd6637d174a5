//! The number of values on the stack of a function, and its open blocks.

use wasmparser::{BlockType, ContType, FrameKind, FuncType, ModuleArity, Operator, RefType, SubType};

use super::part::Part;

/// The stack after the operators so far. In unreachable code it may be anything.
pub(super) struct Stack<'a> {
    part: &'a Part,
    /// The function, and its open blocks.
    frames: Vec<Frame>,
    height: u64,
}

struct Frame {
    ty: BlockType,
    kind: FrameKind,
    /// The height below what the block takes.
    base: u64,
}

impl<'a> Stack<'a> {
    /// Of a function of this type.
    pub(super) fn new(part: &'a Part, ty: Option<u32>) -> Self {
        let ty = ty.map_or(BlockType::Empty, BlockType::FuncType);
        Self { part, frames: vec![Frame { ty, kind: FrameKind::Block, base: 0 }], height: 0 }
    }

    pub(super) fn height(&self) -> u64 {
        self.height
    }

    /// The nesting depth of blocks, including the function.
    pub(super) fn depth(&self) -> u64 {
        self.frames.len() as u64
    }

    /// An operator that begins a block.
    pub(super) fn begin(&mut self, operator: &Operator<'_>, ty: BlockType, kind: FrameKind) {
        self.apply(operator);
        let base = self.height.saturating_sub(self.widths(ty).0);
        self.frames.push(Frame { ty, kind, base });
    }

    /// The other half of an `if`.
    pub(super) fn turn(&mut self) {
        if let Some(&Frame { ty, base, .. }) = self.frames.last() {
            self.height = base.saturating_add(self.widths(ty).0);
        }
    }

    /// The end of a block. Returns its kind.
    pub(super) fn end(&mut self) -> Option<FrameKind> {
        let Frame { ty, kind, base } = self.frames.pop()?;
        self.height = base.saturating_add(self.widths(ty).1);
        Some(kind)
    }

    /// Any other operator.
    pub(super) fn apply(&mut self, operator: &Operator<'_>) {
        let base = self.frames.last().map_or(0, |frame| frame.base);
        if leaves(operator) {
            self.height = base;
            return;
        }
        let (taken, given) = operator.operator_arity(self).unwrap_or_default();
        self.height = self.height.saturating_sub(taken.into()).max(base).saturating_add(given.into());
    }

    fn widths(&self, ty: BlockType) -> (u64, u64) {
        let (taken, given) = self.block_type_arity(ty).unwrap_or_default();
        (taken.into(), given.into())
    }
}

/// Whether the following code is unreachable.
fn leaves(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Unreachable
            | Operator::Br { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::ReturnCallRef { .. }
            | Operator::Throw { .. }
            | Operator::ThrowRef
    )
}

impl ModuleArity for Stack<'_> {
    fn sub_type_at(&self, index: u32) -> Option<&SubType> {
        self.part.types.get(index as usize)
    }

    fn tag_type_arity(&self, _: u32) -> Option<(u32, u32)> {
        None
    }

    fn type_index_of_function(&self, function: u32) -> Option<u32> {
        self.part.functions.get(function as usize).copied()
    }

    fn func_type_of_cont_type(&self, _: &ContType) -> Option<&FuncType> {
        None
    }

    fn sub_type_of_ref_type(&self, _: &RefType) -> Option<&SubType> {
        None
    }

    fn control_stack_height(&self) -> u32 {
        self.frames.len().try_into().unwrap_or(u32::MAX)
    }

    fn label_block(&self, depth: u32) -> Option<(BlockType, FrameKind)> {
        let frame = self.frames.iter().rev().nth(depth as usize)?;
        Some((frame.ty, frame.kind))
    }
}
