//! Schedules as bytes.

use std::str::FromStr;
use std::sync::Arc;

use super::read::Reader;
use super::{outcome, spec, write};
use crate::{Missed, Overlap, QueueName, Schedule, ScheduleName, When};

pub(super) fn write(out: &mut Vec<u8>, schedule: &Schedule) {
    let Schedule { name, task, spec, arguments, tags, queue, when, missed, overlap, spread, paused } =
        schedule;
    write::text(out, name.as_str());
    write::text(out, task);
    spec::write_task(out, spec);
    write::list(out, arguments, |out, (name, value)| {
        write::text(out, name);
        outcome::write_value(out, value);
    });
    spec::write_tags(out, tags);
    write::text(out, queue.as_str());
    write_when(out, when);
    write::choice(out, &Missed::ALL, missed);
    write::choice(out, &Overlap::ALL, overlap);
    write::duration(out, *spread);
    write::flag(out, *paused);
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Schedule> {
    Some(Schedule {
        name: ScheduleName::from_str(reader.text()?).ok()?,
        task: reader.shared()?,
        spec: Arc::new(spec::read_task(reader)?),
        arguments: reader.list(|reader| Some((reader.shared()?, outcome::read_value(reader)?)))?,
        tags: spec::read_tags(reader)?,
        queue: QueueName::from_str(reader.text()?).ok()?,
        when: read_when(reader)?,
        missed: reader.choice(&Missed::ALL)?,
        overlap: reader.choice(&Overlap::ALL)?,
        spread: reader.duration()?,
        paused: reader.flag()?,
    })
}

fn write_when(out: &mut Vec<u8>, when: &When) {
    match when {
        When::Cron { expression, zone } => {
            out.push(0);
            write::text(out, expression);
            write::text(out, zone);
        }
        When::Every { interval, anchor } => {
            out.push(1);
            write::duration(out, *interval);
            write::instant(out, *anchor);
        }
    }
}

fn read_when(reader: &mut Reader<'_>) -> Option<When> {
    Some(match reader.byte()? {
        0 => When::Cron { expression: reader.shared()?, zone: reader.shared()? },
        1 => When::Every { interval: reader.duration()?, anchor: reader.instant()? },
        _ => return None,
    })
}
