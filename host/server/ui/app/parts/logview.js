// The log of a run. Only the lines in view are in the page.

import { pieces, plain, showText } from "../lib/text.js";
import { live } from "../lib/events.js";
import { MOST, firstError, useLog, wholeLog } from "../lib/logs.js";
import { href, setQuery } from "../lib/router.js";
import { clock } from "../lib/time.js";
import { cx, html, useEffect, useLayoutEffect, useRef, useState } from "../lib/view.js";
import { Copy, Loading, Trouble, attempt, toast, utc } from "./basics.js";
import { Icon } from "./icon.js";
import { download } from "./value.js";

/** The height of a line in pixels, as in the style sheet. */
const LINE = 20;
/** Lines above and below the view that are there, too. */
const AROUND = 20;
/** The most characters of a line in the list; the whole line is shown below when it is chosen. */
const SHOWN = 1000;
/** The most characters of a chosen line. */
const WHOLE = 100_000;
/** How many lines before the line of an address are shown. */
const BEFORE = 50;
/** How long the filter waits for the next letter, in ms. */
const TYPING = 300;

function Marked({ text, find }) {
  const at = find ? text.indexOf(find) : -1;
  if (at < 0) return showText(text);
  return html`${showText(text.slice(0, at))}<mark>${showText(find)}</mark>${showText(text.slice(at + find.length))}`;
}

function Line({ run, line, at, isHere, find, onChoose }) {
  const text = line.text.length > SHOWN ? `${line.text.slice(0, SHOWN)} …` : line.text;
  return html`<div class=${cx("line", isHere && "here")} data-level=${line.level} style=${{ top: `${at * LINE}px` }}>
    <a class="no" href=${href(`/runs/${run}/logs`, { line: line.line })} onClick=${(event) => (event.preventDefault(), event.stopPropagation(), onChoose(line.line))} aria-label="Line ${line.line}">${line.line}</a>
    <span class="at">${clock(line.at, { utc: utc.value, millis: true, now: Date.parse(line.at) })}</span><span class="lv">${line.stream === "log" || line.stream === "host" ? line.level : line.stream}</span>
    <span class="tx">${pieces(text.replaceAll("\n", "⏎")).map((piece) => html`<span data-tone=${piece.tone} style=${piece.tone || piece.bold ? { color: piece.tone && "var(--tone)", fontWeight: piece.bold && 650 } : undefined}><${Marked} text=${piece.text} find=${find} /></span>`)}${Object.entries(line.fields ?? {}).map(([name, value]) => html`<span class="faint"> ${showText(name)}=${showText(value)}</span>`)}</span>
  </div>`;
}

