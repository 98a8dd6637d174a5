//! The compiler's cost of each operator, as bytes of plain code.
//!
//! One byte of plain code, a long row of additions, takes about 512 bytes of the compiler's memory. Some operators become
//! a bounds check, several blocks and a call into the host, and cost many times as much as their few bytes.
//!
//! Measured in November 2026 with wasmtime 48 on x86-64, built with debug assertions: one function repeats the operator
//! 3,000 to 4,000 times and is compiled on one thread in a process of its own. The cost is the growth of the peak memory
//! (`VmHWM`), divided by the repetitions and by 512. Not every row is an upper bound: the operands of `table.grow`,
//! conversions, `select`, counts of bits and most of SIMD were constant or could be folded. Processor time was seen to
//! follow roughly the same order; it was not measured in a release build.

use wasmparser::Operator;

/// Copying and filling tables: 26 KiB, and 23 KiB with operands that are not constant.
const TABLE_BULK: u64 = 52;

/// A bounds check and a call into the host, or an indirect call with its checks: 15 to 20 KiB.
const CHECKED_CALL: u64 = 40;

/// A table element, which may have to be initialised first: 14 KiB.
const TABLE_ELEMENT: u64 = 30;

/// All operators that are not listed, such as SIMD, floats with canonical NaNs, rotations and direct calls: up to 7
/// KiB.
const OTHER: u64 = 14;

/// Division and access to memory: up to 3 KiB.
const SMALL: u64 = 7;

/// The number of values that an unlisted operator adds. Measured with two chains in one function of 100 KiB: additions
/// of integers take 1.9 s for 17,000 operators, additions of floats 8 s.
const VALUES_OF_OTHER: u64 = 3;

/// Adding, subtracting or multiplying a constant: the compiler stores every way to combine a row of them. 3 KiB.
pub(super) const FOLDED: u64 = 6;

/// The number of operators after a constant for which it counts as the operand.
pub(super) const FOLDED_WITHIN: u64 = 5;

/// The cost of an operator: 0 if it is at most its own bytes.
#[expect(clippy::wildcard_enum_match_arm, reason = "an operator that nobody measured counts as a costly one")]
pub(super) fn of(operator: &Operator<'_>) -> u64 {
    match operator {
        Operator::TableCopy { .. } | Operator::TableFill { .. } => TABLE_BULK,
        Operator::MemoryCopy { .. }
        | Operator::MemoryFill { .. }
        | Operator::MemoryInit { .. }
        | Operator::TableInit { .. }
        | Operator::TableGrow { .. }
        | Operator::CallIndirect { .. }
        | Operator::ReturnCallIndirect { .. }
        | Operator::CallRef { .. }
        | Operator::ReturnCallRef { .. } => CHECKED_CALL,
        Operator::TableGet { .. } | Operator::TableSet { .. } => TABLE_ELEMENT,
        operator if is_division(operator) || is_access(operator) => SMALL,
        operator if is_plain(operator) => 0,
        _ => OTHER,
    }
}

/// Whether it calls or divides: every value that lives across it may have to leave its register.
pub(super) fn needs_registers(operator: &Operator<'_>) -> bool {
    is_division(operator)
        || matches!(
            operator,
            Operator::Call { .. }
                | Operator::CallIndirect { .. }
                | Operator::CallRef { .. }
                | Operator::MemoryCopy { .. }
                | Operator::MemoryFill { .. }
                | Operator::MemoryInit { .. }
                | Operator::MemoryGrow { .. }
                | Operator::TableCopy { .. }
                | Operator::TableFill { .. }
                | Operator::TableInit { .. }
                | Operator::TableGrow { .. }
                | Operator::TableGet { .. }
                | Operator::TableSet { .. }
        )
}

/// How much it counts among the operators that need one operand in a certain register, unless that is a constant: shifts and rotations; and
/// those that call the host for a value that the next of its kind may need. `table.init` takes four times as long as `memory.grow`,
/// and the time grows with the square of these numbers.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others need none")]
pub(super) fn pins(operator: &Operator<'_>) -> u64 {
    match operator {
        Operator::I32Shl
        | Operator::I32ShrS
        | Operator::I32ShrU
        | Operator::I32Rotl
        | Operator::I32Rotr
        | Operator::I64Shl
        | Operator::I64ShrS
        | Operator::I64ShrU
        | Operator::I64Rotl
        | Operator::I64Rotr
        | Operator::MemoryGrow { .. } => 1,
        Operator::TableInit { .. } => 2,
        _ => 0,
    }
}

