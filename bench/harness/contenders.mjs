/**
 * The contenders: the same programs for Perdure and for the official packages, with nothing but the import scope
 * changed, and the floor.
 *
 * Owns    the copies of bench/programs under bench/.work, the processes made from them.
 * C1  Each contender runs in a process of its own and tells its own CPU time and memory.
 * C2  Decoding a recorded history to a message object is the one place where the programs differ (`DECODERS`): the
 *     packages of protocol messages are not part of what is compared.
 */
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { must } from '../../scripts/tools/exec.mjs';
import { cargoTargetDir, childEnv, root } from '../../scripts/tools/paths.mjs';

const bench = join(root, 'bench');
const work = join(bench, '.work');

export const SCOPES = { official: '@temporalio', perdure: '@perdure' };
const DECODERS = {
  official: `const { temporal } = require('@temporalio/proto');
exports.decodeHistory = (bytes) => temporal.api.history.v1.History.decode(bytes);
`,
  perdure: `const { History } = require('@perdure/proto/temporal/api/history/v1/message');
exports.decodeHistory = (bytes) => History.decode(bytes);
`,
};

/** Writes the programs of both scopes anew. */
export async function preparePrograms() {
  await rm(work, { recursive: true, force: true });
  for (const [contender, scope] of Object.entries(SCOPES)) {
    const dir = join(work, contender);
    await mkdir(dir, { recursive: true });
    for (const file of await readdir(join(bench, 'programs'))) {
      const text = await readFile(join(bench, 'programs', file), 'utf8');
      await writeFile(join(dir, file), text.replaceAll('@temporalio/', `${scope}/`));
    }
    await writeFile(join(dir, 'decode-history.cjs'), DECODERS[contender]); // C2
  }
}

/** Building with the whole workspace's features shares one compilation of the core with the addon. */
export async function buildFloor() {
  await must(['cargo', 'build', '--release', '--workspace', '--locked', '--bin', 'perdure-floor'], {
    quiet: true,
  });
}

export const floorBinary = join(
  cargoTargetDir,
  'release',
  `perdure-floor${process.platform === 'win32' ? '.exe' : ''}`,
);
export const program = (contender, file) => join(work, contender, file);

/** Runs a program to its end and reads the JSON on its last line. */
export async function runProgram(command, options = {}) {
  const { stdout } = await must(command, { quiet: true, timeoutMs: 600_000, ...options });
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

/** A worker process that answers questions about itself. */
export class WorkerProcess {
  /** @param {string[]} command @param {{ env?: Record<string, string> }} options */
  constructor(command, { env = {} } = {}) {
    this.spawnedAt = performance.now();
    this.child = spawn(command[0], command.slice(1), { env: childEnv(env), stdio: ['pipe', 'pipe', 'pipe'] });
    this.log = '';
    this.waiting = [];
    this.child.stderr.on('data', (chunk) => {
      this.log = (this.log + chunk).slice(-20_000);
    });
    createInterface({ input: this.child.stdout }).on('line', (line) => this.waiting.shift()?.resolve(line));
    this.ended = new Promise((resolve) => this.child.once('close', resolve));
    void this.ended.then((code) => {
      for (const { reject } of this.waiting.splice(0))
        reject(new Error(`worker ended (${code}):\n${this.log}`));
    });
    this.ready = this.#nextLine().then((line) => {
      if (line !== 'ready') throw new Error(`worker said "${line}" instead of "ready":\n${this.log}`);
      this.readyMs = performance.now() - this.spawnedAt;
    });
    this.ready.catch(() => {}); // whoever waits for it hears of it
  }

  #nextLine() {
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /** @returns {Promise<{ cpuMs: number, rssBytes: number }>} C1 */
  async usage() {
    const line = this.#nextLine();
    this.child.stdin.write('\n');
    return JSON.parse(await line);
  }

  async stop() {
    this.child.stdin.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 5_000);
    await this.ended;
    clearTimeout(timer);
  }
}

/** A worker of any contender. `activities` says for the floor what its only workflow does. */
export function startWorker(
  contender,
  { address, taskQueue, maxCachedWorkflows = 2000, activities = 1, env },
) {
  const command =
    contender === 'floor'
      ? [
          floorBinary,
          'live',
          '--address',
          address,
          '--task-queue',
          taskQueue,
          '--activities',
          String(activities),
        ]
      : [process.execPath, program(contender, 'worker.cjs'), address, taskQueue, String(maxCachedWorkflows)];
  return new WorkerProcess(command, { env });
}

export async function removePrograms() {
  await rm(work, { recursive: true, force: true });
}

/** Copies a history file into place; recorded by record.mjs. */
export const historyFile = (name) => join(bench, 'histories', `${name}.bin`);
