// A task: its signature, and the form that runs it with what its function really takes.

import { may, part, request, send, withQuery } from "../lib/api.js";
import { curl, runCommand, taskName, taskRef } from "../lib/text.js";
import { fromJson, parseJson, pastedItems, toJson } from "../lib/form.js";
import { loadTasks, names, useResource } from "../lib/resource.js";
import { go, href } from "../lib/router.js";
import { count, duration, spread } from "../lib/time.js";
import { html, useEffect, useMemo, useRef, useState } from "../lib/view.js";
import { Command, Loading, Panel, Text, Trouble } from "../parts/basics.js";
import { Field, JsonForm, OPTIONS, RunOptions, WaveForm, key, optionsOf } from "../parts/field.js";
import { Icon } from "../parts/icon.js";

/** How long the check waits for the next letter, in ms. */
const TYPING = 400;
/** Arguments are in the address up to so many characters. */
const IN_ADDRESS = 1500;
/** Up to so many bytes of rows are one JSON body; more are sent as JSON Lines. */
const ONE_BODY = 500_000;

function initial(params, args) {
  const given = Array.isArray(args) ? Object.fromEntries(params.map((param, at) => [param.name, args[at]])) : (args ?? {});
  return Object.fromEntries(params.map(({ name, type }) => [name, fromJson(type, given[name])]));
}

/** The arguments of the draft, and the problems by path. */
function read(params, draft, except) {
  const problems = [];
  const pairs = params.filter((param) => param.name !== except).map(({ name, type }) => [name, toJson(type, draft[name], [name], problems)]);
  return { args: Object.fromEntries(pairs), problems };
}

/** Arguments as the server answers them, by name. */
const byName = (args) => Object.fromEntries(args.map(({ name, value }) => [name, value]));

/** The members of an object without one of them. */
const without = (members, name) => Object.fromEntries(Object.entries(members).filter(([other]) => other !== name));

/** The forms of one value. */
const HOWS = [["form", "Form"], ["wave", "WAVE"], ["json", "JSON"]];

const byPath = (problems) => new Map(problems.map(({ path, message }) => [key(path), message]));

/** Has the server check arguments, a moment after the last letter. `body` is JSON, or `null`. */
function useCheck(task, body) {
  const [checked, setChecked] = useState(null);
  useEffect(() => {
    setChecked(null);
    if (body === null) return undefined;
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      try {
        setChecked({ of: body, ok: await check(task, body, stop.signal) });
      } catch (error) {
        if (error.name !== "AbortError") setChecked({ of: body, error });
      }
    }, TYPING);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [body, task]);
  return checked?.of === body ? checked : null;
}

const check = (task, body, signal) => send("POST", `/tasks/${part(task)}/check`, body, { signal });

/** The type of the values to map over; rows have none. */
const typeOf = (params, over) => params.find((param) => param.name === over)?.type;

function Over({ params, over, setOver, rows, setRows }) {
  const found = rows.trim() ? pastedItems(rows, typeOf(params, over)).length : 0;
  return html`<div class="field">
    <label class="label" for="over">Map over</label>
    <div class="row"><select id="over" value=${over} onChange=${(event) => setOver(event.target.value)}>
      <option value="">nothing: one run</option>
      ${params.map((param) => html`<option value=${param.name}>${param.name}: a run for each value</option>`)}
      ${params.length ? html`<option value="*">all parameters: a run for each row</option>` : null}
    </select></div>
    ${over
      ? html`<textarea class="mono" rows="6" aria-label="Values to map over" value=${rows} onInput=${(event) => setRows(event.target.value)} spellcheck="false"
            placeholder=${over === "*" ? 'One row a line: {"a": 1, "b": 2}' : "One value a line, or a JSON array"}></textarea>
          <label class="muted row">or a file of JSON Lines <input type="file" aria-label="File of values" onChange=${async (event) => event.target.files[0] && setRows(await event.target.files[0].text())} /></label>
          <span class="muted">${found} ${found === 1 ? "run" : "runs"}</span>`
      : null}
  </div>`;
}

/** Sends a map: as one body, or as lines if that is long. */
async function sendMap(body, rows) {
  const text = JSON.stringify({ ...body, rows });
  if (text.length < ONE_BODY) return send("POST", "/maps", text);
  const lines = [body, ...rows].map((row) => JSON.stringify(row)).join("\n");
  return (await request("POST", "/maps", { body: lines, type: "application/jsonl" })).json();
}

