// What pages and parts are made of, under one name.

import { Fragment, createElement, render } from "../vendor/preact.js";
import htm from "../vendor/htm.js";
import { useEffect, useState } from "../vendor/hooks.js";

export { Fragment, render };
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
export { computed, effect, signal } from "../vendor/signals.js";

/** Markup with values. Texts are always text nodes. */
export const html = htm.bind(createElement);

/** `false` when a part is first drawn, `true` after that was painted: for what nobody sees at once. */
export function useLater() {
  const [isLater, setLater] = useState(false);
  useEffect(() => {
    let timer;
    const frame = requestAnimationFrame(() => {
      timer = setTimeout(() => setLater(true));
    });
    return () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    };
  }, []);
  return isLater;
}

/** Joins names of classes. */
export const cx = (...names) => names.filter(Boolean).join(" ");
