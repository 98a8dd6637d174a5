//! Facts and events as bytes.

use super::read::Reader;
use super::{outcome, spec, write};
use crate::{Amendment, Event, QueueName, RunFact};

pub(super) fn write(out: &mut Vec<u8>, fact: &RunFact) {
    match fact {
        RunFact::Born(run) => {
            out.push(0);
            spec::write_run(out, run);
        }
        RunFact::Event(event) => {
            out.push(1);
            write_event(out, *event);
        }
        RunFact::Named(name) => {
            out.push(2);
            write::text(out, name);
        }
        RunFact::AttemptEnded { outcome, receipt } => {
            out.push(3);
            outcome::write(out, outcome);
            outcome::write_receipt(out, receipt);
        }
        RunFact::Ended { event, outcome } => {
            out.push(4);
            write_event(out, *event);
            outcome::write(out, outcome);
        }
        RunFact::Amended(amendment) => {
            out.push(5);
            write_amendment(out, amendment);
        }
    }
}

fn write_amendment(out: &mut Vec<u8>, Amendment { priority, due, queue, tags }: &Amendment) {
    write::maybe(out, *priority, write::signed);
    write::maybe(out, *due, write::instant);
    write::maybe(out, queue.as_ref(), |out, queue| write::text(out, queue.as_str()));
    write::maybe(out, tags.as_ref(), spec::write_tags);
}

fn read_amendment(reader: &mut Reader<'_>) -> Option<Amendment> {
    Some(Amendment {
        priority: reader.maybe(Reader::signed)?,
        due: reader.maybe(Reader::instant)?,
        queue: reader.maybe(|reader| QueueName::new(reader.text()?).ok())?,
        tags: reader.maybe(spec::read_tags)?,
    })
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<RunFact> {
    Some(match reader.byte()? {
        0 => RunFact::Born(spec::read_run(reader)?.into()),
        1 => RunFact::Event(read_event(reader)?),
        2 => RunFact::Named(reader.shared()?),
        3 => {
            let outcome = outcome::read(reader)?;
            RunFact::AttemptEnded { outcome, receipt: outcome::read_receipt(reader)?.into() }
        }
        4 => RunFact::Ended { event: read_event(reader)?, outcome: outcome::read(reader)? },
        5 => RunFact::Amended(read_amendment(reader)?.into()),
        _ => return None,
    })
}

fn write_event(out: &mut Vec<u8>, event: Event) {
    out.push(match event {
        Event::CameDue => 0,
        Event::SlotAwaited => 1,
        Event::SlotGranted => 2,
        Event::Started => 3,
        Event::RetryPlanned { .. } => 4,
        Event::CancelRequested => 5,
        Event::Completed => 6,
        Event::CacheHit { .. } => 7,
        Event::Failed => 8,
        Event::TimedOut => 9,
        Event::UpstreamFailed => 10,
        Event::Crashed => 11,
        Event::Rescued => 12,
        Event::Cancelled => 13,
        Event::RolledBack => 14,
        Event::RetryRequested => 15,
        Event::Postponed => 16,
    });
    if let Event::RetryPlanned { due } = event {
        write::instant(out, due);
    }
    if let Event::CacheHit { producer } = event {
        write::id(out, producer);
    }
}

fn read_event(reader: &mut Reader<'_>) -> Option<Event> {
    Some(match reader.byte()? {
        0 => Event::CameDue,
        1 => Event::SlotAwaited,
        2 => Event::SlotGranted,
        3 => Event::Started,
        4 => Event::RetryPlanned { due: reader.instant()? },
        5 => Event::CancelRequested,
        6 => Event::Completed,
        7 => Event::CacheHit { producer: reader.id()? },
        8 => Event::Failed,
        9 => Event::TimedOut,
        10 => Event::UpstreamFailed,
        11 => Event::Crashed,
        12 => Event::Rescued,
        13 => Event::Cancelled,
        14 => Event::RolledBack,
        15 => Event::RetryRequested,
        16 => Event::Postponed,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RunId, Timestamp};

    #[test]
    fn each_code_is_that_of_an_event_in_the_list_of_all() {
        let each = Event::each(Timestamp::from_unix_nanos(7), RunId::from_bytes([1; 16]));
        for code in 0..=u8::MAX {
            let event = each.get(usize::from(code)).copied();
            let mut bytes = Vec::new();
            event.iter().for_each(|event| write_event(&mut bytes, *event));
            let bytes = if bytes.is_empty() { vec![code; 32] } else { bytes };
            assert_eq!((bytes[0], read_event(&mut Reader::new(&bytes))), (code, event));
        }
    }
}
