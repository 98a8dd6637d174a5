// node rename.mjs FROM TO FILE…: replaces the name of a package by another one of the same length, in texts and in components.
//
// The tool that makes the component executes it once, where it knows the interfaces of wasi:io and none of wasi:http. It lets
// interfaces that it does not know end in a trap, which nothing calls then. But the streams of an unknown wasi:http are not those of
// the known wasi:io. So all of them have names that it does not know, until the component is made.

import { readFileSync, writeFileSync } from 'node:fs';

const [from, to, ...files] = process.argv.slice(2);
if (from === undefined || from.length !== to?.length) throw new Error('expected two names of the same length, and files');
for (const file of files) {
  writeFileSync(file, readFileSync(file, 'latin1').replaceAll(from, to), 'latin1');
}
