'use strict';
// The package's entry, in CommonJS as it ships. Half the time of an import is V8's compiling of library.cjs: what it made of
// that once, by scripts/code.mjs at installation, is taken from a file beside it.
const { readFileSync } = require('node:fs');
const { createRequire, wrap } = require('node:module');
const { join } = require('node:path');
const { Script, runInThisContext } = require('node:vm');

const file = join(__dirname, 'library.cjs');

/**
 * Where the code is kept. V8 refuses that of another version or other flags, and then compiles as ever; but it tells texts
 * apart by their length alone, so a build that writes library.cjs anew must remove its code.
 */
exports.code = join(__dirname, `library.${process.versions.v8}.${process.arch}.cache`);

/** Runs library.cjs as require() would, and returns its script and what it exports. */
exports.compile = (cachedData) => {
  const script = new Script(wrap(readFileSync(file, 'latin1')), { filename: file, cachedData });
  const module = { exports: {} };
  script.runInThisContext().call(module.exports, module.exports, createRequire(file), module, file, __dirname);
  return { script, library: module.exports };
};

/** The library, from the code that is kept, or else by require(). */
exports.load = () => {
  let cachedData;
  try {
    cachedData = readFileSync(exports.code);
  } catch {
    // None is kept, or only another version's.
  }
  // A test runner may run this in a realm with classes of its own, and a script in the main one.
  const main = runInThisContext('Array') === Array;
  return cachedData && main ? exports.compile(cachedData).library : require('./library.cjs');
};
