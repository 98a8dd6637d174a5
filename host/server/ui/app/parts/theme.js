// Light, dark, or as the system has it.

import { html, signal } from "../lib/view.js";
import { Icon } from "./icon.js";

const NEXT = { system: "light", light: "dark", dark: "system" };
const ICONS = { system: "half", light: "sun", dark: "moon" };

function read() {
  try {
    const theme = localStorage.getItem("hostel.theme");
    return theme === "light" || theme === "dark" ? theme : "system";
  } catch {
    return "system";
  }
}

/** The theme. Charts draw again when it changes. */
export const theme = signal(read());

function set(value) {
  theme.value = value;
  document.documentElement.style.colorScheme = value === "system" ? "" : value;
  try {
    localStorage.setItem("hostel.theme", value);
  } catch {
    // It lasts as long as the page.
  }
}

/** How often the system's theme has changed. */
export const systemTheme = signal(0);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  systemTheme.value += 1;
});

export const ThemeButton = () => html`<button type="button" class="quiet icon" onClick=${() => set(NEXT[theme.value])}
  title="Theme: ${theme.value}. Change it" aria-label="Theme: ${theme.value}">
  <${Icon} name=${ICONS[theme.value]} />
</button>`;
