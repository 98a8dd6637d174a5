//! The limits of the server, which `/api/v1/info` names.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

/// The most bytes of a JSON body.
pub(crate) const JSON_BYTES: usize = 1 << 20;
/// The most bodies, or lines, with more than [`COLLECTED_FREE`] bytes of JSON that come in at once, and are in memory meanwhile.
pub(crate) const COLLECTED: usize = 64;
/// The most of one token.
pub(crate) const COLLECTED_EACH: usize = COLLECTED / 2;
/// The most bytes of JSON of which any number may come in at once.
pub(crate) const COLLECTED_FREE: u64 = 64 << 10;
/// The most bytes of JSON that any number of requests may have read at once.
pub(crate) const SHORT_JSON_BYTES: usize = 4 << 10;
/// The most fields that may be left out in the arguments of such a request. Each costs as much as some hundred bytes of JSON.
pub(crate) const SHORT_LEFT_OUT: usize = 4_096;
/// The same for a row of a map, which has many.
pub(crate) const ROW_LEFT_OUT: usize = 256;
/// How many more may be left out for each byte of the JSON.
pub(crate) const LEFT_OUT_PER_BYTE: usize = 2;
/// The most requests with longer JSON, or more fields that are left out, that are read at once.
pub(crate) const BODIES: usize = 2;
/// The longest time that a request waits for its turn to be read, or to read much itself.
pub(crate) const TURN_WAIT: Duration = Duration::from_secs(10);
/// How many schedules are read at once, each with its arguments.
pub(crate) const SCHEDULES_READ: usize = 8;
/// How many requests do so at once. Others wait for their turn, part by part.
pub(crate) const SCHEDULE_PARTS: usize = 2;
/// How many timelines of maps are made at once: each has the times of all rows in memory.
pub(crate) const TIMELINES: usize = 2;
/// How many pages of rows are read at once: each has the ids of all rows in memory if some were removed.
pub(crate) const GAPPED_MAPS: usize = 8;
/// How many answers about one run are made at once: a run with thousands of attempts takes some MiB.
pub(crate) const RUNS_READ: usize = 16;
/// How many changes of runs wait for the thread that writes at once: one of a run with thousands of attempts takes it tens of milliseconds.
pub(crate) const RUNS_CHANGED: usize = 8;
/// How many batches of rows of maps are stored at once: they come before single runs that are submitted later.
pub(crate) const MAP_BATCHES: usize = 2;
/// How many lists and counts look at many runs, lines or cached results at once.
pub(crate) const SCANS: usize = 4;
/// A page of tasks ends with so many bytes of signatures.
pub(crate) const TASKS_BYTES: usize = 1 << 20;
/// The most bytes of the answer to a check of arguments.
pub(crate) const CHECKED_BYTES: u64 = 4 << 20;
/// The most maps at once whose rows have long arguments in common: these are in memory while the rows come.
pub(crate) const LONG_MAPS: usize = 8;
/// The most bytes of the specs of rows that wait to be stored together, beside the last one.
pub(crate) const MAP_BATCH_BYTES: u64 = 1 << 20;
/// The most bytes of a component.
pub(crate) const COMPONENT_BYTES: u64 = 64 << 20;
/// The most bytes of an uploaded value.
pub(crate) const BLOB_BYTES: u64 = 256 << 20;
/// The most uploaded values that are stored.
pub(crate) const VALUE_FILES: usize = 10_000;
/// The most MiB of uploads that come in at once, as files without a name. How long they take is up to their clients.
pub(crate) const INCOMING_MIB: u64 = 4_096;
/// The most MiB of one token.
pub(crate) const INCOMING_EACH_MIB: u64 = INCOMING_MIB / 2;
/// The most bytes of all uploaded values.
pub(crate) const VALUE_FILES_BYTES: u64 = 16 << 30;
/// The most requests with uploaded values that are handled at once: each has its values in memory several times.
pub(crate) const BLOB_REQUESTS: usize = 1;
/// The most bytes of the stored values of a run that any number of clients may be sent at once.
pub(crate) const SMALL_VALUES_BYTES: u64 = 1 << 20;
/// The most bytes of such values from which any number of answers may be made at once. Those made of longer ones together have
/// [`LARGE_ANSWERS_MIB`] in memory.
pub(crate) const FREE_VALUES_BYTES: u64 = 1 << 10;
/// What a byte of a stored value may take in memory, unless a limit of its run allows less: a tuple in a tuple, a hundred deep, is one byte.
pub(crate) const EXPANSION: u64 = 10_000;
/// The most answers with longer values of a run at once: each has them in memory several times until the client has taken it.
pub(crate) const LARGE_ANSWERS: usize = 4;
/// The most MiB of their values as they are stored, and of their texts, all answers together; a longer one is alone. In memory a value takes several
/// times as much.
pub(crate) const LARGE_ANSWERS_MIB: u32 = 256;
/// The most bytes of the text of an answer with values.
pub(crate) const LONGEST_TEXT: u64 = 512 << 20;
/// The longest time that a request waits for its turn to read such values.
pub(crate) const LARGE_ANSWER_WAIT: Duration = Duration::from_secs(10);
/// How much of their texts one token may have, or one answer alone.
pub(crate) const LARGE_ANSWERS_EACH_MIB: u32 = LARGE_ANSWERS_MIB / 2;
/// A large answer may be ended for a token that would have no more places than the one whose client it is, if it was sent for so long, and then
/// for longer than a second for each [`SENT_PER_SECOND`].
pub(crate) const SLOW_AFTER: Duration = Duration::from_secs(5);
/// The bytes that a client takes in a second if it is not slow.
pub(crate) const SENT_PER_SECOND: u64 = 8 << 20;
/// The same for a token that has no place at all.
pub(crate) const STUCK_AFTER: Duration = Duration::from_secs(20);
/// The bytes that a client takes in a second if it is not stuck.
pub(crate) const STUCK_PER_SECOND: u64 = 512 << 10;
/// The most values that submissions look up in the cache at once; each is in memory then. A run beyond them is left to a worker.
pub(crate) const LOOK_UPS: usize = 64;
/// The most bytes of such a value, with the list of the files that it depends on, and of the inputs of its run. Longer ones are left to a worker.
pub(crate) const LOOK_UP_BYTES: u64 = 64 << 10;
/// The longest time in which a submission checks the files that a cached value depends on. What takes longer is left to a worker.
pub(crate) const LOOK_UP_TIME: Duration = Duration::from_millis(50);
/// The most bytes of the head of a request.
pub(crate) const HEAD_BYTES: usize = 16 << 10;
/// The most headers of a request.
pub(crate) const HEADERS: usize = 100;
/// The longest time for the head of a request.
pub(crate) const HEAD_TIME: Duration = Duration::from_secs(10);
/// The longest time that the server waits for the next part of a body.
pub(crate) const CHUNK_TIME: Duration = Duration::from_secs(60);
/// The time for a body beside that for its bytes: one that comes more slowly than [`BODY_RATE`] ends the request after it.
/// Only time counts in which the server waits.
pub(crate) const BODY_TIME: Duration = Duration::from_secs(60);
/// The fewest bytes of a body in a second, on average.
pub(crate) const BODY_RATE: u64 = 16 << 10;
/// The longest time that a client may leave an answer untaken.
pub(crate) const WRITE_TIME: Duration = Duration::from_secs(60);
/// The most connections at once.
pub(crate) const CONNECTIONS: usize = 512;
/// The most event streams and followed logs at once.
pub(crate) const STREAMS: usize = 64;
/// The most of one token.
pub(crate) const STREAMS_EACH: usize = STREAMS / 2;
/// The most items of one page of a list.
pub(crate) const LIST: usize = 500;
/// The items of a page if no number is given.
pub(crate) const LIST_DEFAULT: usize = 100;
/// The longest `wait`.
pub(crate) const WAIT: Duration = Duration::from_secs(60);
/// The most rows of a map.
pub(crate) const MAP_ROWS: u64 = 1_000_000;
/// The rows of a map that are stored in one transaction.
pub(crate) const MAP_BATCH: usize = 500;
/// The most rows of a timeline that are not packed into lanes.
pub(crate) const TIMELINE_ROWS: usize = 200_000;
/// The largest number of a line, an event or a millisecond that a request may name: all up to it are exact in JavaScript.
pub(crate) const LARGEST: u64 = 1 << 53;
/// The most lanes of a timeline.
pub(crate) const LANES: usize = 256;
/// The most runs that are counted one by one. Counting ends earlier where a page of the journal does because many runs did not match.
pub(crate) const SCANNED: u64 = 200_000;
/// The most components that are checked and compiled at once; each is in memory then.
pub(crate) const UPLOADS: usize = 2;
/// The most calls of the journal and the registry at once.
pub(crate) const BLOCKING: usize = 64;
/// The most runs and requests that have ended and wait for the collector of traces.
pub(crate) const SPANS: usize = 10_000;
/// The longest time that the end of a server takes for the last spans.
pub(crate) const LAST_SPANS: Duration = Duration::from_secs(5);
/// Compiled components that are kept at hand.
pub(crate) const LOADED: usize = 64;
/// Scripts that are kept at hand, with their source.
pub(crate) const SCRIPTS: usize = 64;
/// How many components have their WIT in memory.
pub(crate) const WITS: usize = 64;
/// The most bytes of such a text. A longer one is written for each request.
pub(crate) const WIT_BYTES: usize = 256 << 10;
/// The most tokens.
pub(crate) const TOKENS: usize = 1_000;
/// The most scopes of a token that are for some runs only.
pub(crate) const RESTRICTED: usize = 32;
/// How many runs a token may submit in a second, on an address that is no loopback.
pub(crate) const SUBMITS_PER_SECOND: u32 = 100;
/// How many components a token may upload in a minute, on an address that is no loopback.
pub(crate) const UPLOADS_PER_MINUTE: u32 = 20;
/// How long a login code is valid.
pub(crate) const LOGIN_TIME: Duration = Duration::from_secs(600);
/// The most characters of the reason of a pause.
pub(crate) const REASON_CHARS: usize = 1_000;
/// How far a run may be delayed: ten years. A time beyond it is a mistake.
pub(crate) const FARTHEST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// The limits of the server.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Limits)]
pub(crate) struct LimitsObject {
    /// The most bytes of a JSON body, and of a line of JSON Lines.
    json_bytes: usize,
    /// The most bytes of a component.
    component_bytes: u64,
    /// The most bytes of an uploaded value.
    blob_bytes: u64,
    /// The most answers at once with values of a run that have more than 1 MiB together, as they are stored or as text.
    large_answers: usize,
    /// The most bytes of these values as they are stored and as text, all answers together; longer ones are answered one by one.
    large_answers_bytes: u64,
    /// The most of them of one token, or one answer alone.
    token_large_answers_bytes: u64,
    /// The most bytes of uploads that come in at once.
    incoming_bytes: u64,
    /// The most of one token.
    token_incoming_bytes: u64,
    /// The most bodies, or lines of one, with more than 64 KiB of JSON that come in at once.
    long_bodies: usize,
    /// The most of one token.
    token_long_bodies: usize,
    /// The most bytes of the head of a request.
    head_bytes: usize,
    /// The longest time for the head of a request.
    head_ms: u64,
    /// The longest time between two parts of a body.
    chunk_ms: u64,
    /// The time for a body beside that for its bytes.
    body_ms: u64,
    /// The fewest bytes of a body in a second, on average.
    body_bytes_per_second: u64,
    /// The most connections at once.
    connections: usize,
    /// The most event streams and followed logs at once.
    streams: usize,
    /// The most of one token.
    token_streams: usize,
    /// The most items of one page of a list.
    list: usize,
    /// The longest `wait`.
    wait_ms: u64,
    /// The most rows of a map.
    map_rows: u64,
    /// How many runs a token may submit in a second; `null` for no limit, as on a loopback address.
    submits_per_second: Option<u32>,
    /// How many components a token may upload in a minute; `null` for no limit, as on a loopback address.
    uploads_per_minute: Option<u32>,
}

