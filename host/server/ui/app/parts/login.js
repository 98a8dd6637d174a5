// The way in: the one-time code in the address that `hostel serve` prints, or a token.

import { enter, logIn } from "../lib/api.js";
import { session } from "../lib/session.js";
import { html, signal, useEffect, useState } from "../lib/view.js";
import { Command, Loading, Trouble, toast } from "./basics.js";
import { Mark } from "./icon.js";

/** Takes the code out of the address, so that it does not stay in the history. */
function takeCode() {
  const code = new URLSearchParams(location.hash.slice(1)).get("login");
  if (code) history.replaceState(null, "", location.pathname + location.search);
  return code;
}

/** The code that has not been sent. It is used even if there is a session, which may be of another token. */
export const code = signal(takeCode());
addEventListener("hashchange", () => {
  code.value = takeCode() ?? code.value;
});

export function Login() {
  const [state, setState] = useState(code.value ? "busy" : "ask");
  const [error, setError] = useState(null);
  const [token, setToken] = useState("");
  useEffect(() => {
    document.title = "Log in · Hostel";
    const given = code.value;
    if (!given) return;
    setState("busy");
    logIn(given)
      .catch((problem) => {
        setError(problem);
        setState("ask");
        // The page goes on with the session that it has.
        if (session.value) toast(problem.message, "bad");
      })
      // A code works once: after a logout it is not sent again.
      .finally(() => {
        if (code.value === given) code.value = null;
      });
  }, [code.value]);
  const submit = async (event) => {
    event.preventDefault();
    setState("busy");
    try {
      await enter(token.trim());
    } catch (problem) {
      setError(problem);
      setState("ask");
    }
  };
  return html`<main class="login">
    <div class="brand"><${Mark} /><span>Hostel</span></div>
    <h1>Log in</h1>
    ${state === "busy"
      ? html`<${Loading} rows=${2} />`
      : html`
          <${Trouble} error=${error} />
          <p class="muted">Open the address that <code>hostel serve</code> prints when it starts: it logs this browser in, once. Or enter a token.</p>
          <form onSubmit=${submit}>
            <input type="password" name="token" aria-label="Token" placeholder="Token" autocomplete="off" required value=${token} onInput=${(event) => setToken(event.target.value)} />
            <button class="primary">Log in</button>
          </form>
          <p class="muted">The first token is in the data directory:</p>
          <${Command}>cat "$HOME/.local/share/hostel/token"<//>
        `}
  </main>`;
}