function Form({ task, detail, args, from }) {
  const { params } = detail;
  const [draft, setDraft] = useState(() => initial(params, args));
  const [how, setHow] = useState("form");
  const [over, setOver] = useState("");
  const [rows, setRows] = useState("");
  const [options, setOptions] = useState({});
  const [isSent, setSent] = useState(false);
  const [error, setError] = useState(null);
  const touched = useRef(Boolean(args));
  const form = useRef(null);

  // WAVE texts that the server has not read yet, and those of what the draft has.
  const [unread, setUnread] = useState(/** @type {Record<string, string>} */ ({}));
  const [texts, setTexts] = useState(/** @type {Record<string, string>} */ ({}));

  const { args: values, problems: all } = useMemo(() => read(params, draft, over === "*" ? undefined : over), [draft, over]);
  const problems = all.filter(({ path: [name] }) => !(name in unread));
  const isComplete = problems.length === 0 && !over;
  const isRead = Object.keys(unread).length === 0;
  const asked = { args: Object.fromEntries(Object.entries(values).filter(([name]) => !(name in unread))), ...(isRead ? {} : { wave: unread }) };
  const checked = useCheck(task, isComplete ? JSON.stringify(asked) : null);
  const found = checked?.error?.errors ?? [];
  useEffect(() => {
    if (!checked?.ok) return;
    const written = Object.fromEntries(checked.ok.args.map(({ name, wave }) => [name, wave]));
    setTexts((old) => ({ ...written, ...old, ...unread }));
    if (isRead) return;
    setDraft((old) => ({ ...old, ...initial(params.filter(({ name }) => name in unread), byName(checked.ok.args)) }));
    setUnread({});
  }, [checked]);
  const shown = touched.current || isSent ? [...(isSent ? problems : problems.filter((one) => !one.message.match(/^expected (\w+|one of the cases|one character)$/))), ...found] : [];
  const change = (name, value) => {
    touched.current = true;
    setDraft((old) => ({ ...old, [name]: value }));
    setUnread((old) => without(old, name));
    setTexts((old) => without(old, name));
  };
  const changeAll = (args) => {
    touched.current = true;
    setDraft(initial(params, args));
    setUnread({});
    setTexts({});
  };
  const changeText = (name, text) => {
    touched.current = true;
    setUnread((old) => ({ ...old, [name]: text }));
  };
  useEffect(() => {
    if (!touched.current || !isComplete || !isRead) return;
    const text = JSON.stringify(values);
    go(`/tasks/${part(task)}`, { from, args: text.length <= IN_ADDRESS ? text : undefined }, { replace: true });
  }, [values, isComplete, isRead]);

  const body = { task, ...optionsOf(options) };
  const submit = async (event) => {
    event.preventDefault();
    setSent(true);
    setError(null);
    if (problems.length && over !== "*") {
      setTimeout(() => form.current?.querySelector("[aria-invalid='true']")?.focus());
      return;
    }
    try {
      if (over) {
        if (!isRead) throw new Error(`the WAVE text of ${Object.keys(unread).join(", ")} is not a value yet: correct it, or change the field`);
        const items = pastedItems(rows, typeOf(params, over));
        const all = over === "*" ? items : items.map((value) => ({ [over]: value }));
        const map = await sendMap({ ...body, args: over === "*" ? {} : values }, all);
        go(`/maps/${map.map}`);
      } else {
        const args = isRead ? values : byName((await check(task, JSON.stringify(asked))).args);
        const run = await send("POST", "/runs", { ...body, args });
        go(`/runs/${run.run}`);
      }
    } catch (problem) {
      setError(problem);
    }
  };
  const waves = checked?.ok?.args;
  const isWave = how === "wave" && !over;

  return html`<form class="run" ref=${form} onSubmit=${submit} noValidate>
    <${Panel} title="Arguments" right=${params.length
      ? html`<span class="tabs" role="tablist" style=${{ border: 0 }}>${HOWS.filter(([one]) => one !== "wave" || !over).map(
          ([one, word]) => html`<button type="button" role="tab" aria-selected=${how === one} onClick=${() => setHow(one)} style=${{ padding: "0 8px" }}>${word}</button>`,
        )}</span>`
      : null}>
      ${params.length === 0
        ? html`<p class="muted">${detail.program ? "It is a program; its arguments are options of the command." : "The function has no parameters."}</p>`
        : how === "json"
          ? html`<${JsonForm} args=${values} onChange=${changeAll} />`
          : isWave
            ? html`<${WaveForm} params=${params} texts=${{ ...texts, ...unread }} errors=${isRead ? [] : found} onChange=${changeText} />`
            : html`<div style=${{ display: "grid", gap: "14px" }}>${params
              .filter((param) => over !== "*" && param.name !== over)
              .map((param) => html`<${Field} key=${param.name} label=${param.name} type=${param.type} draft=${draft[param.name]} onChange=${(value) => change(param.name, value)} path=${[param.name]} errors=${byPath(shown)} />`)}</div>`}
      <div style=${{ minHeight: "22px", marginTop: "10px" }} aria-live="polite">
        ${!isRead && !isWave ? html`<p class="note" data-tone="warn">The WAVE text of ${Object.keys(unread).join(", ")} is not a value${over ? "" : " yet"}. It counts until you change the field.</p>` : null}
        ${checked?.ok ? html`<span class="state" data-tone="good"><${Icon} name="check" />The arguments fit</span>` : null}
        ${checked?.error && !found.length ? html`<${Trouble} error=${checked.error} />` : null}
        ${isSent && problems.length && !over ? html`<span class="wrong" style=${{ color: "var(--bad)" }}>${problems.length === 1 ? "One value is" : `${problems.length} values are`} missing or wrong: ${problems[0].path.join(": ")}: ${problems[0].message}</span>` : null}
      </div>
    <//>
    <${Panel} title="How to run it">
      <${RunOptions} options=${options} setOptions=${setOptions} />
      <div style=${{ marginTop: "14px" }}><${Over} params=${params} over=${over} setOver=${setOver} rows=${rows} setRows=${setRows} /></div>
    <//>
    <${Trouble} error=${error} />
    ${detail.not_runnable_because ? html`<div class="note" data-tone="warn">This host cannot run it: ${detail.not_runnable_because}</div>` : null}
    <div class="actions"><button class="primary" disabled=${!may("run")}><${Icon} name="play" />${over ? "Run the map" : "Run"}</button>
      ${may("run") ? null : html`<span class="muted">This token has no scope run.</span>`}</div>
    ${waves && !over
      ? html`<div style=${{ display: "grid", gap: "6px" }}><h2>The same from the command line</h2><${Command}>${runCommand(taskRef(task, names.value), waves, commandOptions(options))}<//>
          <${Command} label="With curl">${curl(document.baseURI, "/runs", { ...body, args: values })}<//></div>`
      : null}
  </form>`;
}

const commandOptions = (options) => OPTIONS.filter(({ flag }) => flag).flatMap(({ name, flag }) => (options[name] ? [flag, options[name]] : []));

/** How many runs the times are from, at most. */
const LISTED = 100;

/** How long its newest runs took. */
function Times({ task }) {
  const { data, error } = useResource(withQuery("/runs", { task, state: "completed", limit: LISTED }));
  const times = data && spread(data.items);
  if (!data) return html`<span role=${error ? undefined : "status"} aria-label=${error ? undefined : "Loading"}> </span>`;
  const text = times ? `p50 ${duration(times.p50)}, p95 ${duration(times.p95)}` : "no completed run yet";
  return html`<span>${text}${times ? html` <span class="faint">of ${times.n === 1 ? "one completed run" : `${data.next ? "the newest " : ""}${count(times.n)} completed runs`}</span>` : null}</span>`;
}

export default function Task({ task, query }) {
  const { data: detail, error, reload } = useResource(`/tasks/${part(task)}`);
  const from = query.get("from");
  const inputs = useResource(from && may("read:values") ? `/runs/${part(from)}/inputs` : null);
  const given = useMemo(() => (query.get("args") ? parseJson(query.get("args")).value : null), [from]);
  useEffect(() => void loadTasks(), []);
  const name = taskName(task, names.value);
  if (error) return html`<div class="page"><h1 class="mono">${name}</h1><${Trouble} error=${error} retry=${reload} /></div>`;
  const isReady = detail && (!from || inputs.data || inputs.error || !may("read:values"));
  const args = given ?? inputs.data?.items.map((input) => (input.type ? input.value : undefined));
  const component = task.includes("#") ? task.slice(0, task.indexOf("#")) : task;
  return html`<div class="page">
    <div class="head"><div class="words">
      <p class="crumbs"><a href=${href("/tasks")}>Tasks</a> / <a href=${href(`/components/${component}`)}>${component.startsWith("sha256:") ? taskName(component, names.value) : component}</a></p>
      <h1><${Text}>${detail?.export ?? name}<//></h1>
      <p class="mono muted" style=${{ overflowWrap: "anywhere" }}>${detail ? detail.signature : " "}</p>
      ${detail?.docs ? html`<p style=${{ whiteSpace: "pre-wrap" }}><${Text}>${detail.docs}<//></p>` : null}
      <p class="sub" style=${{ minHeight: "18px" }}>${detail ? html`<${Times} task=${detail.task} />` : null}${detail?.capabilities.length ? html`<span>may ask for ${detail.capabilities.join(", ")}</span>` : null}</p>
    </div>
    <div class="actions">${detail ? html`<a class="button" href=${href("/runs", { q: `task:${detail.task}` })}>Its runs</a>` : null}</div></div>
    ${from && isReady ? html`<p class="note" data-tone="wait">With the inputs of <a class="mono" href=${href(`/runs/${from}`)}>${from}</a>. Change them, or run it as it was.</p>` : null}
    ${isReady ? html`<${Form} key=${from ?? ""} task=${task} detail=${detail} args=${args} from=${from ?? undefined} />` : html`<${Loading} rows=${5} />`}
  </div>`;
}