impl LimitsObject {
    /// The limits of a server with so many connections that limits the rates of tokens, or does not.
    pub(crate) fn new(connections: usize, has_rates: bool) -> Self {
        Self {
            json_bytes: JSON_BYTES,
            component_bytes: COMPONENT_BYTES,
            blob_bytes: BLOB_BYTES,
            large_answers: LARGE_ANSWERS,
            large_answers_bytes: u64::from(LARGE_ANSWERS_MIB) << 20,
            token_large_answers_bytes: u64::from(LARGE_ANSWERS_EACH_MIB) << 20,
            incoming_bytes: INCOMING_MIB << 20,
            token_incoming_bytes: INCOMING_EACH_MIB << 20,
            long_bodies: COLLECTED,
            token_long_bodies: COLLECTED_EACH,
            head_bytes: HEAD_BYTES,
            head_ms: millis(HEAD_TIME),
            chunk_ms: millis(CHUNK_TIME),
            body_ms: millis(BODY_TIME),
            body_bytes_per_second: BODY_RATE,
            connections,
            streams: STREAMS,
            token_streams: STREAMS_EACH,
            list: LIST,
            wait_ms: millis(WAIT),
            map_rows: MAP_ROWS,
            submits_per_second: has_rates.then_some(SUBMITS_PER_SECOND),
            uploads_per_minute: has_rates.then_some(UPLOADS_PER_MINUTE),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