/// Whether it is a constant.
pub(super) fn is_constant(operator: &Operator<'_>) -> bool {
    matches!(operator, Operator::I32Const { .. } | Operator::I64Const { .. })
}

/// Whether it is a constant of a float or a vector, which is loaded from memory.
pub(super) fn is_wide_constant(operator: &Operator<'_>) -> bool {
    matches!(operator, Operator::F32Const { .. } | Operator::F64Const { .. } | Operator::V128Const { .. })
}

/// How many values an operator may add to the live ones. An operator on floats adds more: its result is compared with
/// itself and replaced if it is not a number.
pub(super) fn values(operator: &Operator<'_>) -> u64 {
    let is_read = matches!(operator, Operator::Select | Operator::GlobalGet { .. });
    match of(operator) {
        0 if is_structure(operator) && !is_read => 0,
        OTHER => VALUES_OF_OTHER,
        _ => 1,
    }
}

/// Whether operators of its kind are combined if one of the operands is a constant.
pub(super) fn is_folded(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::I32Add
            | Operator::I32Sub
            | Operator::I32Mul
            | Operator::I64Add
            | Operator::I64Sub
            | Operator::I64Mul
    )
}

fn is_division(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::I32DivS
            | Operator::I32DivU
            | Operator::I32RemS
            | Operator::I32RemU
            | Operator::I64DivS
            | Operator::I64DivU
            | Operator::I64RemS
            | Operator::I64RemU
    )
}

/// Whether it loads or stores a number.
fn is_access(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::I32Load { .. }
            | Operator::I64Load { .. }
            | Operator::F32Load { .. }
            | Operator::F64Load { .. }
            | Operator::I32Load8S { .. }
            | Operator::I32Load8U { .. }
            | Operator::I32Load16S { .. }
            | Operator::I32Load16U { .. }
            | Operator::I64Load8S { .. }
            | Operator::I64Load8U { .. }
            | Operator::I64Load16S { .. }
            | Operator::I64Load16U { .. }
            | Operator::I64Load32S { .. }
            | Operator::I64Load32U { .. }
            | Operator::I32Store { .. }
            | Operator::I64Store { .. }
            | Operator::F32Store { .. }
            | Operator::F64Store { .. }
            | Operator::I32Store8 { .. }
            | Operator::I32Store16 { .. }
            | Operator::I64Store8 { .. }
            | Operator::I64Store16 { .. }
            | Operator::I64Store32 { .. }
    )
}

/// Whether its cost is that of its bytes: it moves values, computes with integers, or is a block, which is counted
/// separately.
fn is_plain(operator: &Operator<'_>) -> bool {
    is_structure(operator) || is_integer(operator)
}

fn is_structure(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Nop
            | Operator::Unreachable
            | Operator::Drop
            | Operator::Select
            | Operator::LocalGet { .. }
            | Operator::LocalSet { .. }
            | Operator::LocalTee { .. }
            | Operator::GlobalGet { .. }
            | Operator::GlobalSet { .. }
            | Operator::I32Const { .. }
            | Operator::I64Const { .. }
            | Operator::F32Const { .. }
            | Operator::F64Const { .. }
            | Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Return
    )
}

fn is_integer(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::I32Eqz
            | Operator::I32Eq
            | Operator::I32Ne
            | Operator::I32LtS
            | Operator::I32LtU
            | Operator::I32GtS
            | Operator::I32GtU
            | Operator::I32LeS
            | Operator::I32LeU
            | Operator::I32GeS
            | Operator::I32GeU
            | Operator::I64Eqz
            | Operator::I64Eq
            | Operator::I64Ne
            | Operator::I64LtS
            | Operator::I64LtU
            | Operator::I64GtS
            | Operator::I64GtU
            | Operator::I64LeS
            | Operator::I64LeU
            | Operator::I64GeS
            | Operator::I64GeU
            | Operator::I32Add
            | Operator::I32Sub
            | Operator::I32Mul
            | Operator::I32And
            | Operator::I32Or
            | Operator::I32Xor
            | Operator::I64Add
            | Operator::I64Sub
            | Operator::I64Mul
            | Operator::I64And
            | Operator::I64Or
            | Operator::I64Xor
            | Operator::I32WrapI64
            | Operator::I64ExtendI32S
            | Operator::I64ExtendI32U
    )
}