function useView(count) {
  const box = useRef(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const measure = () => {
    if (box.current) setView({ top: box.current.scrollTop, height: box.current.clientHeight });
  };
  useLayoutEffect(() => {
    measure();
    const observer = new ResizeObserver(measure);
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, [count > 0]);
  const first = Math.max(0, Math.floor(view.top / LINE) - AROUND);
  const last = Math.min(count, Math.ceil((view.top + view.height) / LINE) + AROUND);
  return { box, measure, first, last, isAtEnd: view.top + view.height >= count * LINE - LINE };
}


export function LogView({ run, isOver, query, attempts }) {
  const line = query.get("line") === null ? null : Number(query.get("line"));
  const [typed, setTyped] = useState("");
  const [filter, setFilter] = useState(/** @type {LogFilter} */ ({}));
  const [follows, setFollows] = useState(!isOver && line === null);
  const [start, setStart] = useState(line === null ? 0 : Math.max(0, line - BEFORE));
  useEffect(() => {
    if (line !== null && (line < start || Object.keys(filter).length)) setStart(Math.max(0, line - BEFORE));
  }, [line]);
  const log = useLog(run, { from: start, filter, isOver, isLive: live.value });
  const { lines, more } = log;
  const view = useView(lines.length);
  const set = (changes) => setFilter((old) => Object.fromEntries(Object.entries({ ...old, ...changes }).filter(([, value]) => value !== "")));

  useEffect(() => {
    const timer = setTimeout(() => typed !== (filter.text ?? "") && set({ text: typed }), TYPING);
    return () => clearTimeout(timer);
  }, [typed]);
  // More lines come when the end is near, and the end stays in view while one follows.
  useEffect(() => {
    if (more && !log.isLoading && view.last >= lines.length - AROUND && lines.length < MOST) log.load();
  }, [view.last, lines.length, more]);
  useLayoutEffect(() => {
    if (follows && view.box.current) view.box.current.scrollTop = lines.length * LINE;
  }, [follows, lines.length]);
  const at = line === null ? -1 : lines.findIndex((one) => one.line === line);
  useLayoutEffect(() => {
    if (at >= 0 && view.box.current) view.box.current.scrollTop = Math.max(0, at * LINE - view.box.current.clientHeight / 3);
  }, [at >= 0, line]);

  const choose = (number) => setQuery({ line: number }, { replace: true });
  const chosen = at >= 0 ? lines[at] : null;
  const onScroll = () => {
    view.measure();
    const { scrollTop, clientHeight } = view.box.current;
    if (follows && scrollTop + clientHeight < lines.length * LINE - 2 * LINE) setFollows(false);
  };
  const toError = async () => {
    const found = await attempt(() => firstError(run));
    if (found === null) toast("no line has the level error", "wait");
    else if (found !== undefined) {
      setFilter({});
      setTyped("");
      setStart(Math.max(0, found - BEFORE));
      choose(found);
    }
  };
  const toEnd = async () => {
    await log.loadToEnd();
    if (view.box.current) view.box.current.scrollTop = view.box.current.scrollHeight;
    if (!isOver) setFollows(true);
  };
  const save = (of) => attempt(async () => download(await wholeLog(run, of, isOver), `${run}.log`));
  const isFiltered = Object.keys(filter).length > 0;

  return html`<div style=${{ display: "grid", gap: "10px" }}>
    <div class="filterbar">
      <input type="search" placeholder="Only lines with …" aria-label="Only lines with" value=${typed} onInput=${(event) => setTyped(event.target.value)} style=${{ flex: "1 1 160px", maxWidth: "300px" }} />
      <select aria-label="Level" value=${filter.level ?? ""} onChange=${(event) => set({ level: event.target.value })}>
        <option value="">All levels</option><option value="info">Info and higher</option><option value="warn">Warnings and errors</option><option value="error">Errors</option>
      </select>
      <select aria-label="Stream" value=${filter.stream ?? ""} onChange=${(event) => set({ stream: event.target.value })}>
        <option value="">All streams</option>${["stdout", "stderr", "log", "host"].map((name) => html`<option value=${name}>${name}</option>`)}
      </select>
      ${attempts > 1
        ? html`<select aria-label="Attempt" value=${filter.attempt ?? ""} onChange=${(event) => set({ attempt: event.target.value })}>
            <option value="">All attempts</option>${Array.from({ length: Math.min(attempts, 50) }, (_, index) => html`<option value=${index + 1}>Attempt ${index + 1}</option>`)}
          </select>`
        : null}
      <button type="button" onClick=${toError}>First error</button>
      <button type="button" onClick=${toEnd} aria-pressed=${follows}>${isOver ? "To the end" : follows ? "Following" : "Follow"}</button>
      <button type="button" onClick=${() => save({})}><${Icon} name="down" />All</button>
      ${isFiltered ? html`<button type="button" onClick=${() => save(filter)}><${Icon} name="down" />This view</button>` : null}
    </div>
    <${Trouble} error=${log.error} />
    ${log.isLoading
      ? html`<div class="log"><${Loading} rows=${6} /></div>`
      : lines.length === 0
        ? html`<div class="log"><div class="empty">${more ? "No line so far matches." : isFiltered ? "No line matches." : isOver ? "It has printed and logged nothing." : "Nothing printed or logged so far."}</div></div>`
        : html`<div class="log" ref=${view.box} onScroll=${onScroll} tabindex="0" role="region" aria-label="Log lines">
            <div style=${{ height: `${lines.length * LINE}px` }}>${lines.slice(view.first, view.last).map((one, index) => html`<${Line} key=${one.line} run=${run} line=${one} at=${view.first + index} isHere=${one.line === line} find=${filter.text} onChoose=${choose} />`)}</div>
          </div>`}
    <p class="muted">${start > 0 ? html`From line ${start}. <button type="button" class="link" onClick=${() => (setStart(0), setQuery({ line: undefined }, { replace: true }))}>From the first line</button> · ` : null}
      <span>${lines.length} ${lines.length === 1 ? "line" : "lines"}${more ? ", and more" : ""}${isFiltered ? " that match" : ""}${lines.length >= MOST ? `: the page keeps at most ${MOST}` : ""}</span></p>
    ${chosen ? html`<div class="panel"><header><h2>Line ${chosen.line}</h2><span class="muted">attempt ${chosen.attempt}, ${chosen.stream}, ${chosen.level}</span><div class="right"><${Copy} text=${plain(chosen.text)} /></div></header>
      <div class="body"><pre class="code" style=${{ maxHeight: "320px", overflow: "auto" }} tabindex="0">${showText(plain(chosen.text.slice(0, WHOLE)))}${chosen.text.length > WHOLE ? `\n… ${chosen.text.length - WHOLE} more characters: download the log` : ""}</pre></div></div>` : null}
  </div>`;
}
