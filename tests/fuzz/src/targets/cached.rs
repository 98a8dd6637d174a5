//! What a cache keeps, as bytes: traces and records.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use hostel_core::{
    Answer, CacheEntry, CacheKey, CacheRecord, Dependencies, Digest, DirEntry, FileKind, FileMetadata,
    Moment, Node, Question, Recorded, Refusal, RunId, Timestamp, Trace, TraceRecorder,
};

use crate::{Target, typed};

pub(super) const TRACES: Target = Target::new("traces", traces, 60_000).seeds(trace_seeds);

pub(super) const RECORDS: Target = Target::new("records", records, 60_000).seeds(record_seeds);

/// Any bytes as a trace, and what a guest might ask, as they tell.
fn traces(bytes: &[u8]) {
    if let Ok(trace) = Trace::decode(bytes) {
        assert_eq!(trace.encode(), bytes);
        assert_eq!(trace.reads().len(), trace.facts().len());
        is_read_back(&trace);
    }
    if let Ok(trace) = recorded(&mut Unstructured::new(bytes)) {
        is_read_back(&trace);
    }
}

fn is_read_back(trace: &Trace) {
    let read = Trace::decode(&trace.encode()).expect("what is written is read");
    assert_eq!(&read, trace);
    assert_eq!(read.identity(), trace.identity());
}

/// What a recorder makes of any questions and answers.
fn recorded(input: &mut Unstructured<'_>) -> Result<Trace> {
    let roots = typed::many(input, 1, typed::text)?;
    let mut recorder = TraceRecorder::new(roots.iter().map(String::as_str));
    let mut nodes: Vec<Node> = (0..roots.len()).filter_map(|place| recorder.root(place)).collect();
    while !input.is_empty() {
        let node = *input.choose(&nodes)?;
        let question = question(input, &nodes)?;
        let mut answer = answer(input)?;
        if matches!(answer, Answer::Opened(_)) && !matches!(question, Question::Open { .. }) {
            // Only what is asked to be opened is.
            answer = Answer::Refused(Refusal::Invalid);
        }
        if let Recorded::Kept(Some(opened)) = recorder.record(node, question, answer) {
            nodes.push(opened);
        }
    }
    Ok(recorder.into_trace())
}

fn question(input: &mut Unstructured<'_>, nodes: &[Node]) -> Result<Question> {
    let path = typed::text(input)?.into_boxed_str();
    Ok(match input.int_in_range(0..=8)? {
        0 => Question::Open { path, follow: input.arbitrary()?, directory: input.arbitrary()? },
        1 => Question::Metadata,
        2 => Question::MetadataAt { path, follow: input.arbitrary()? },
        3 => Question::Link { path },
        4 => Question::Hash,
        5 => Question::HashAt { path, follow: input.arbitrary()? },
        6 => Question::SameAs { other: *input.choose(nodes)? },
        7 => Question::Entries,
        _ => Question::Content { start: input.arbitrary()?, len: input.arbitrary::<u32>()?.into() },
    })
}

fn answer(input: &mut Unstructured<'_>) -> Result<Answer> {
    Ok(match input.int_in_range(0..=7)? {
        0 => Answer::Refused(*input.choose(&[Refusal::NoEntry, Refusal::Loop, Refusal::Overflow])?),
        1 => Answer::Opened(kind(input)?),
        2 => Answer::Metadata(FileMetadata {
            kind: kind(input)?,
            links: input.arbitrary()?,
            size: input.arbitrary()?,
            modified: input.arbitrary::<bool>()?.then(|| moment(input)).transpose()?,
            changed: input.arbitrary::<bool>()?.then(|| moment(input)).transpose()?,
        }),
        3 => Answer::Link(typed::text(input)?.into()),
        4 => Answer::Hash { lower: input.arbitrary()?, upper: input.arbitrary()? },
        5 => Answer::Same(input.arbitrary()?),
        6 => Answer::Entries {
            entries: typed::many(input, 0, |input| {
                Ok(DirEntry { name: typed::text(input)?.into(), kind: kind(input)? })
            })?,
            unreadable: input.arbitrary()?,
        },
        _ => Answer::Content { digest: Digest::from_bytes(input.arbitrary()?), end: input.arbitrary()? },
    })
}

fn kind(input: &mut Unstructured<'_>) -> Result<FileKind> {
    input.choose(&[FileKind::File, FileKind::Directory, FileKind::Link, FileKind::Other]).copied()
}

