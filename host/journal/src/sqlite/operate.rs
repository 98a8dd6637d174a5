//! The operations of the writer on runs that are stored: each loads an entry, calls its rule, and stores the result.

use std::sync::Arc;
use std::time::Duration;

use hostel_core::journal::{
    Append, Applied, Cancellation, ClaimRequest, ExpireRequest, Expired, Expiry, Fence, Gap, JournalConflict,
    JournalEntry, JournalError, LeaseEnds, MAX_EXPIRED, MAX_PRUNED, Prune, Pruned, Submitted,
};
use hostel_core::{Amendment, RunId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::blobs::Spilled;
use super::due::{self, Candidate, Solo};
use super::gates::{self, Gates};
use super::names::Kind;
use super::row::{self, Loaded, exact, sortable, time};
use super::submit::{self, Prepared};
use super::writing::Writing;
use crate::error::Fault;

/// The most runs that one transaction examines for a claim, so that no transaction is long.
const MAX_EXAMINED: usize = 2_000;

/// Marks the runs of a schedule before one as seen.
fn mark_recovered(writing: &mut Writing<'_>, seq: i64, schedule: &str) -> Result<(), Fault> {
    let Some(schedule) = writing.names.find(writing.db, Kind::Schedule, schedule)? else { return Ok(()) };
    let mut update = writing.db.prepare_cached(
        "UPDATE run INDEXED BY run_attention SET attention = 0, seen = 1 \
         WHERE attention = 1 AND seq < ? AND schedule = ?",
    )?;
    update.execute([seq, schedule])?;
    Ok(())
}

/// What a transaction found for a claim.
pub(super) struct Claimed {
    pub(super) entries: Vec<JournalEntry>,
    /// Whether it ended before all runs that are due were examined.
    pub(super) is_cut: bool,
}

/// Changes a run by a rule, and stores what the rule applied.
fn change<T>(
    writing: &mut Writing<'_>,
    run: RunId,
    rule: impl FnOnce(&mut JournalEntry) -> Result<(T, Vec<Applied>), JournalError>,
) -> Result<T, Fault> {
    let loaded = load(writing, run)?;
    let mut entry = loaded.entry.clone();
    let (answer, applied) = rule(&mut entry)?;
    writing.store(&loaded, &entry, &applied)?;
    Ok(answer)
}

fn load(writing: &mut Writing<'_>, run: RunId) -> Result<Loaded, Fault> {
    row::load(writing.db, writing.names, run)?.ok_or(Fault::Refused(JournalError::NotFound { run }))
}

/// `blobs` are the values that were taken out of the facts.
pub(super) fn append(writing: &mut Writing<'_>, append: &Append, blobs: &[Spilled]) -> Result<u64, Fault> {
    let loaded = load(writing, append.run)?;
    let mut entry = loaded.entry.clone();
    let applied = entry.append(append)?;
    writing.name_blobs(loaded.seq, blobs)?;
    writing.store(&loaded, &entry, &applied)?;
    if let Some(schedule) = entry.recovered_schedule() {
        mark_recovered(writing, loaded.seq, schedule)?;
    }
    Ok(entry.version())
}

pub(super) fn claim(writing: &mut Writing<'_>, request: &ClaimRequest) -> Result<Claimed, Fault> {
    let is_first = !has_leases(writing.db)?;
    let claimed = claim_due(writing, request)?;
    if is_first && !claimed.entries.is_empty() {
        set_beat(writing.db, request.now)?;
    }
    Ok(claimed)
}

/// Submits runs, and then claims.
pub(super) fn submit_and_claim(
    writing: &mut Writing<'_>,
    at: Timestamp,
    runs: &[Prepared],
    request: &ClaimRequest,
) -> Result<(Vec<Submitted>, Vec<JournalEntry>), Fault> {
    let submitted = submit::submit(writing, at, runs)?;
    match claim(writing, request) {
        Ok(claimed) => Ok((submitted, claimed.entries)),
        // The runs are written by now: so that they do not stay, the whole transaction fails.
        Err(Fault::Refused(error)) => Err(Fault::Medium(Arc::new(error))),
        Err(error) => Err(error),
    }
}

fn claim_due(writing: &mut Writing<'_>, request: &ClaimRequest) -> Result<Claimed, Fault> {
    let mut gates = Gates::load(writing.db)?;
    let mut entries: Vec<JournalEntry> = Vec::new();
    let mut examined = 0;
    loop {
        let solo = Solo::of(request, !entries.is_empty());
        let room = request.limit - entries.len();
        // Each look passes the runs that are left out again, so that there must not be many looks.
        let looked_at = if request.without.is_empty() { room } else { room.max(due::MAX_LOOKED_AT) };
        let batch = due::candidates(writing.db, writing.names, &gates, request, solo, looked_at)?;
        for candidate in &batch {
            if entries.len() == request.limit {
                break;
            }
            examined += 1;
            if candidate.is_solo && Solo::of(request, !entries.is_empty()) == Solo::Bar {
                if drains_for(writing, &gates, request, *candidate)? {
                    return Ok(Claimed { entries, is_cut: false });
                }
                continue;
            }
            entries.extend(examine(writing, &mut gates, request, candidate.seq)?);
            if entries.first().is_some_and(JournalEntry::is_solo) {
                return Ok(Claimed { entries, is_cut: false });
            }
        }
        // All that were examined are claimed or marked, so that the next ones come.
        let is_cut = examined >= MAX_EXAMINED;
        if entries.len() == request.limit || batch.len() < looked_at || is_cut {
            return Ok(Claimed { entries, is_cut });
        }
    }
}

/// A worker that is not idle meets a run that executes alone: whether it claims nothing behind it.
fn drains_for(
    writing: &mut Writing<'_>,
    gates: &Gates,
    request: &ClaimRequest,
    candidate: Candidate,
) -> Result<bool, Fault> {
    if due::drains_elsewhere(writing.db, writing.names, request, candidate)? {
        return Ok(false);
    }
    let places = gates.of_row(writing.db, writing.names, candidate.seq)?;
    if let Some(gate) = gates.closed(&places, request.now) {
        gates::park(writing.db, candidate.seq, gate)?;
        return Ok(false);
    }
    due::drain(writing.db, writing.names, request, candidate)?;
    Ok(true)
}

/// Claims a run that is due, if all its gates are open. If not, it is not examined again until the gate that is closed is open.
fn examine(
    writing: &mut Writing<'_>,
    gates: &mut Gates,
    request: &ClaimRequest,
    seq: i64,
) -> Result<Option<JournalEntry>, Fault> {
    // Before the record is read: of many runs that are kept back only the first is claimed.
    let places = gates.of_row(writing.db, writing.names, seq)?;
    if let Some(gate) = gates.closed(&places, request.now) {
        gates::park(writing.db, seq, gate)?;
        return Ok(None);
    }
    let loaded = match row::load_by_seq(writing.db, writing.names, seq) {
        Ok(Some(loaded)) => loaded,
        Ok(None) => return Ok(None),
        Err(Fault::Refused(_)) => {
            set_aside(writing, seq)?;
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let entry = claim_one(writing, &loaded, request)?;
    if entry.is_some() {
        gates.take(writing.db, seq, &places, request.now)?;
    } else {
        set_aside(writing, seq)?;
    }
    Ok(entry)
}

fn claim_one(
    writing: &mut Writing<'_>,
    loaded: &Loaded,
    request: &ClaimRequest,
) -> Result<Option<JournalEntry>, Fault> {
    let mut entry = loaded.entry.clone();
    let fence = writing.next_fence();
    let Some(applied) = entry.claim_for(request, fence) else { return Ok(None) };
    writing.store(loaded, &entry, &applied)?;
    Ok(Some(entry))
}

/// Takes a damaged run out of the queue, so that it does not stop those behind it. `fsck` reports it.
fn set_aside(writing: &Writing<'_>, seq: i64) -> Result<(), Fault> {
    writing.db.prepare_cached("UPDATE run SET ready = NULL, lease = NULL WHERE seq = ?")?.execute([seq])?;
    Ok(())
}

pub(super) fn renew(
    writing: &Writing<'_>,
    claims: &[(RunId, Fence)],
    until: Timestamp,
) -> Result<Vec<RunId>, Fault> {
    // The rule of `JournalEntry::renew`, without the record.
    let mut update = writing.db.prepare_cached(
        "UPDATE run SET lease = max(lease, ?) WHERE id = ? AND fence = ? AND lease IS NOT NULL",
    )?;
    let mut over = Vec::new();
    for (run, fence) in claims {
        let fence = fence.number().cast_signed();
        if update.execute(params![sortable(until), run.as_bytes(), fence])? == 0 {
            over.push(*run);
        }
    }
    Ok(over)
}

pub(super) fn release(
    writing: &mut Writing<'_>,
    at: Timestamp,
    run: RunId,
    fence: Fence,
) -> Result<u64, Fault> {
    change(writing, run, |entry| {
        let applied = entry.release(at, fence)?;
        Ok((entry.version(), applied.into_iter().collect()))
    })
}

/// Whether a run is claimed.
pub(super) fn has_leases(db: &Connection) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM run INDEXED BY run_lease WHERE lease IS NOT NULL LIMIT 1")?.exists([])
}

/// When the leases of all claims end.
pub(super) fn lease_ends(db: &Connection) -> rusqlite::Result<Option<LeaseEnds>> {
    // Apart, so that each looks at one end of the index.
    let end = |order: &str| {
        let query = format!(
            "SELECT lease FROM run INDEXED BY run_lease WHERE lease IS NOT NULL ORDER BY lease {order} LIMIT 1"
        );
        db.prepare_cached(&query)?.query_row([], |row| row.get(0)).optional()
    };
    let (first, last) = (end("ASC")?, end("DESC")?);
    Ok(first.zip(last).map(|(first, last)| LeaseEnds { first: time(first), last: time(last) }))
}

fn set_beat(db: &Connection, at: Timestamp) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE counter SET beat = ?")?.execute([exact(at)])?;
    Ok(())
}

pub(super) fn expire(writing: &mut Writing<'_>, request: &ExpireRequest) -> Result<Expiry, Fault> {
    let beat = writing.db.prepare_cached("SELECT beat FROM counter")?.query_row([], |row| row.get(0))?;
    if let Some(gap) = request.gap(time(beat)) {
        outlast(writing.db, request, gap)?;
    }
    set_beat(writing.db, request.now)?;
    let mut query = writing.db.prepare_cached(
        "SELECT seq FROM run INDEXED BY run_lease WHERE lease <= ? ORDER BY lease, seq LIMIT ?",
    )?;
    // One more than are ended, to know whether there are more.
    let mut over: Vec<i64> = query
        .query_map([sortable(request.now), MAX_EXPIRED as i64 + 1], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let more = over.len() > MAX_EXPIRED;
    over.truncate(MAX_EXPIRED);
    Ok(Expiry { runs: expire_each(writing, &over, request.now)?, more })
}

/// The rule of `JournalEntry::outlast` for all claims, without the records.
fn outlast(db: &Connection, request: &ExpireRequest, gap: Gap) -> Result<(), Fault> {
    let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    let (update, values) = match gap {
        Gap::Stall(stall) => (
            "UPDATE run INDEXED BY run_lease SET lease = max(lease, min(lease, ?1 - ?2) + ?2) WHERE lease IS NOT NULL",
            [sortable(request.now.after(request.lease)), nanos(stall)],
        ),
        Gap::PutBack { by, since } => (
            "UPDATE run INDEXED BY run_lease SET lease = lease - ?2 WHERE lease > ?1",
            [sortable(since), nanos(by)],
        ),
    };
    db.prepare_cached(update)?.execute(values)?;
    Ok(())
}

fn expire_each(writing: &mut Writing<'_>, over: &[i64], now: Timestamp) -> Result<Vec<Expired>, Fault> {
    let mut expired = Vec::new();
    for &seq in over {
        let loaded = match row::load_by_seq(writing.db, writing.names, seq) {
            Ok(Some(loaded)) => loaded,
            Ok(None) => continue,
            Err(Fault::Refused(_)) => {
                set_aside(writing, seq)?;
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut entry = loaded.entry.clone();
        if let Some((lost, applied)) = entry.expire(now) {
            writing.store(&loaded, &entry, applied.as_slice())?;
            expired.push(lost);
        }
    }
    Ok(expired)
}

pub(super) fn cancel(writing: &mut Writing<'_>, at: Timestamp, run: RunId) -> Result<Cancellation, Fault> {
    change(writing, run, |entry| {
        let (answer, applied) = entry.cancel(at);
        Ok((answer, applied.into_iter().collect()))
    })
}

pub(super) fn retry(writing: &mut Writing<'_>, at: Timestamp, run: RunId) -> Result<u64, Fault> {
    let loaded = load(writing, run)?;
    let holder = submit::holder(writing, loaded.entry.record().spec())?.map(|holder| holder.entry.run());
    let mut entry = loaded.entry.clone();
    let applied = entry.retry(at, holder)?;
    writing.store(&loaded, &entry, &[applied])?;
    Ok(entry.version())
}

pub(super) fn retry_without_grants(
    writing: &mut Writing<'_>,
    at: Timestamp,
    run: RunId,
) -> Result<u64, Fault> {
    load(writing, run)?.entry.refuse_grants()?;
    retry(writing, at, run)
}

pub(super) fn amend(
    writing: &mut Writing<'_>,
    at: Timestamp,
    run: RunId,
    amendment: &Amendment,
) -> Result<u64, Fault> {
    let loaded = load(writing, run)?;
    let mut spec = loaded.entry.record().spec().clone();
    spec.queue = amendment.queue.clone().unwrap_or(spec.queue);
    let holder = submit::holder(writing, &spec)?.map(|holder| holder.entry.run());
    let mut entry = loaded.entry.clone();
    let applied = entry.amend(at, amendment, holder)?;
    writing.store(&loaded, &entry, &applied)?;
    writing.place(loaded.seq, entry.record().spec())?;
    Ok(entry.version())
}

pub(super) fn mark_seen(writing: &mut Writing<'_>, run: RunId) -> Result<(), Fault> {
    change(writing, run, |entry| {
        entry.mark_seen();
        Ok(((), Vec::new()))
    })
}

pub(super) fn remove(writing: &mut Writing<'_>, run: RunId) -> Result<(), Fault> {
    // Without the record, so that a damaged run can be removed too.
    let mut query = writing.db.prepare_cached("SELECT seq, state FROM run WHERE id = ?")?;
    let row = query.query_row([run.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (seq, state) = row.ok_or(Fault::Refused(JournalError::NotFound { run }))?;
    match row::state(state) {
        Some(state) if !state.is_terminal() => Err(JournalConflict::Unfinished { run, state }.into()),
        Some(_) | None => writing.remove(seq),
    }
}

pub(super) fn prune(writing: &mut Writing<'_>, prune: Prune) -> Result<Pruned, Fault> {
    let excess = match prune.keep {
        Some(keep) => writing.ended()?.saturating_sub(keep),
        None => 0,
    };
    let before = prune.ended_before.map_or(0, |before| before.unix_nanos());
    let mut query = writing.db.prepare_cached(
        "SELECT seq, ended FROM run INDEXED BY run_ended WHERE ended IS NOT NULL ORDER BY ended, seq LIMIT ?",
    )?;
    // One more than is removed, to know whether there are more.
    let first: Vec<(i64, i64)> = query
        .query_map([MAX_PRUNED as i64 + 1], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let gone = first
        .iter()
        .zip(0..)
        .take_while(|((_, ended), place)| *place < excess || ended.cast_unsigned() < before);
    let gone: Vec<i64> = gone.map(|((seq, _), _)| *seq).collect();
    for seq in gone.iter().take(MAX_PRUNED) {
        writing.remove(*seq)?;
    }
    Ok(Pruned { runs: gone.len().min(MAX_PRUNED) as u64, more: gone.len() > MAX_PRUNED })
}
