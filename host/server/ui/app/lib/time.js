// Instants and durations for people.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Milliseconds as a short text: `3 ms`, `1.25 s`, `2 m 05 s`, `3 h 10 m`, `2 d 4 h`. */
export function duration(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "";
  const abs = Math.max(0, ms);
  if (abs === 0) return "0 ms";
  if (abs < 0.995) return `${abs < 0.0095 ? "<0.01" : abs.toFixed(2)} ms`;
  if (abs < 9.95) return `${abs.toFixed(1)} ms`;
  if (abs < SECOND - 0.5) return `${Math.round(abs)} ms`;
  if (abs < 59_950) return `${(abs / SECOND).toFixed(abs < 9_995 ? 2 : 1)} s`;
  const two = (value) => String(value).padStart(2, "0");
  const seconds = Math.round(abs / SECOND);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  const minutes = Math.round(abs / MINUTE);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`;
  const hours = Math.round(abs / HOUR);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** The distance between two instants in one unit: `12 s ago`, `in 3 m`. */
export function distance(at, now) {
  const ms = new Date(at).getTime() - now;
  const abs = Math.abs(ms);
  const [unit, size] =
    abs < MINUTE ? ["s", SECOND] : abs < HOUR ? ["m", MINUTE] : abs < 2 * DAY ? ["h", HOUR] : ["d", DAY];
  const count = Math.floor(abs / size);
  if (count === 0) return ms > 0 ? "soon" : "now";
  return ms > 0 ? `in ${count} ${unit}` : `${count} ${unit} ago`;
}

/** An instant as a clock shows it: `14:09:32` today, `29 Nov 14:09` this year, `2025-11-29 14:09` else. */
export function clock(at, { utc = false, now = Date.now(), millis = false } = {}) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  const of = parts(date, utc);
  const today = parts(new Date(now), utc);
  const time = `${of.hour}:${of.minute}:${of.second}${millis ? `.${of.millis}` : ""}`;
  if (of.year === today.year && of.month === today.month && of.day === today.day) return time;
  if (of.year === today.year) return `${Number(of.day)} ${MONTHS[Number(of.month) - 1]} ${time.slice(0, millis ? 12 : 5)}`;
  return `${of.year}-${of.month}-${of.day} ${time.slice(0, 5)}`;
}

/** An instant in full, with its zone. */
export function full(at, { utc = false } = {}) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  const of = parts(date, utc);
  const zone = utc ? "UTC" : offset(date);
  return `${of.year}-${of.month}-${of.day} ${of.hour}:${of.minute}:${of.second}.${of.millis} ${zone}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function parts(date, utc) {
  const local = utc ? date : new Date(date.getTime() - date.getTimezoneOffset() * MINUTE);
  const text = local.toISOString();
  return {
    year: text.slice(0, 4),
    month: text.slice(5, 7),
    day: text.slice(8, 10),
    hour: text.slice(11, 13),
    minute: text.slice(14, 16),
    second: text.slice(17, 19),
    millis: text.slice(20, 23),
  };
}

function offset(date) {
  const minutes = -date.getTimezoneOffset();
  const abs = Math.abs(minutes);
  const two = (value) => String(value).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(abs / 60))}:${two(abs % 60)}`;
}

/** Bytes in binary units: `96 B`, `1.4 KiB`, `23 MiB`. */
export function bytes(count) {
  const value = Number(count);
  if (value < 1024) return `${value} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(Math.floor(Math.log2(value) / 10), units.length);
  const scaled = value / 1024 ** power;
  return `${scaled < 9.95 ? scaled.toFixed(1) : Math.round(scaled)} ${units[power - 1]}`;
}

/** A number with thin spaces between groups of three. */
export const count = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, "\u2009");

/** The value below which this share of the values is (nearest rank). `sorted` has at least one. */
export const percentile = (sorted, share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];

/**
 * How long the last attempts of these runs took: `{n, p50, p95}` in ms, or `null` if none of them was executed to its end.
 * @param {Schemas["RunHead"][]} runs
 */
export function spread(runs) {
  const took = runs.flatMap(({ started, ended }) => (started && ended ? [Math.max(0, Date.parse(ended) - Date.parse(started))] : []));
  if (!took.length) return null;
  took.sort((a, b) => a - b);
  return { n: took.length, p50: percentile(took, 0.5), p95: percentile(took, 0.95) };
}