fn moment(input: &mut Unstructured<'_>) -> Result<Moment> {
    Ok(Moment { seconds: input.arbitrary()?, nanos: input.int_in_range(0..=999_999_999)? })
}

/// Encodings of traces, so that there is something to damage.
fn trace_seeds() -> Vec<Vec<u8>> {
    let seed = |first: u8| {
        let bytes: Vec<u8> = (0..=255_u8).map(|place| place.wrapping_mul(first) >> (first % 3)).collect();
        Some(recorded(&mut Unstructured::new(&bytes)).ok()?.encode())
    };
    (1..40).filter_map(seed).filter(|seed| seed.len() < 4096).collect()
}

/// All entries here stand under this key.
const KEY: CacheKey = CacheKey::from_bytes([7; 32]);

/// What stands before the content of a record: what it begins with, and a digest.
const HEAD_BYTES: usize = 16 + 32;

/// Any bytes as the content of a record, under its right digest, and any entry, as they tell.
fn records(bytes: &[u8]) {
    assert!(CacheRecord::read(bytes, &KEY).is_err(), "a digest is not met by chance");
    is_refused_or_a_record(&sealed(bytes));
    if let Ok(entry) = entry(&mut Unstructured::new(bytes)) {
        let (record, beside) = entry.to_record(&KEY);
        let read = CacheRecord::read(&record, &KEY).expect("what is written is read");
        assert_eq!((read.beside(), read.value_bytes()), (beside, entry.value.len() as u64));
        let read = read.with_value(entry.value.to_vec()).expect("the value is the right one");
        assert_eq!(read.complete(), Some(entry));
    }
}

fn is_refused_or_a_record(bytes: &[u8]) {
    let Ok(record) = CacheRecord::read(bytes, &KEY) else { return };
    assert!(record.value_bytes() >= record.entry().value.len() as u64);
    if let Some(entry) = record.complete() {
        let (again, beside) = entry.to_record(&KEY);
        assert_eq!((again.as_slice(), beside), (bytes, None), "a record has one form");
    }
}

/// A record with this content.
fn sealed(content: &[u8]) -> Vec<u8> {
    let (intact, _) = plain().to_record(&KEY);
    [&intact[..HEAD_BYTES - 32], Digest::of(content).as_bytes(), content].concat()
}

fn plain() -> CacheEntry {
    CacheEntry {
        value: [1, 2, 41].into(),
        producer: RunId::from_bytes([9; 16]),
        created: Timestamp::from_unix_nanos(1),
        took: Duration::from_millis(250),
        task: "sha256:00#add".into(),
        recipe: None,
        origin: None,
        depends_on: None,
    }
}

fn entry(input: &mut Unstructured<'_>) -> Result<CacheEntry> {
    let is_long: bool = input.arbitrary()?;
    let byte = input.arbitrary()?;
    Ok(CacheEntry {
        value: if is_long {
            vec![byte; 16 * 1024 + 1].into()
        } else {
            vec![byte; input.int_in_range(0..=9)?].into()
        },
        producer: RunId::from_bytes(input.arbitrary()?),
        created: Timestamp::from_unix_nanos(input.arbitrary()?),
        took: Duration::from_nanos(input.arbitrary()?),
        task: typed::text(input)?.into(),
        recipe: input.arbitrary::<bool>()?.then(|| typed::text(input)).transpose()?.map(Into::into),
        origin: input.arbitrary::<bool>()?.then(|| typed::text(input)).transpose()?.map(Into::into),
        depends_on: input.arbitrary::<bool>()?.then(|| dependencies(input)).transpose()?,
    })
}

fn dependencies(input: &mut Unstructured<'_>) -> Result<Dependencies> {
    let bytes = typed::many(input, 0, |input| input.arbitrary())?;
    Ok(Dependencies { identity: Digest::from_bytes(input.arbitrary()?), bytes: bytes.into() })
}

fn record_seeds() -> Vec<Vec<u8>> {
    let depends = Some(Dependencies { identity: Digest::of(b""), bytes: [1, 2, 3].into() });
    let entries = [
        plain(),
        CacheEntry { recipe: Some("{}".into()), depends_on: depends, ..plain() },
        CacheEntry { value: vec![5; 16 * 1024 + 1].into(), ..plain() },
    ];
    let content = |entry: &CacheEntry| entry.to_record(&KEY).0[HEAD_BYTES..].to_vec();
    entries.iter().map(content).collect()
}
