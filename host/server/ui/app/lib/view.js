// What pages and parts are made of, under one name.

import { Fragment, createElement, render } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

export { Fragment, render };
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
export { effect, signal } from "../vendor/signals.js";

/** Markup with values. Texts are always text nodes. */
export const html = htm.bind(createElement);

/** Joins names of classes. */
export const cx = (...names) => names.filter(Boolean).join(" ");
