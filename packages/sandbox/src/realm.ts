/**
 * One context in which the workflow runtime and a bundle are evaluated.
 *
 * Owns    the context, its hardening, the functions of the host that the runtime may call.
 * Leaves  what is done with activations to lane.ts, which names exist to policy.ts.
 * S1  Only strings, numbers, booleans and bytes cross into the realm; host objects never do. The two records of
 *     functions that the scripts under realm/ get are held in closures that workflow code cannot reach.
 * S2  Code cannot be made from strings, and no script with `import()` is evaluated (bundle-script.ts).
 * S3  The realm has its own queue of microtasks, which runs only in `drain`.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Context, constants, createContext, Script } from 'node:vm';
import type { WorkflowBundle } from '@perdure/common/bundle';
import type { RuntimeApi } from '@perdure/workflow/runtime';
import { compileCached } from './code-cache';
import { POLICY } from './policy';
import type { Booted, BootHost, BootOptions, RealmParts } from './realm-parts';
import type { PositionMapper } from './source-positions';

export interface RealmOptions {
  /** File name of the bundle that will be evaluated; frames of other files do not show in stacks. */
  readonly bundleFile: string;
  readonly mapPosition: PositionMapper;
  /** False: intrinsics can be patched, for a context that serves one run. Default true. */
  readonly freeze?: boolean;
  /** Text of the runtime's script. Default: that of `@perdure/workflow`. */
  readonly runtimeSource?: string;
  /** Answers `RuntimeHost.decidePatch`. Default: every patch is activated. */
  readonly decidePatch?: BootHost['decidePatch'];
  /** Evaluated in the fresh context before anything else, to act as a newer engine in tests. */
  readonly prelude?: Script;
}

const knownNames = POLICY.filter((row) => row.treatment !== 'remove').map((row) => row.name);
const removedNames = POLICY.filter((row) => row.treatment === 'remove').map((row) => row.name);
const empty = new Script('0', { filename: 'perdure:drain' });

const inboxBytes = 16 * 1024;
const { set: setBytes, subarray } = Uint8Array.prototype;

const compiled = new Map<string, Script>();
function compile(filename: string, read: () => string): Script {
  let script = compiled.get(filename);
  if (script === undefined) {
    script = new Script(read(), { filename });
    compiled.set(filename, script);
  }
  return script;
}
/** One of the scripts under realm/, compiled once per thread. */
export function realmScript(name: string): Script {
  return compile(`perdure:sandbox/${name}`, () =>
    readFileSync(join(__dirname, 'realm', `${name}.js`), 'utf8'),
  );
}
function runtimeScript(source: string | undefined): Script {
  if (source !== undefined) return new Script(source, { filename: 'perdure:runtime' });
  let script = compiled.get('perdure:runtime');
  if (script === undefined) {
    script = compileCached(require.resolve('@perdure/workflow/lib/realm.js'), 'perdure:runtime');
    compiled.set('perdure:runtime', script);
  }
  return script;
}

const encoder = new TextEncoder();
const decoders = [false, true].map((fatal) =>
  [false, true].map((ignoreBOM) => new TextDecoder('utf-8', { fatal, ignoreBOM })),
);
const urlParts = [
  'href', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash', 'origin',
] as const; // biome-ignore format: one line
function joinParts(url: URL): string {
  return urlParts.map((part) => url[part]).join('\n');
}

/** S1: what the realm may ask of its host. */
function bootHost(mapPosition: PositionMapper, decidePatch: BootHost['decidePatch'] = () => 'yes'): BootHost {
  const scopes = new AsyncLocalStorage<object>();
  return {
    entropy: Math.random,
    wallClockMs: Date.now,
    mapPosition,
    sourceText: (source) => mapPosition.sourceText?.(source),
    encodeInto: (text, into) => encoder.encodeInto(text, into).written,
    decode(bytes, fatal, keepMark) {
      try {
        return decoders[Number(fatal)]![Number(keepMark)]!.decode(bytes);
      } catch {
        return undefined;
      }
    },
    parseUrl(text, base) {
      try {
        return joinParts(new URL(text, base));
      } catch {
        return undefined;
      }
    },
    changeUrl(href, part, value) {
      try {
        const url = new URL(href);
        (url as unknown as Record<string, string>)[part] = value;
        return joinParts(url);
      } catch {
        return undefined;
      }
    },
    decidePatch,
    runInScope: (token, fn) => {
      scopes.run(token, fn);
    },
    currentScope: () => scopes.getStore(),
  };
}

export class Realm {
  readonly api: RuntimeApi;
  readonly #context: Context;
  readonly #booted: Booted;
  #inbox: Uint8Array;

  constructor(options: RealmOptions) {
    const { freeze = true, bundleFile, mapPosition } = options;
    this.#context = createContext(constants.DONT_CONTEXTIFY as unknown as undefined, {
      name: bundleFile,
      codeGeneration: { strings: false, wasm: false }, // S2
      microtaskMode: 'afterEvaluate', // S3
    });
    options.prelude?.runInContext(this.#context);
    const evaluate = (name: string) => realmScript(name).runInContext(this.#context);
    const parts: RealmParts = {
      makeHardener: evaluate('harden'),
      tameErrors: evaluate('errors'),
      makeDeterministic: evaluate('determinism'),
      makeTextCodecs: evaluate('text'),
      makeUrl: evaluate('url'),
      makeAbort: evaluate('abort'),
      makeAssert: evaluate('assert'),
    };
    const bootOptions: BootOptions = { freeze, bundleFile, known: knownNames, removed: removedNames };
    this.#booted = evaluate('boot')(parts, bootHost(mapPosition, options.decidePatch), bootOptions);
    this.#inbox = this.#booted.makeBytes(inboxBytes);
    const makeRuntime = runtimeScript(options.runtimeSource).runInContext(this.#context);
    this.api = this.#booted.install(makeRuntime) as RuntimeApi;
  }

  /** S3: runs microtasks of the realm until none is left. */
  drain(): void {
    empty.runInContext(this.#context);
  }

  /**
   * @returns the bytes in memory of the realm, valid until the next call: the runtime copies what it keeps of
   *   them, so that no run can reach the bytes of another
   */
  bytesFrom(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    if (length > this.#inbox.length)
      this.#inbox = this.#booted.makeBytes(Math.max(length, 2 * this.#inbox.length));
    setBytes.call(this.#inbox, bytes);
    return subarray.call(this.#inbox, 0, length) as Uint8Array;
  }

  /** Evaluates a compiled bundle. */
  load(script: Script): WorkflowBundle {
    return script.runInContext(this.#context) as WorkflowBundle;
  }

  /** Evaluates a script in the realm, for tests and tools. */
  evaluate(script: Script): unknown {
    return script.runInContext(this.#context);
  }

  /** Whether a promise, of a subclass maybe, was made by this realm; false for one whose prototypes are disguised. */
  owns(promise: object): boolean {
    try {
      for (let at: object | null = promise, steps = 0; at !== null && steps < 32; steps++) {
        at = Object.getPrototypeOf(at) as object | null;
        if (at === this.#booted.promisePrototype) return true;
      }
    } catch {
      // A proxy among the prototypes that throws.
    }
    return false;
  }

  /** How many objects the hardening froze. */
  get frozenCount(): number {
    return this.#booted.frozenCount();
  }
}
