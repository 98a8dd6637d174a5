//! The compiler's work for the body of one function.
//!
//! The compiler examines a value that lives across branches again wherever they meet, and more often the more loops are
//! around it. So the compiler's time and memory grow with values times blocks times the depth of loops, and with the
//! square of the blocks, and not with the length of the code alone: a few kibibytes can take minutes.

use wasmparser::{BlockType, FrameKind, FunctionBody, Operator, Result};

use super::cost;
use super::merges::Merges;
use super::part::Part;
use super::stack::Stack;

/// The compiler's cost of every function, in addition to its locals.
const IMPLICIT_LOCALS: u64 = 3;

/// The number of nested or consecutive blocks that cost as much as a value.
const BLOCKS_PER_VALUE: u64 = 8;
const SQUARED_BLOCKS_PER_VALUE: u64 = 64;

/// The number of edges of jump tables whose square costs as much as a value: the compiler makes a block of each edge, and searches
/// them for every value that is merged where they meet. 40,000 edges in 200 tables with two such values take 1.9 s, 100,000 take 8.6
/// s; without such values 0.4 s. CPython has 16,000 in one function.
const SQUARED_EDGES_PER_VALUE: u64 = 256;

/// How often a value counts that lives across a call or a division. 2,483 calls with 10,000 such values ask for 2 GiB of memory,
/// and use 600 MiB of it.
const TIMES_AT_FIXED: u64 = 2;

/// The number of arguments and results of a call that cost no more than the bytes that bring them there.
const FREE_ARGUMENTS: u64 = 16;

/// The number of constants of floats or vectors whose square costs as much as a value: the compiler may put all of them
/// before their uses, where they get in each other's way. 10,000 take 9 s.
const SQUARED_CONSTANTS_PER_VALUE: u64 = 8;

/// The number of values on the stack that cost nothing.
const FREE_HEIGHT: u64 = 32;

/// The counts of a body.
pub(super) struct Effort {
    pub(super) locals: u64,
    pub(super) work: u64,
    /// Operators that compute a value, weighted by how many values they may add to the live ones.
    pub(super) computed: u64,
    /// Equivalent bytes of plain code, in addition to the actual bytes.
    pub(super) extra: u64,
}

/// Reads the body of a function once: the function of this index in a module.
pub(super) fn effort(
    body: &FunctionBody<'_>,
    function: usize,
    part: &Part,
    merges: &mut Merges,
) -> Result<Effort> {
    let own = part.width_of(function);
    let mut locals = own;
    for declared in body.get_locals_reader()? {
        let (count, _) = declared?;
        locals = locals.saturating_add(count.into());
    }
    merges.begin();
    let mut counted = Counted::new(part, function, merges);
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        counted.count(&operators.read()?);
    }
    let work = counted.work(locals).saturating_add(own);
    let extra = counted.cost.saturating_sub(body.range().len() as u64);
    Ok(Effort { locals, work, computed: counted.computed, extra })
}

struct Counted<'a> {
    part: &'a Part,
    stack: Stack<'a>,
    merges: &'a mut Merges,
    /// Where the compiler begins a block.
    begun: u64,
    /// The same, each weighted by the number of loops around it plus one.
    blocks: u64,
    /// Values on the stack there.
    held: u64,
    /// Blocks around it there.
    around: u64,
    /// The number of loops around the current code.
    loops: u64,
    /// Branches to another block, with the values on the stack.
    branches: u64,
    /// Entries of jump tables.
    edges: u64,
    /// The same, each weighted by the number of loops around it plus one.
    weighted_edges: u64,
    /// The maximum number of values that a block takes or returns.
    widest: u64,
    /// Arguments and results of calls, and values on the stack there.
    passed: u64,
    /// Operators that need certain registers: calls, and divisions.
    fixed: u64,
    /// The cost of its operators, as bytes of plain code.
    cost: u64,
    /// Operators that compute a value.
    computed: u64,
    /// Values on the stack, for each operator.
    standing: u64,
    /// Constants of floats and vectors.
    constants: u64,
    /// The number of operators since the last constant.
    since_constant: u64,
}

impl<'a> Counted<'a> {
    fn new(part: &'a Part, function: usize, merges: &'a mut Merges) -> Self {
        let stack = Stack::new(part, part.functions.get(function).copied());
        Self {
            part,
            stack,
            merges,
            begun: 0,
            blocks: 0,
            held: 0,
            around: 0,
            loops: 0,
            branches: 0,
            edges: 0,
            weighted_edges: 0,
            // A branch may leave the function.
            widest: part.width_of(function),
            passed: 0,
            fixed: 0,
            cost: 0,
            computed: 0,
            standing: 0,
            constants: 0,
            since_constant: u64::MAX,
        }
    }

