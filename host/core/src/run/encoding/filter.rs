//! Filters of lists as bytes.

use std::sync::Arc;

use super::read::Reader;
use super::write;
use crate::{Digest, ExportPath, InputFilter, QueueName, RunFilter, State, StateSet};

pub(super) fn write(out: &mut Vec<u8>, filter: &RunFilter) {
    let states = filter.wanted_states().map(|states| states.iter().collect::<Vec<_>>());
    write::maybe(out, states, |out, states| {
        write::list(out, &states, |out, state| write::choice(out, &State::ALL, state));
    });
    write::maybe(out, filter.wanted_component(), |out, component| out.extend(component.as_bytes()));
    write::maybe(out, filter.wanted_export(), |out, export| {
        write::maybe(out, export.interface(), write::text);
        write::text(out, export.function());
    });
    write::list(out, filter.wanted_tags(), |out, tag| write::text(out, tag));
    write::maybe(out, filter.wanted_name(), write::text);
    let (since, until) = filter.wanted_times();
    write::maybe(out, since, write::instant);
    write::maybe(out, until, write::instant);
    write::maybe(out, filter.wanted_queue(), |out, queue| write::text(out, queue.as_str()));
    write::maybe(out, filter.wanted_schedule(), write::text);
    write::maybe(out, filter.wanted_error(), write::text);
    write::flag(out, filter.wants_attention());
    // Filters without it are as earlier versions wrote them.
    if !filter.wanted_inputs().is_empty() {
        write::list(out, filter.wanted_inputs(), |out, input| write::text(out, &input.to_string()));
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<RunFilter> {
    let mut filter = RunFilter::new();
    if let Some(states) = reader.maybe(|reader| reader.list(|reader| reader.choice(&State::ALL)))? {
        let set: StateSet = states.iter().copied().collect();
        // In order, and each once.
        if !set.iter().eq(states) {
            return None;
        }
        filter = filter.states(set.iter());
    }
    if let Some(component) = reader.maybe(Reader::array)? {
        filter = filter.component(Digest::from_bytes(component));
    }
    if let Some(export) = reader.maybe(read_export)? {
        filter = filter.export(export);
    }
    for tag in reader.list(Reader::shared)? {
        filter = filter.tag(tag);
    }
    filter = text(reader, filter, RunFilter::name)?;
    if let Some(since) = reader.maybe(Reader::instant)? {
        filter = filter.since(since);
    }
    if let Some(until) = reader.maybe(Reader::instant)? {
        filter = filter.until(until);
    }
    if let Some(queue) = reader.maybe(|reader| QueueName::new(reader.text()?).ok())? {
        filter = filter.queue(queue);
    }
    filter = text(reader, filter, RunFilter::schedule)?;
    filter = text(reader, filter, RunFilter::error)?;
    filter = if reader.flag()? { filter.needs_attention() } else { filter };
    if reader.is_at_end() {
        return Some(filter);
    }
    let inputs = reader.list(|reader| reader.text()?.parse::<InputFilter>().ok())?;
    // An empty list is not written.
    (!inputs.is_empty()).then(|| inputs.into_iter().fold(filter, RunFilter::input))
}

fn read_export(reader: &mut Reader<'_>) -> Option<ExportPath> {
    let (interface, function) = (reader.maybe(Reader::text)?, reader.text()?);
    Some(match interface {
        Some(interface) => ExportPath::in_interface(interface, function),
        None => ExportPath::top_level(function),
    })
}

fn text(
    reader: &mut Reader<'_>,
    filter: RunFilter,
    set: impl FnOnce(RunFilter, Arc<str>) -> RunFilter,
) -> Option<RunFilter> {
    Some(match reader.maybe(Reader::shared)? {
        Some(text) => set(filter, text),
        None => filter,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TaskKey, Timestamp};

    fn at(nanos: u64) -> Timestamp {
        Timestamp::from_unix_nanos(nanos)
    }

    #[test]
    fn a_filter_comes_back_as_it_was() {
        let export = ExportPath::in_interface("a:b/c", "f");
        let task = TaskKey { component: Digest::of(b"a"), export: export.clone() };
        let all = RunFilter::new().states([State::Failed, State::Pending]).task(&task).tag("x").tag("y");
        let all =
            all.name("n").since(at(3)).until(at(9)).queue("q".parse().unwrap()).schedule("s").error("e");
        for filter in [
            RunFilter::new(),
            RunFilter::new().states([]),
            RunFilter::new().export(ExportPath::top_level("f")),
            RunFilter::new().component(Digest::of(b"b")).needs_attention(),
            all.clone(),
            all.clone().needs_attention(),
        ] {
            let bytes = filter.encode();
            assert_eq!(RunFilter::decode(&bytes).unwrap(), filter);
            for length in 0..bytes.len() {
                assert!(RunFilter::decode(&bytes[..length]).is_err(), "{length}");
            }
        }
        let inputs = all.input("a.b=1".parse().unwrap()).input("c=".parse().unwrap());
        assert_eq!(RunFilter::decode(&inputs.encode()).unwrap(), inputs);
        let mut empty = RunFilter::new().encode();
        empty.push(0);
        RunFilter::decode(&empty).unwrap_err();
        // One thing has one encoding: states are in order.
        let mut bytes = RunFilter::new().states([State::Failed, State::Pending]).encode();
        bytes.swap(3, 4);
        RunFilter::decode(&bytes).unwrap_err();
    }
}
