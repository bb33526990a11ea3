/** A realm with the smallest possible runtime, for tests of what the realm itself promises. */
import { Script } from 'node:vm';
import { Realm, type RealmOptions } from '../realm';

/** Workflow time of the bare runtime, epoch milliseconds: 2001-02-03T04:05:06.789Z. */
export const bareNowMs = 981173106789;

/** Its api is its host, so that tests can do what a runtime does. */
export const bareRuntime = `(host) => ({
  api: host,
  modules: { '@perdure/workflow': { Base: class Base { method() { return 'base'; } } } },
  globals: {
    now: () => ${bareNowMs},
    random: () => 0.25,
    setTimeout: (callback, delayMs, ...args) => { Promise.resolve().then(() => callback(...args)); return 1; },
    clearTimeout() {},
    console: { log() {}, info() {}, warn() {}, error() {}, debug() {} },
  },
})`;

export interface BareHost {
  newGlobal(): Record<string, unknown>;
  runInScope<T>(store: unknown, fn: () => T): T;
  currentScope(): unknown;
  harden(value: object): void;
  hostModules: Record<string, Record<string, any>>;
}

/** Outcome of a probe: its value after a trip through JSON, or the name of what it threw. */
export type Outcome = { readonly value: unknown } | { readonly threw: string; readonly message: string };

export class BareRealm {
  readonly realm: Realm;

  constructor(options: Partial<RealmOptions> = {}) {
    this.realm = new Realm({
      bundleFile: 'bundle.js',
      mapPosition: () => undefined,
      runtimeSource: bareRuntime,
      ...options,
    });
  }

  get host(): BareHost {
    return this.realm.api as unknown as BareHost;
  }

  /** Evaluates code in the realm and gives the value as it is. */
  raw(code: string): any {
    return this.realm.evaluate(new Script(code, { filename: 'bundle.js' }));
  }

  /**
   * Runs the body of an async function as one run would: with its own global object. Free in the body: the
   * realm's globals, \`globalThis\` and \`host(specifier)\`.
   */
  run(body: string, globals: object = this.host.newGlobal()): Outcome {
    const start = this.raw(`(globalThis, host, report) => {
      'use strict';
      (async () => { ${body} })().then(
        (value) => report(JSON.stringify({ value })),
        (error) => report(JSON.stringify({ threw: String(error && error.name), message: String(error && error.message) })),
      );
    }`);
    let outcome: Outcome | undefined;
    start(
      globals,
      (specifier: string) => this.host.hostModules[specifier],
      (text: string) => {
        outcome = JSON.parse(text);
      },
    );
    this.realm.drain();
    if (outcome === undefined) throw new Error('the probe did not finish');
    return outcome;
  }

  /** Value of an expression; fails the test if it throws. */
  value(expression: string): any {
    const outcome = this.run(`return (${expression});`);
    if ('threw' in outcome) throw new Error(`${expression} threw ${outcome.threw}: ${outcome.message}`);
    return outcome.value;
  }
}
