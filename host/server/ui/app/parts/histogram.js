// Runs over time, stacked by how they went. Drag to choose a time; the table is for screen readers.

import { GROUPS, byGroup } from "../lib/states.js";
import { clock, count } from "../lib/time.js";
import { html, useEffect, useLater, useRef, useState } from "../lib/view.js";
import { systemTheme, theme, utc } from "./basics.js";

/** The colours of tones in the present theme, all at once, because each question has styles computed. */
export function colours(element, tones) {
  const probes = tones.map((tone) => {
    const probe = document.createElement("i");
    probe.dataset.tone = tone;
    probe.style.color = "var(--tone)";
    return probe;
  });
  element.append(...probes);
  const found = probes.map((probe) => getComputedStyle(probe).color);
  probes.forEach((probe) => probe.remove());
  return found;
}

/** All intervals between two times, also those without runs. */
export function fill(counts) {
  const each = counts.bucket_ms;
  const [from, until] = [Date.parse(counts.from), Date.parse(counts.until)];
  const length = Math.min(2000, Math.max(1, Math.round((until - from) / each)));
  const bars = Array.from({ length }, (_, at) => ({ from: from + at * each, groups: byGroup({}), total: 0 }));
  for (const item of counts.items) {
    const bar = bars[Math.round((Date.parse(item.from) - from) / each)];
    if (bar) Object.assign(bar, { groups: byGroup(item.states), total: item.total });
  }
  return bars;
}

/** Prepares a canvas for the pixels of the screen. */
export function context(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const scale = devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const drawing = canvas.getContext("2d");
  drawing.scale(scale, scale);
  return { drawing, width, height };
}

function paint(canvas, bars, chosen) {
  const { drawing, width, height } = context(canvas);
  const most = Math.max(1, ...bars.map((bar) => bar.total));
  const step = width / bars.length;
  const [blue, grey, ...tones] = colours(canvas.parentElement, ["run", "wait", ...GROUPS.map(({ tone }) => tone)]);
  if (chosen) {
    drawing.globalAlpha = 0.15;
    drawing.fillStyle = blue;
    drawing.fillRect(chosen[0] * step, 0, (chosen[1] - chosen[0] + 1) * step, height);
    drawing.globalAlpha = 1;
  }
  bars.forEach((bar, at) => {
    let y = height - 1;
    GROUPS.forEach(({ group }, index) => {
      const n = bar.groups[group];
      if (!n) return;
      const tall = Math.max(1.5, ((height - 6) * n) / most);
      drawing.fillStyle = tones[index];
      drawing.fillRect(at * step + 0.5, y - tall, Math.max(1, step - 1), tall);
      y -= tall;
    });
  });
  drawing.fillStyle = grey;
  drawing.globalAlpha = 0.4;
  drawing.fillRect(0, height - 1, width, 1);
}

/** `onChoose(from, until)` gets instants in ms. */
export function Histogram({ counts, onChoose }) {
  const canvas = useRef(null);
  const [drag, setDrag] = useState(null);
  const [over, setOver] = useState(null);
  const hasTable = useLater();
  const bars = fill(counts);
  const each = counts.bucket_ms;
  const chosen = drag && [Math.min(...drag), Math.max(...drag)];
  useEffect(() => {
    const draw = () => canvas.current && paint(canvas.current, bars, chosen);
    draw();
    const observer = new ResizeObserver(draw);
    observer.observe(canvas.current);
    return () => observer.disconnect();
  }, [counts, drag?.[0], drag?.[1], theme.value, systemTheme.value]);
  const at = (event) => {
    const box = canvas.current.getBoundingClientRect();
    return Math.max(0, Math.min(bars.length - 1, Math.floor(((event.clientX - box.left) / box.width) * bars.length)));
  };
  const up = () => {
    if (chosen) onChoose(bars[chosen[0]].from, bars[chosen[1]].from + each);
    setDrag(null);
  };
  const bar = over !== null ? bars[over] : null;
  const time = (ms) => clock(new Date(ms).toISOString(), { utc: utc.value });
  return html`<div>
    <div class="chart">
      <canvas ref=${canvas} aria-hidden="true" onPointerDown=${(event) => setDrag([at(event), at(event)])} onPointerMove=${(event) => (setOver(at(event)), drag && setDrag([drag[0], at(event)]))}
        onPointerUp=${up} onPointerLeave=${() => (setOver(null), setDrag(null))}></canvas>
      ${bar ? html`<div class="tip" style=${over < bars.length / 2 ? { left: `${(100 * (over + 1)) / bars.length}%`, top: 0 } : { right: `${100 - (100 * over) / bars.length}%`, top: 0 }}>
        ${time(bar.from)} · ${count(bar.total)} ${GROUPS.filter(({ group }) => bar.groups[group]).map(({ group, word }) => ` · ${count(bar.groups[group])} ${word.toLowerCase()}`)}</div>` : null}
    </div>
    <div class="axis" aria-hidden="true"><span>${time(bars[0].from)}</span><span>${time(bars[Math.floor(bars.length / 2)].from)}</span><span>now</span></div>
    ${hasTable ? html`<div class="visually-hidden"><table><caption>Runs over time</caption><thead><tr><th>From</th>${GROUPS.map(({ word }) => html`<th>${word}</th>`)}</tr></thead>
      <tbody>${bars.filter((one) => one.total).slice(-60).map((one) => html`<tr><td>${time(one.from)}</td>${GROUPS.map(({ group }) => html`<td>${one.groups[group]}</td>`)}</tr>`)}</tbody></table></div>` : null}
  </div>`;
}

/** Counts by group, in words. */
export const Legend = ({ states, link }) => {
  const sums = byGroup(states);
  return html`<div class="legend">${GROUPS.filter(({ group }) => sums[group]).map(
    ({ group, tone, word }) => html`<a class="plain" href=${link(group)} data-tone=${tone}><i class="dot"></i>${word} <strong>${count(sums[group])}</strong></a>`,
  )}</div>`;
};
