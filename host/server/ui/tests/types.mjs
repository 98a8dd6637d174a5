// Checks the types of the dashboard's modules: what is inferred, what JSDoc says, and what the API answers by openapi.json.

import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const tools = join(here, "../../../../target/ui-tests");
const ts = createRequire(join(tools, "package.json"))("typescript");

execFileSync(join(tools, "node_modules/.bin/openapi-typescript"), [join(here, "../../openapi.json"), "--output", join(tools, "api.d.ts")], { stdio: ["ignore", "ignore", "inherit"] });

const config = ts.getParsedCommandLineOfConfigFile(join(here, "tsconfig.json"), {}, { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (one) => { throw new Error(ts.flattenDiagnosticMessageText(one.messageText, "\n")); } });
const host = ts.createCompilerHost(config.options);
// The vendored files are minified: what the dashboard uses of them is declared in types/vendor.
host.resolveModuleNameLiterals = (literals, from, redirected, options) =>
  literals.map(({ text }) => {
    const vendored = /\/vendor\/[\w-]+\.js$/.test(text) ? join(here, "types/vendor", `${basename(text, ".js")}.d.ts`) : null;
    if (vendored) return { resolvedModule: { resolvedFileName: vendored, extension: ".d.ts", isExternalLibraryImport: false } };
    return ts.resolveModuleName(text, from, options, host, undefined, redirected);
  });
const program = ts.createProgram({ rootNames: config.fileNames, options: config.options, host });
const problems = [...config.errors, ...ts.getPreEmitDiagnostics(program)];
process.stdout.write(ts.formatDiagnostics(problems, { getCurrentDirectory: () => process.cwd(), getCanonicalFileName: (name) => name, getNewLine: () => "\n" }));
console.log(`types: ${config.fileNames.length} files, ${problems.length} problems`);
process.exitCode = problems.length ? 1 : 0;
