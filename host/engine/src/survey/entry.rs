//! Functions that can be called from outside their module: the compiler generates code that loads their parameters from
//! memory and stores their results there, and the same for each type of functions.
//!
//! Measured in November 2026 with wasmtime 48 on x86-64: 1.6 ms for 200 parameters, 6.6 ms for 500, 21 ms for 1,000, and 0.1 ms
//! and 12 KiB for a function without any, the function itself among them.

use wasmparser::{
    ConstExpr, Element, ElementItems, ExportSectionReader, ExternalKind, Operator, SectionLimited,
};

use super::{Bound, Refused, Survey};

/// The cost of a function or a type, in addition to its parameters and results.
const ENTRY: u64 = 24;

/// The additional cost of a function that is exported once more: the compiler generates as much for it as for another function.
/// Measured with one function: 20,000 exports without parameters take 2 s and 260 MiB, 1,000 with 500 parameters 5.6 s.
const AGAIN: u64 = 20;

/// The number of parameters whose quadratic cost equals their linear cost.
const DOUBLED: u64 = 500;

/// The cost of entering a function with this many parameters and results.
pub(super) fn cost(width: u64) -> u64 {
    ENTRY.saturating_add(width).saturating_add(width.saturating_mul(width) / DOUBLED)
}

/// Surveys the exports of a module.
pub(super) fn exports<'a>(survey: &mut Survey<'a>, section: ExportSectionReader<'a>) -> Result<(), Refused> {
    for export in section {
        let export = export?;
        if matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact) {
            let is_again = !enter(survey, export.index)?;
            if is_again {
                let width = survey.part.width_of(export.index as usize);
                survey.add(Bound::Entries, cost(width).saturating_add(AGAIN))?;
            }
        }
    }
    Ok(())
}

/// Surveys the elements of a segment.
pub(super) fn elements<'a>(survey: &mut Survey<'a>, element: &Element<'a>) -> Result<(), Refused> {
    match &element.items {
        ElementItems::Functions(items) => {
            for function in items.clone() {
                enter(survey, function?)?;
            }
        }
        ElementItems::Expressions(_, items) => expressions(survey, items.clone())?,
    }
    Ok(())
}

fn expressions<'a>(survey: &mut Survey<'a>, items: SectionLimited<'a, ConstExpr<'a>>) -> Result<(), Refused> {
    for expression in items {
        survey.constant(&expression?)?;
    }
    Ok(())
}

/// Surveys an expression for a function.
pub(super) fn refer(survey: &mut Survey<'_>, expression: &ConstExpr<'_>) -> Result<(), Refused> {
    let mut operators = expression.get_operators_reader();
    while !operators.eof() {
        if let Operator::RefFunc { function_index } = operators.read()? {
            enter(survey, function_index)?;
        }
    }
    Ok(())
}

/// Counts a function once, however often it is referenced: `false` if it was counted before.
fn enter(survey: &mut Survey<'_>, function: u32) -> Result<bool, Refused> {
    let is_first = survey.part.entered.insert(function);
    if is_first {
        let width = survey.part.width_of(function as usize);
        survey.add(Bound::Entries, cost(width))?;
    }
    Ok(is_first)
}