    fn work(&self, locals: u64) -> u64 {
        let at_blocks = self.blocks.saturating_mul(locals.saturating_add(IMPLICIT_LOCALS));
        // Each value that lives there is moved out of the way.
        let at_fixed = self.fixed.saturating_mul(locals).saturating_mul(TIMES_AT_FIXED);
        let at_branches = self.branches.saturating_mul(self.widest);
        let among_blocks = self.begun.saturating_mul(self.begun) / SQUARED_BLOCKS_PER_VALUE;
        let at_edges = self.weighted_edges.saturating_mul(locals.saturating_add(IMPLICIT_LOCALS));
        let among_edges = self.edges.saturating_mul(self.edges) / SQUARED_EDGES_PER_VALUE;
        let among_constants = self.constants.saturating_mul(self.constants) / SQUARED_CONSTANTS_PER_VALUE;
        let around = self.around / BLOCKS_PER_VALUE;
        let at = [at_blocks, at_fixed, at_branches, at_edges, self.held, around, self.standing];
        let among = [among_blocks, among_edges, among_constants];
        at.into_iter().chain(among).fold(self.passed, u64::saturating_add)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all others stay within a block")]
    fn count(&mut self, operator: &Operator<'_>) {
        self.cost = self.cost.saturating_add(cost::of(operator));
        self.computed += cost::values(operator);
        self.fold(operator);
        self.constants += u64::from(cost::is_wide_constant(operator));
        // The first few stay in registers.
        self.standing = self.standing.saturating_add(self.stack.height().saturating_sub(FREE_HEIGHT));
        if cost::needs_registers(operator) {
            self.fixed += 1;
            self.pass(self.stack.height().saturating_mul(TIMES_AT_FIXED));
        }
        match operator {
            Operator::Block { blockty } => return self.begin(operator, *blockty, FrameKind::Block),
            Operator::If { blockty } => return self.begin(operator, *blockty, FrameKind::If),
            Operator::TryTable { try_table } => {
                return self.begin(operator, try_table.ty, FrameKind::TryTable);
            }
            Operator::Loop { blockty } => return self.begin(operator, *blockty, FrameKind::Loop),
            Operator::Else => {
                self.block(1);
                return self.stack.turn();
            }
            Operator::End => return self.end(),
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                self.merges.set(*local_index);
            }
            Operator::Return => self.branches += 1,
            Operator::Br { relative_depth } => {
                self.branches += 1;
                self.merges.branch(*relative_depth);
            }
            Operator::BrIf { relative_depth }
            | Operator::BrOnNull { relative_depth }
            | Operator::BrOnNonNull { relative_depth } => {
                self.block(1);
                self.branches += 1;
                self.merges.branch(*relative_depth);
            }
            Operator::BrTable { targets } => {
                self.block(1);
                // Those that cannot be read are found later.
                let depths = targets.targets().map_while(Result::ok).chain([targets.default()]);
                depths.for_each(|depth| self.merges.branch(depth));
                self.jump(u64::from(targets.len()) + 1);
            }
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                self.call(self.part.width_of(*function_index as usize));
            }
            Operator::CallIndirect { type_index, .. }
            | Operator::ReturnCallIndirect { type_index, .. }
            | Operator::CallRef { type_index }
            | Operator::ReturnCallRef { type_index } => {
                self.block(2);
                self.call(self.part.of_type(*type_index));
            }
            Operator::TableGet { .. } | Operator::TableSet { .. } => self.block(2),
            _ => {}
        }
        self.stack.apply(operator);
    }

    /// Counts operators that are combined with a constant that may be their operand. If the constant is further away,
    /// it has bytes of its own.
    fn fold(&mut self, operator: &Operator<'_>) {
        if self.since_constant > 0 {
            self.merges.pin(cost::pins(operator));
        }
        if cost::is_constant(operator) {
            self.since_constant = 0;
            return;
        }
        self.since_constant = self.since_constant.saturating_add(1);
        if cost::is_folded(operator) && self.since_constant <= cost::FOLDED_WITHIN {
            self.cost = self.cost.saturating_add(cost::FOLDED);
        }
    }

    fn block(&mut self, count: u64) {
        let times = count.saturating_mul(self.loops + 1);
        self.begun = self.begun.saturating_add(count);
        self.blocks = self.blocks.saturating_add(times);
        self.held = self.held.saturating_add(times.saturating_mul(self.stack.height()));
        self.around = self.around.saturating_add(count.saturating_mul(self.stack.depth()));
    }

    fn begin(&mut self, operator: &Operator<'_>, ty: BlockType, kind: FrameKind) {
        let width = match ty {
            BlockType::Empty => 0,
            BlockType::Type(_) => 1,
            BlockType::FuncType(index) => self.part.of_type(index),
        };
        let is_loop = kind == FrameKind::Loop;
        self.merges.open(width, kind == FrameKind::If || kind == FrameKind::TryTable);
        self.stack.begin(operator, ty, kind);
        self.loops += u64::from(is_loop);
        // The guest yields in a loop.
        self.block(if is_loop { 3 } else { 1 });
        self.branches += 1;
        self.widest = self.widest.max(width);
    }

    fn end(&mut self) {
        self.block(1);
        self.merges.close();
        // The last end is that of the function.
        self.loops -= u64::from(self.stack.end() == Some(FrameKind::Loop));
    }

    /// Counts a jump table with so many entries.
    fn jump(&mut self, edges: u64) {
        let times = edges.saturating_mul(self.loops + 1);
        self.branches = self.branches.saturating_add(edges);
        self.edges = self.edges.saturating_add(edges);
        self.weighted_edges = self.weighted_edges.saturating_add(times);
        self.held = self.held.saturating_add(times.saturating_mul(self.stack.height()));
    }

    /// Counts a call with so many arguments and results. More than a few go through memory: 750 calls with 2,000 of them take 11 s
    /// and 490 MiB, of 7 KiB of code.
    fn call(&mut self, width: u64) {
        self.pass(width);
        self.cost = self.cost.saturating_add(width.saturating_sub(FREE_ARGUMENTS));
    }

    fn pass(&mut self, width: u64) {
        self.passed = self.passed.saturating_add(width);
    }
}
