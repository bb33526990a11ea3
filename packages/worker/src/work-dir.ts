/**
 * Finds workflows and activities by their place in a directory: `workDir` of the worker's options.
 *
 *   workDir/workflows.js, workDir/workflows/index.js   their exports are workflows
 *   workDir/workflows/*.js, without an index           the exports of all of them are
 *   workDir/activities...                              the same for activities
 *
 * D1  Options that are given win over what is found.
 * D2  Two files that export an activity of the same name are an error, not a matter of luck.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { InvalidOptionsError } from './options-check';
import type { WorkerOptions } from './worker-options';

const EXTENSIONS = ['.js', '.cjs', '.mjs', '.ts', '.cts', '.mts', '.tsx', '.jsx'];

/**
 * Completes options that name a `workDir`.
 * @throws {InvalidOptionsError} there is no such directory, or nothing in it; two activities share a name
 * @throws what modules of activities throw when they are loaded
 */
export async function withWorkDir(options: WorkerOptions): Promise<WorkerOptions> {
  const { workDir } = options ?? {};
  if (typeof workDir !== 'string' || workDir === '') return options; // checked with the others
  const directory = resolve(workDir);
  if (!existsSync(directory) || !statSync(directory).isDirectory()) {
    throw refused(`got ${JSON.stringify(workDir)}, which is not a directory`);
  }
  const workflows = modulesOf(directory, 'workflows');
  const activities = modulesOf(directory, 'activities');
  if (workflows.length === 0 && activities.length === 0) {
    throw refused(
      `${directory} has neither workflows nor activities: no such module and no folder with modules`,
    );
  }
  const hasWorkflows = options.workflowsPath !== undefined || options.workflowBundle !== undefined;
  return {
    ...options,
    ...(!hasWorkflows && workflows.length > 0 && { workflowsPath: entryOf(workflows) }), // D1
    ...(options.activities === undefined &&
      activities.length > 0 && { activities: await exportsOf(activities) }),
  };
}

/** One module that stands for all, or the modules of a folder in the order of their names. */
function modulesOf(directory: string, name: string): string[] {
  for (const stem of [join(directory, name), join(directory, name, 'index')]) {
    const found = EXTENSIONS.map((extension) => stem + extension).find((file) => existsSync(file));
    if (found !== undefined) return [found];
  }
  const folder = join(directory, name);
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter(
    (file) => EXTENSIONS.includes(extname(file)) && !/\.d\.[cm]?ts$|\.(?:test|spec)\./.test(file),
  );
  // A source beside what was compiled from it is the same module.
  const stems = new Map<string, string>();
  for (const extension of [...EXTENSIONS].reverse()) {
    for (const file of files) if (extname(file) === extension) stems.set(basename(file, extension), file);
  }
  return [...stems.values()].sort().map((file) => join(folder, file));
}

/** A module that exports what all of them export. */
function entryOf(modules: readonly string[]): string {
  if (modules.length === 1) return modules[0]!;
  const source = modules.map((file) => `export * from ${JSON.stringify(file)};\n`).join('');
  const folder = join(tmpdir(), `perdure-workflows-${process.getuid?.() ?? 0}`);
  const entry = join(folder, `${createHash('sha256').update(source).digest('hex').slice(0, 16)}.mjs`);
  if (!existsSync(entry)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(`${entry}.${process.pid}`, source);
    renameSync(`${entry}.${process.pid}`, entry);
  }
  return entry;
}

async function exportsOf(modules: readonly string[]): Promise<object> {
  const found: Record<string, unknown> = {};
  const homes = new Map<string, string>();
  for (const file of modules) {
    for (const [name, value] of Object.entries(await load(file))) {
      if (typeof value !== 'function' || (name === 'default' && modules.length > 1)) continue;
      const home = homes.get(name);
      if (home !== undefined && found[name] !== value) {
        throw refused(`the activity ${JSON.stringify(name)} is exported by ${home} and by ${file}`); // D2
      }
      found[name] = value;
      homes.set(name, file);
    }
  }
  return found;
}

async function load(file: string): Promise<object> {
  try {
    return require(file);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== 'ERR_REQUIRE_ESM' && code !== 'ERR_REQUIRE_ASYNC_MODULE') throw error;
    return import(pathToFileURL(file).href);
  }
}

function refused(problem: string): InvalidOptionsError {
  return new InvalidOptionsError('WorkerOptions', [{ field: 'workDir', problem }]);
}
