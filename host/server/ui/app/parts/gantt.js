// When the rows of a map executed, as one picture of pixels, so a million rows cost what a thousand do.

import { look } from "../lib/states.js";
import { duration } from "../lib/time.js";
import { hit, order, raster, ticks, weights } from "../lib/timeline.js";
import { html, useEffect, useMemo, useRef, useState } from "../lib/view.js";
import { colours, context } from "./histogram.js";
import { systemTheme, theme } from "./basics.js";

const AXIS = 20;
const HEIGHT = 320;
/** The least time that is shown, in ms. */
const CLOSEST = 1;

function rgb(text) {
  const found = text.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0];
  return text.startsWith("color(") ? found.slice(0, 3).map((part) => part * 255) : found.slice(0, 3);
}

function paint(canvas, data, lines, view) {
  const { drawing, width, height } = context(canvas);
  const [w, h] = [canvas.width, Math.max(1, Math.round((height - AXIS) * (devicePixelRatio || 1)))];
  const tones = colours(canvas.parentElement, data.states.map((state) => look(state).tone)).map(rgb);
  const pixels = raster(data, lines, { ...view, width: w, height: h, weight: weights(data.states) });
  const image = drawing.createImageData(w, h);
  for (let at = 0; at < pixels.length; at += 1) {
    if (pixels[at] === 255) continue;
    const tone = tones[pixels[at]];
    image.data.set([tone[0], tone[1], tone[2], 255], at * 4);
  }
  drawing.putImageData(image, 0, 0);
  drawing.fillStyle = getComputedStyle(canvas).color;
  drawing.font = `11px ${getComputedStyle(canvas).fontFamily}`;
  for (const tick of ticks(view.from, view.to, Math.max(2, Math.floor(width / 110)))) {
    const x = ((tick - view.from) / (view.to - view.from)) * width;
    drawing.globalAlpha = 0.12;
    drawing.fillRect(x, 0, 1, height - AXIS);
    drawing.globalAlpha = 1;
    if (x < width - 44) drawing.fillText(tick === 0 ? "0" : duration(tick), x + 3, height - 6);
  }
}

const ORDERS = [["row", "by row"], ["start", "by start"], ["took", "by duration"]];

/** `onOpen(row)` is called with the number of a row that was chosen. */
export function Gantt({ data, onOpen }) {
  const canvas = useRef(null);
  const [by, setBy] = useState("start");
  const [view, setView] = useState(null);
  const [tip, setTip] = useState(null);
  const drag = useRef(null);
  const lines = useMemo(() => order(data, by), [data, by]);
  const shown = view ?? { from: data.from, to: data.to };
  useEffect(() => {
    let frame = requestAnimationFrame(() => canvas.current && paint(canvas.current, data, lines, shown));
    const observer = new ResizeObserver(() => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => canvas.current && paint(canvas.current, data, lines, shown));
    });
    observer.observe(canvas.current);
    return () => {
      cancelAnimationFrame(frame);
      observer.disconnect();
    };
  }, [data, lines, shown.from, shown.to, theme.value, systemTheme.value]);
  const point = (event) => {
    const box = canvas.current.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top, width: box.width, height: box.height - AXIS };
  };
  const zoom = (factor, at = 0.5) => {
    const middle = shown.from + (shown.to - shown.from) * at;
    const span = Math.max(CLOSEST, (shown.to - shown.from) * factor);
    const from = Math.max(data.from, middle - span * at);
    const to = Math.min(data.to, from + span);
    setView(to - from >= data.to - data.from ? null : { from, to });
  };
  const move = (event) => {
    const { x, y, width, height } = point(event);
    if (drag.current) {
      const by = ((drag.current.x - x) / width) * (drag.current.view.to - drag.current.view.from);
      const from = Math.max(data.from, Math.min(data.to - (shown.to - shown.from), drag.current.view.from + by));
      if (Math.abs(drag.current.x - x) > 3) {
        drag.current.hasMoved = true;
        setView({ from, to: from + (drag.current.view.to - drag.current.view.from) });
      }
      return;
    }
    const at = y < height ? hit(data, lines, { ...shown, width, height }, x, y) : -1;
    setTip(at < 0 ? null : { at, x, y, right: x > width / 2 });
  };
  const up = () => {
    if (drag.current && !drag.current.hasMoved && tip && !data.isPacked) onOpen(data.row[tip.at]);
    drag.current = null;
  };
  const down = (event) => {
    const { x } = point(event);
    drag.current = { x, view: shown, hasMoved: false };
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  const at = tip?.at;
  return html`<div>
    <div class="filterbar" style=${{ marginBottom: "8px" }}>
      ${data.isPacked ? html`<span class="muted">${data.total} rows, packed into lanes</span>` : html`<select aria-label="Order of the rows" value=${by} onChange=${(event) => setBy(event.target.value)}>${ORDERS.map(([value, word]) => html`<option value=${value}>${word}</option>`)}</select>`}
      <button type="button" class="icon" onClick=${() => zoom(0.5)} aria-label="Show a shorter time">+</button>
      <button type="button" class="icon" onClick=${() => zoom(2)} aria-label="Show a longer time">−</button>
      ${view ? html`<button type="button" onClick=${() => setView(null)}>Whole time</button>` : null}
      ${data.waiting ? html`<span class="muted">${data.waiting} have not begun</span>` : null}
    </div>
    <div class="gantt">
      <canvas ref=${canvas} style=${{ height: `${HEIGHT}px`, cursor: at !== undefined ? "pointer" : "grab", color: "var(--ink-2)", touchAction: "pan-y" }} role="img"
        aria-label="When the rows executed; the table of rows has the same in words"
        onPointerMove=${move} onPointerDown=${down} onPointerUp=${up} onPointerLeave=${() => setTip(null)} onDblClick=${(event) => zoom(0.4, point(event).x / point(event).width)}></canvas>
      ${tip ? html`<div class="tip" style=${{ top: `${Math.max(0, tip.y - 30)}px`, ...(tip.right ? { right: `calc(100% - ${tip.x - 8}px)` } : { left: `${tip.x + 12}px` }) }}>
        ${data.isPacked ? `${data.count[at]} rows` : `row ${data.row[at]}`} · ${look(data.states[data.state[at]]).word} · ${duration(data.end[at] - data.start[at])}</div>` : null}
    </div>
  </div>`;
}
