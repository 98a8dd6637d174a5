// What cannot wait for the modules: the chosen theme, and the first requests of some pages, as their files have them.

try {
  const theme = localStorage.getItem("hostel.theme");
  if (theme === "light" || theme === "dark") document.documentElement.style.colorScheme = theme;
  const session = JSON.parse(localStorage.getItem("hostel.session") ?? "null");
  const [, page, id] = location.pathname.slice(new URL(document.baseURI).pathname.length - 1).split("/");
  const paths = {
    "": ["/counts?since=24h&bucket=15m", "/runs?state=attention&limit=200", "/runs?state=unfinished&limit=100"],
    runs: [id ? `/runs/${id}` : "/runs?limit=100"],
    maps: [`/maps/${id}`, `/runs?map=${id}&limit=50`],
    tasks: [],
  }[page];
  if (session && paths && !location.hash && !location.search && document.visibilityState !== "hidden") {
    const asked = (globalThis.asked = new Map());
    const ask = (path, after) => {
      const stop = new AbortController();
      const headers = { "Accept-Integers": "string", Authorization: `Bearer ${session.token}` };
      const response = after.then(() => fetch(new URL(`api/v1${path}`, document.baseURI), { signal: stop.signal, cache: "no-store", credentials: "omit", headers }));
      asked.set(path, { response, stop });
      return response.catch(() => {});
    };
    // Nothing happens unnoticed between an answer and the stream.
    const begun = ask("/events", Promise.resolve());
    const read = async (path) => {
      const answer = await ask(path, begun);
      if (answer?.ok) await (answer.parsed = answer.json()).catch(() => {});
    };
    globalThis.answered = Promise.all(paths.map(read));
    ask("/tasks?limit=500", begun);
  }
} catch {
  // Without storage the system's theme is used, and there is no session.
}
