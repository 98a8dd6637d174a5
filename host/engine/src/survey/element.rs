//! Tables and their elements.

use wasmparser::{Element, ElementItems, ElementKind, ElementSectionReader, TableInit, TableSectionReader};

use super::{Bound, Refused, Survey, data, entry};

/// Larger tables are never laid out at compile time.
const LARGEST_LAID_OUT: u64 = 1 << 20;

/// Surveys a section of tables: even a nearly empty table is laid out in full.
pub(super) fn tables<'a>(survey: &mut Survey<'a>, section: TableSectionReader<'a>) -> Result<(), Refused> {
    for table in section {
        let table = table?;
        let initial = table.ty.initial;
        let laid_out = initial <= LARGEST_LAID_OUT;
        survey.add(Bound::TableElements, if laid_out { initial } else { 0 })?;
        let plain = laid_out && matches!(table.init, TableInit::RefNull);
        survey.part.tables.push(plain.then_some(initial));
        if let TableInit::Expr(expression) = &table.init {
            survey.constant(expression)?;
        }
    }
    Ok(())
}

/// Surveys a section of segments.
pub(super) fn segments<'a>(
    survey: &mut Survey<'a>,
    section: ElementSectionReader<'a>,
) -> Result<(), Refused> {
    for element in section {
        let element = element?;
        let count = match &element.items {
            ElementItems::Functions(items) => items.count(),
            ElementItems::Expressions(_, items) => items.count(),
        };
        if let ElementKind::Active { offset_expr, .. } = &element.kind {
            survey.constant(offset_expr)?;
        }
        let active = matches!(element.kind, ElementKind::Active { .. });
        let known = is_known(&survey.part.tables, &element, count.into());
        // In order, because one may fail: whether later ones are set is not known then.
        survey.part.sets_elements |= active && !known;
        let set = !known || survey.part.sets_elements;
        survey.add(if set { Bound::SetElements } else { Bound::TableElements }, count.into())?;
        entry::elements(survey, &element)?;
    }
    Ok(())
}

/// Whether the position of these elements is known in advance, and they fit.
fn is_known(tables: &[Option<u64>], element: &Element<'_>, count: u64) -> bool {
    let ElementKind::Active { table_index, offset_expr } = &element.kind else { return false };
    let table = tables.get(table_index.unwrap_or(0) as usize).copied().flatten();
    let begin = data::constant(offset_expr);
    let end = begin.and_then(|begin| begin.checked_add(count));
    matches!(element.items, ElementItems::Functions(_))
        && end.zip(table).is_some_and(|(end, table)| end <= table)
}
