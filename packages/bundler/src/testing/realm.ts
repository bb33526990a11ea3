/**
 * The least that can run a bundle: a bare vm context and `require_`, with none of the sandbox's taming.
 * What works here works by the contract of `@perdure/common/bundle` alone.
 */
import * as vm from 'node:vm';
import { HOST_MODULES, REALM_GLOBALS, type WorkflowBundle } from '@perdure/common/bundle';
import { splitSourceMap } from '../source-map';

/** Host modules that tests give; what the SDK's modules do is not the bundler's business. */
export type HostModules = Record<string, object>;

export class TestRealm {
  readonly bundle: WorkflowBundle;
  private readonly context: vm.Context;

  constructor(
    code: string,
    private readonly hostModules: HostModules = {},
  ) {
    const host = globalThis as unknown as Record<string, unknown>;
    const missing = REALM_GLOBALS.filter((name) => !(name in vm.runInNewContext('globalThis')));
    this.context = vm.createContext(Object.fromEntries(missing.map((name) => [name, host[name]])), {
      codeGeneration: { strings: false, wasm: false },
    });
    const { script } = splitSourceMap(code);
    this.bundle = vm.runInContext(script, this.context, { filename: 'bundle.js' }) as WorkflowBundle;
  }

  newRun(): TestRun {
    return new TestRun(
      this.bundle,
      this.hostModules,
      vm.runInContext('Object.create(globalThis)', this.context) as Record<string, unknown>,
      vm.runInContext('(function () { return {}; })', this.context) as () => Record<string, unknown>,
    );
  }
}

/** One run: its own module instances and its own global object. */
export class TestRun {
  /** Chunks evaluated so far, in order. */
  readonly evaluated: string[] = [];
  private readonly instances = new Map<string, object>();

  constructor(
    private readonly bundle: WorkflowBundle,
    private readonly hostModules: HostModules,
    readonly globals: Record<string, unknown>,
    private readonly makeObject: () => Record<string, unknown>,
  ) {}

  readonly require = (id: string): object => {
    const known = this.instances.get(id);
    if (known !== undefined) return known;
    if (HOST_MODULES.includes(id)) {
      const module = this.hostModules[id] ?? (id.startsWith('@') ? undefined : (require(id) as object));
      if (module === undefined) throw new Error(`the test gives no ${id}`);
      return module;
    }
    const factory = this.bundle.chunks.find(([chunk]) => chunk === id)?.[1];
    if (factory === undefined) throw new Error(`the bundle has no chunk ${id}`);
    const exports = this.makeObject();
    this.instances.set(id, exports);
    this.evaluated.push(id);
    factory(this.globals, this.require, exports);
    return exports;
  };

  /** The workflow function of this type. */
  workflow(type: string): (...args: any[]) => any {
    const entry = this.bundle.workflows.find(([name]) => name === type);
    if (entry === undefined) throw new Error(`the bundle has no workflow ${type}`);
    return (this.require(entry[1]) as Record<string, any>)[entry[2]];
  }
}
