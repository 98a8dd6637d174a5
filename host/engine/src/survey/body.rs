//! What the compiler has to do for the body of one function.
//!
//! A value that lives across branches is looked at again wherever they meet, and the more often the more loops are around
//! it. So the compiler's time and memory grow with locals times blocks times the depth of loops, and not with the length
//! of the code alone: a few kibibytes can take minutes.

use wasmparser::{BlockType, FunctionBody, Operator, Result};

/// What the body of a function says of types and functions, looked up in its module.
pub(super) trait Widths {
    /// Parameters and results of a type.
    fn of_type(&self, index: u32) -> u64;
    /// Parameters and results of a function.
    fn of_function(&self, index: u32) -> u64;
}

/// What was counted in a body.
pub(super) struct Effort {
    pub(super) locals: u64,
    pub(super) work: u64,
}

/// Reads the body of a function once. `own` is the width of the function itself.
pub(super) fn effort(body: &FunctionBody<'_>, own: u64, widths: &impl Widths) -> Result<Effort> {
    let mut locals = own;
    for declared in body.get_locals_reader()? {
        let (count, _) = declared?;
        locals = locals.saturating_add(count.into());
    }
    let mut counted = Counted::default();
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        counted.count(&operators.read()?, widths);
    }
    let at_blocks = counted.blocks.saturating_mul(locals);
    let at_branches = counted.branches.saturating_mul(counted.widest);
    let work = own.saturating_add(counted.passed).saturating_add(at_blocks).saturating_add(at_branches);
    Ok(Effort { locals, work })
}

#[derive(Default)]
struct Counted {
    /// Where the compiler begins a block, each as often as there are loops around it, and once more.
    blocks: u64,
    /// Whether they are loops: what has begun and has not ended.
    open: Vec<bool>,
    /// How many of them are.
    loops: u64,
    /// What leads to another block with values on the stack.
    branches: u64,
    /// The most values that a block takes or gives.
    widest: u64,
    /// Arguments and results of calls.
    passed: u64,
}

impl Counted {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others stay within a block")]
    fn count(&mut self, operator: &Operator<'_>, widths: &impl Widths) {
        match operator {
            Operator::Block { blockty } | Operator::If { blockty } => self.begin(*blockty, false, widths),
            Operator::TryTable { try_table } => self.begin(try_table.ty, false, widths),
            Operator::Loop { blockty } => {
                self.begin(*blockty, true, widths);
                // The guest gives way here.
                self.block(2);
            }
            Operator::Else => self.block(1),
            Operator::End => self.end(),
            Operator::Br { .. } => self.branches += 1,
            Operator::BrIf { .. } | Operator::BrOnNull { .. } | Operator::BrOnNonNull { .. } => {
                self.block(1);
                self.branches += 1;
            }
            Operator::BrTable { targets } => {
                self.block(1);
                self.branches = self.branches.saturating_add(u64::from(targets.len()) + 1);
            }
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                self.pass(widths.of_function(*function_index));
            }
            Operator::CallIndirect { type_index, .. }
            | Operator::ReturnCallIndirect { type_index, .. }
            | Operator::CallRef { type_index }
            | Operator::ReturnCallRef { type_index } => {
                self.block(2);
                self.pass(widths.of_type(*type_index));
            }
            _ => {}
        }
    }

    fn block(&mut self, count: u64) {
        self.blocks = self.blocks.saturating_add(count.saturating_mul(self.loops + 1));
    }

    fn begin(&mut self, ty: BlockType, is_loop: bool, widths: &impl Widths) {
        let width = match ty {
            BlockType::Empty => 0,
            BlockType::Type(_) => 1,
            BlockType::FuncType(index) => widths.of_type(index),
        };
        self.open.push(is_loop);
        self.loops += u64::from(is_loop);
        self.block(1);
        self.branches += 1;
        self.widest = self.widest.max(width);
    }

    fn end(&mut self) {
        self.block(1);
        // The last end is that of the function.
        self.loops -= u64::from(self.open.pop().unwrap_or_default());
    }

    fn pass(&mut self, width: u64) {
        self.passed = self.passed.saturating_add(width);
    }
}
