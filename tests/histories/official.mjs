/**
 * The official SDK beside this one, for the scripts that record with it and compare against it. Test-only: it is
 * installed under bench/, where it is measured, or wherever `folder` says.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import Module, { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { root } from '../../scripts/tools/paths.mjs';

const SOURCES = join(root, 'tests', 'src', 'workflows');
const LANGUAGE = join(root, 'packages', 'workflow', 'src', 'testing', 'program-language.ts');

/** @returns a `require` that finds the official packages of the folder */
export function officialPackages(folder = join(root, 'bench')) {
  const official = createRequire(join(resolve(folder), 'package.json'));
  // npm may install a copy of protobufjs for each of the packages; messages of one are strangers to the other.
  const resolveFilename = Module._resolveFilename;
  const protoParent = moduleAt(official.resolve('@temporalio/proto'));
  Module._resolveFilename = function (request, parent, ...rest) {
    const theirs = /^protobufjs(?:$|\/)/.test(request) && /@temporalio/.test(parent?.filename ?? '');
    return resolveFilename.call(this, request, theirs ? protoParent : parent, ...rest);
  };
  return official;
}

function moduleAt(filename) {
  return Object.assign(new Module(filename), { filename, paths: Module._nodeModulePaths(dirname(filename)) });
}

/** The version of the official packages that are found. */
export async function officialVersion(official) {
  return JSON.parse(await readFile(official.resolve('@temporalio/worker/package.json'), 'utf8')).version;
}

/**
 * Copies of workflow files with nothing changed but the import scope.
 * @param {string} folder of the official packages: the copies must find them
 * @param {string[]} files names in tests/src/workflows
 * @returns {Promise<{ path(file: string): string, remove(): Promise<void> }>}
 */
export async function copyWorkflows(folder, name, files) {
  const dir = join(resolve(folder), '.work', name);
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  for (const file of [...files.map((each) => join(SOURCES, each)), LANGUAGE]) {
    const text = (await readFile(file, 'utf8'))
      .replaceAll('@perdure/workflow/lib/testing/program-language', './program-language')
      .replaceAll("'../index'", "'@perdure/workflow'")
      .replaceAll('@perdure/', '@temporalio/');
    await writeFile(join(dir, basename(file)), text);
  }
  return { path: (file) => join(dir, file), remove: () => rm(dir, { recursive: true, force: true }) };
}

/** A logger for both SDKs that says nothing: programs fail by design. */
export const silentLogger = Object.fromEntries(
  ['log', 'trace', 'debug', 'info', 'warn', 'error'].map((level) => [level, () => {}]),
);
