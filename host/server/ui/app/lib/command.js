// Command lines that do what the page does.

/** A word for a POSIX shell. */
export const quote = (text) => (/^[A-Za-z0-9_./:=@%+,#-]+$/.test(text) && !text.startsWith("#") ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** `hostel run` with these inputs, which have WAVE texts. */
export const runCommand = (task, inputs, options = []) =>
  ["hostel", "run", ...options.map(quote), quote(task), ...inputs.map((input) => quote(input.wave))].join(" ");

/** `curl` for a request with a JSON body. */
export const curl = (base, path, body) =>
  [`curl -sS -H "Authorization: Bearer $TOKEN" \\`, `  --json ${quote(JSON.stringify(body))} \\`, `  ${quote(`${base}api/v1${path}`)}`].join("\n");
