import * as vm from 'node:vm';
import { BUNDLE_FORMAT } from '@perdure/common/bundle';
import { bundleWorkflowCode, splitSourceMap } from './index';
import { bundleFailure, bundleProject } from './testing/bundle-project';
import { makeProject, removeProjects } from './testing/project';
import { TestRealm } from './testing/realm';

afterAll(removeProjects);

const trace = `(globalThis.trace ??= []).push`;

describe('a bundle', () => {
  it('is one script that evaluates to the record of the contract and runs no user code', async () => {
    const { bundle } = await bundleProject({
      'workflows.ts': `throw new Error('evaluated'); export async function main() {}`,
    });
    const value = vm.runInNewContext(bundle.code) as Record<string, unknown>;
    expect(value.format).toBe(BUNDLE_FORMAT);
    expect(Object.keys(value)).toEqual(['format', 'workflows', 'interceptors', 'shared', 'chunks']);
    expect(splitSourceMap(bundle.code).script.startsWith('(function(){"use strict"')).toBe(true);
  });

  it('is told to the logger with its size, in kilobytes where it is small', async () => {
    const large = 'x'.repeat(123_000);
    const sizes: unknown[] = [];
    const logger = {
      warn: () => undefined,
      info: (_message: string, meta?: Record<string, unknown>) => sizes.push(meta?.size),
    };
    for (const text of ['', large]) {
      const project = makeProject({ 'workflows.ts': `export async function main() { return '${text}'; }` });
      await bundleWorkflowCode({
        workflowsPath: project.path('workflows.ts'),
        cache: false,
        logger,
      } as never);
    }
    expect(sizes).toEqual([expect.stringMatching(/^0\.[1-9]KB$/), '0.12MB']);
  });

  it('lists exported functions as workflow types, and no export that cannot be one', async () => {
    const { bundle } = await bundleProject(
      {
        'workflows.ts': `
          import { defineSignal, proxyActivities } from '@perdure/workflow';
          import * as wf from '@perdure/workflow';
          import { wrapped as direct } from './other';
          export const approve = defineSignal('approve');
          export const state = wf.defineQuery('state');
          export const limit = 3, list = [1], settings = { a: 1 }, label = \`x\`;
          export class Order {}
          export enum Kind { A = 1 }
          export type Input = string;
          export interface Output {}
          export const { greet } = proxyActivities({ startToCloseTimeout: 1 });
          export function first() {}
          export const second = async () => {};
          const local = first;
          export { local as third, direct as fourth };
          export * from './other';
          export * as namespace from './other';
          export default async function fallback() {}
        `,
        'other.ts': `
          const wrap = (f: Function) => f;
          export const wrapped = wrap(() => {});
          export default function hidden() {}
        `,
      },
      { hostModules: {} },
    );
    // Of greet, only running the code could tell.
    expect(bundle.workflowTypes).toEqual([
      'default',
      'first',
      'fourth',
      'greet',
      'second',
      'third',
      'wrapped',
    ]);
  });

  it('gives the default export under the type "default"', async () => {
    const { realm } = await bundleProject({ 'workflows.ts': `export default async () => 'any';` });
    expect(await realm.newRun().workflow('default')()).toBe('any');
  });

  it('evaluates only what the asked workflow imports', async () => {
    const { realm, bundle } = await bundleProject({
      'workflows.ts': `export * from './a'; export { b } from './b';`,
      'a.ts': `import './only-a'; import { shared } from './shared'; ${trace}('a'); export async function a() { return shared(); }`,
      'b.ts': `import './only-b'; import { shared } from './shared'; ${trace}('b'); export async function b() { return shared(); }`,
      'only-a.ts': `${trace}('only-a');`,
      'only-b.ts': `${trace}('only-b');`,
      'shared.ts': `${trace}('shared'); export const shared = () => 'shared';`,
    });
    expect(bundle.workflowTypes).toEqual(['a', 'b']);
    const run = realm.newRun();
    expect(await run.workflow('a')()).toBe('shared');
    expect(run.globals.trace).toEqual(['only-a', 'shared', 'a']);
    const other = realm.newRun();
    await other.workflow('b')();
    expect(other.globals.trace).toEqual(['only-b', 'shared', 'b']);
  });

  it('keeps the effects of files on the way to a workflow, first and once', async () => {
    const { realm } = await bundleProject({
      'workflows.ts': `import './setup'; export * from './a'; export * from './b';`,
      'setup.ts': `${trace}('setup');`,
      'a.ts': `${trace}('a'); export async function a() {}`,
      'b.ts': `${trace}('b'); export async function b() {}`,
    });
    const run = realm.newRun();
    run.workflow('a');
    run.workflow('a');
    expect(run.globals.trace).toEqual(['setup', 'a']);
  });

  it('evaluates all of a file that does more than re-export', async () => {
    const { realm } = await bundleProject({
      'workflows.ts': `export * from './a'; export * from './b'; ${trace}('workflows');`,
      'a.ts': `${trace}('a'); export async function a() {}`,
      'b.ts': `${trace}('b'); export async function b() {}`,
    });
    const run = realm.newRun();
    run.workflow('b');
    expect(run.globals.trace).toEqual(['a', 'b', 'workflows']);
  });

  it('evaluates modules in import order, also where only some types share them', async () => {
    const { realm } = await bundleProject({
      'workflows.ts': `export * from './a'; export * from './b';`,
      'a.ts': `import './first'; import './common'; ${trace}('a'); export async function a() {}`,
      'b.ts': `import './common'; ${trace}('b'); export async function b() {}`,
      'first.ts': `${trace}('first');`,
      'common.ts': `${trace}('common');`,
    });
    const run = realm.newRun();
    run.workflow('a');
    expect(run.globals.trace).toEqual(['first', 'common', 'a']);
  });

  it('gives every run its own module state', async () => {
    const { realm } = await bundleProject({
      'workflows.ts': `let count = 0; export async function next() { return ++count; }`,
    });
    const [one, two] = [realm.newRun(), realm.newRun()];
    expect([await one.workflow('next')(), await one.workflow('next')()]).toEqual([1, 2]);
    expect(await two.workflow('next')()).toBe(1);
  });

  it('keeps definitions that several types share one object within a run', async () => {
    const { realm } = await bundleProject(
      {
        'workflows.ts': `
          import { defineSignal } from '@perdure/workflow';
          export const approve = defineSignal('approve');
          export * from './a';
          export * from './b';`,
        'a.ts': `import './only-a'; import { approve } from './workflows'; export async function a() { return approve; }`,
        'b.ts': `import { approve } from './workflows'; export async function b() { return approve; }`,
        'only-a.ts': `${trace}('only-a');`,
      },
      {
        hostModules: { '@perdure/workflow': { defineSignal: (name: string) => ({ type: 'signal', name }) } },
      },
    );
    const run = realm.newRun();
    const approve = await run.workflow('a')();
    expect(approve).toEqual({ type: 'signal', name: 'approve' });
    expect(await run.workflow('b')()).toBe(approve);
    expect(await realm.newRun().workflow('b')()).not.toBe(approve);
  });

  it('copes with modules that import each other', async () => {
    const { realm } = await bundleProject({
      'workflows.ts': `
        import { isEven } from './even';
        export async function main(n: number) { return isEven(n); }
        export async function other() { return isEven(1); }`,
      'even.ts': `import { isOdd } from './odd'; export function isEven(n: number): boolean { return n === 0 || isOdd(n - 1); }`,
      'odd.ts': `import { isEven } from './even'; export function isOdd(n: number): boolean { return n !== 0 && isEven(n - 1); }`,
    });
    expect(await realm.newRun().workflow('main')(7)).toBe(false);
  });

  it('leaves host modules to the host', async () => {
    const { realm, bundle } = await bundleProject(
      {
        'workflows.ts': `
          import { sleep } from '@perdure/workflow';
          import assert, { strictEqual } from 'node:assert';
          import * as util from 'util';
          import url from 'url';
          export async function main() {
            assert(true);
            strictEqual(1, 1);
            return [await sleep(1), typeof util.TextEncoder, typeof url.URL];
          }`,
      },
      { hostModules: { '@perdure/workflow': { sleep: async (ms: number) => ms } } },
    );
    expect(await realm.newRun().workflow('main')()).toEqual([1, 'function', 'function']);
    expect(bundle.code).toContain(`require('@perdure/workflow')`);
  });

  it('takes a chunk named like a host module for what it is', async () => {
    const { realm } = await bundleProject({
      'workflows.ts': `export * from './a'; export * from './b';`,
      'a.ts': `import { own } from './util'; export async function a() { return own; }`,
      'b.ts': `import { own } from './util'; export async function b() { return own; }`,
      'util.ts': `export const own = { of: 'project' };`,
    });
    expect(await realm.newRun().workflow('b')()).toEqual({ of: 'project' });
  });

  it('turns free names into properties of the run’s global object', async () => {
    const { realm } = await bundleProject({
      'workflows.ts': `
        declare let counter: number; declare function hook(): any; declare const process: any, global: any, self: any;
        export async function main() {
          counter = 1;
          counter++;
          const undefinedThis = hook();
          return [counter, undefinedThis, typeof process, global === globalThis, self === globalThis];
        }`,
    });
    const run = realm.newRun();
    run.globals.hook = function (this: unknown) {
      return this;
    };
    expect(await run.workflow('main')()).toEqual([2, undefined, 'undefined', true, true]);
    expect(run.globals.counter).toBe(2);
    expect('counter' in realm.newRun().globals).toBe(false);
  });

  it('is a production build for libraries that ask', async () => {
    const { realm, bundle } = await bundleProject({
      'workflows.js': `
        export async function main() {
          const text = 'process.env.NODE_ENV';
          if (process.env.NODE_ENV !== 'production') return 'development only';
          return [text, process.env.NODE_ENV];
        }`,
    });
    expect(await realm.newRun().workflow('main')()).toEqual(['process.env.NODE_ENV', 'production']);
    expect(bundle.code).not.toContain('development only');
  });

  it('carries interceptors and converters in places of their own', async () => {
    const project = makeProject({
      'workflows.ts': `export async function main() {} export const interceptors = () => ({});`,
      'tracing.ts': `export const interceptors = () => ({ inbound: [] });`,
      'converter.ts': `export const payloadConverter = { toPayload() { return 1; } };`,
      'failures.ts': `export const failureConverter = { kind: 'failure' };`,
    });
    const bundle = await bundleWorkflowCode({
      workflowsPath: project.path('workflows'),
      workflowInterceptorModules: [project.path('tracing.ts'), project.path('workflows.ts')],
      payloadConverterPath: project.path('converter'),
      failureConverterPath: project.path('failures.ts'),
      cache: false,
    });
    expect(bundle.workflowTypes).toEqual(['main']);
    const realm = new TestRealm(bundle.code);
    const run = realm.newRun();
    const exportsOf = (id: string) => run.require(id) as Record<string, any>;
    expect(realm.bundle.interceptors.map((id) => exportsOf(id).interceptors())).toEqual([
      { inbound: [] },
      {},
    ]);
    expect(exportsOf(realm.bundle.payloadConverter!).payloadConverter.toPayload()).toBe(1);
    expect(exportsOf(realm.bundle.failureConverter!).failureConverter.kind).toBe('failure');
  });

  it('puts preloaded modules and what they need into chunks that runs share', async () => {
    const { realm } = await bundleProject(
      {
        'workflows.ts': `
          import { chunk } from 'lodash-es';
          import { own } from './own';
          export async function main() { return [chunk([1, 2], 1), own]; }
          export async function other() {}`,
        'own.ts': `export const own = ['own'];`,
      },
      { packages: ['lodash-es'], preloadModules: ['lodash-es'] },
    );
    expect(realm.bundle.shared).toHaveLength(1);
    const run = realm.newRun();
    await run.workflow('main')();
    expect(run.evaluated).toContain(realm.bundle.shared[0]);
    const factory = realm.bundle.chunks.find(([id]) => id === realm.bundle.shared[0])![1];
    expect(String(factory)).toContain('function chunk');
    expect(String(factory)).not.toContain(`['own']`);
  });

  it('preloads CommonJS modules as well', async () => {
    const { realm } = await bundleProject(
      {
        'workflows.ts': `
          import dayjs from 'dayjs';
          export async function main() { return dayjs(0).valueOf(); }
          export async function other() { return dayjs(1).valueOf(); }`,
      },
      { packages: ['dayjs'], preloadModules: ['dayjs'] },
    );
    const [run, other] = [realm.newRun(), realm.newRun()];
    expect([await run.workflow('main')(), await other.workflow('other')()]).toEqual([0, 1]);
    const own = realm.bundle.chunks.filter(([id]) => !realm.bundle.shared.includes(id));
    expect(own.map(([, factory]) => String(factory)).join()).not.toContain('isDayjs');
  });

  it('bundles no workflows from a module without functions, and says so', async () => {
    const { bundle } = await bundleProject({ 'workflows.ts': `export const nothing = 1;` });
    expect(bundle.workflowTypes).toEqual([]);
    expect(bundle.warnings[0]!.message).toContain('exports no function');
  });

  it('reaches a workflow whose name is no identifier', async () => {
    const { realm } = await bundleProject({
      'workflows.js': `async function main() { return 1; } export { main as 'billing/charge' };`,
    });
    expect(await realm.newRun().workflow('billing/charge')()).toBe(1);
  });

  it('has the same text and hash whenever it is built from the same sources', async () => {
    const project = makeProject({
      'workflows.ts': `export * from './a'; export * from './b';`,
      'a.ts': `import { s } from './s'; export async function a() { return s; }`,
      'b.ts': `import { s } from './s'; export async function b() { return s; }`,
      's.ts': `export const s = {};`,
    });
    const options = { workflowsPath: project.path('workflows.ts'), cache: false };
    const [one, two] = [await bundleWorkflowCode(options), await bundleWorkflowCode(options)];
    expect(two.code).toBe(one.code);
    expect(two.hash).toBe(one.hash);
  });

  it('runs plugins over the options, in order', async () => {
    const project = makeProject({ 'workflows.ts': `export async function main() {}` });
    const bundle = await bundleWorkflowCode({
      workflowsPath: 'to be replaced',
      cache: false,
      plugins: [
        { name: 'one', configureBundler: (options) => ({ ...options, workflowsPath: 'still not' }) },
        {
          name: 'two',
          configureBundler: (options) => ({ ...options, workflowsPath: project.path('workflows.ts') }),
        },
      ],
    });
    expect(bundle.workflowTypes).toEqual(['main']);
  });

  it('lets an ignored module be imported and passed around, and throws when it is used', async () => {
    const { realm } = await bundleProject(
      {
        'workflows.ts': `
          import { readFileSync } from 'node:fs';
          import * as http from 'http';
          import { Readable } from 'stream';
          class Mine extends Readable {}
          export async function main() { return [typeof readFileSync, typeof http.request, typeof Mine]; }
          export async function use() { readFileSync('x'); }`,
      },
      { ignoreModules: ['fs', 'http', 'stream'] },
    );
    const run = realm.newRun();
    expect(await run.workflow('main')()).toEqual(['function', 'function', 'function']);
    await expect(run.workflow('use')()).rejects.toThrow(
      /node:fs.readFileSync is not available .*ignoreModules/,
    );
  });
});

describe('TypeScript', () => {
  it('compiles what type stripping alone cannot', async () => {
    const { realm } = await bundleProject(
      {
        'tsconfig.json': `{
          // comments and trailing commas are fine
          "compilerOptions": { "experimentalDecorators": true, },
        }`,
        'workflows.ts': `
          import type { Only } from './types';
          import { type AlsoOnly, value } from './types';
          import { Elided } from './types';
          export { Elided } from './types';
          enum Kind { A, B = 'b'.length, C = 1 << 3 }
          const enum Fixed { One = 1 }
          namespace Shapes { export const sides = 4; export namespace Inner { export const depth = sides + 1; } }
          const log: string[] = [];
          function logged(target: any, key: string, descriptor: PropertyDescriptor) {
            const original = descriptor.value;
            descriptor.value = function (...args: any[]) { log.push(key); return original.apply(this, args); };
          }
          class Point {
            constructor(private readonly x: number, protected y = 2) {}
            @logged sum() { return this.x + this.y; }
          }
          abstract class Base { abstract name: string; declare only: number; }
          const table = { a: 1 } satisfies Record<string, number>;
          let elided: Elided | Only | AlsoOnly;
          export async function main(this: unknown) {
            const order: string[] = [];
            {
              using first = { [Symbol.dispose ?? Symbol.for('Symbol.dispose')]() { order.push('first'); } };
              await using second = { async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() { order.push('second'); } };
              order.push('body');
            }
            return [Kind[0], Kind.C, Fixed.One, Shapes.Inner.depth, new Point(1).sum(), log, table!.a as number, value, order];
          }`,
        'types.ts': `export interface Only {} export type AlsoOnly = 1; export interface Elided {} export const value = <T,>(v: T) => v;`,
      },
      {},
    );
    const result = await realm.newRun().workflow('main')();
    expect(JSON.parse(JSON.stringify(result))).toEqual([
      'A',
      8,
      1,
      5,
      3,
      ['sum'],
      1,
      null,
      ['body', 'second', 'first'],
    ]);
  });

  it('assigns class fields where the tsconfig targets old JavaScript', async () => {
    const files = {
      'workflows.ts': `
        class Base { set value(v: number) { (this as any).seen = v; } }
        class Derived extends Base { value = 1; declared?: string; }
        export async function main() { return [(new Derived() as any).seen ?? 'defined', 'declared' in new Derived()]; }`,
    };
    const modern = await bundleProject(files);
    expect(await modern.realm.newRun().workflow('main')()).toEqual(['defined', true]);
    const old = await bundleProject({
      ...files,
      'tsconfig.json': '{ "compilerOptions": { "target": "es2019" } }',
    });
    expect(await old.realm.newRun().workflow('main')()).toEqual([1, false]);
  });

  it('follows paths and baseUrl of the tsconfig, through extends', async () => {
    const { realm } = await bundleProject({
      'app/tsconfig.json': '{ "extends": ["../base.json"] }',
      'base.json':
        '{ "compilerOptions": { "baseUrl": "./shared", "paths": { "@lib/*": ["lib/*", "fallback/*"], "@exact": ["exact.ts"] } } }',
      'app/workflows.ts': `
        import { a } from '@lib/a'; import { b } from '@lib/b.js'; import { c } from '@exact'; import { d } from 'plain';
        export async function main() { return [a, b, c, d]; }`,
      'shared/lib/a.ts': `export const a = 'a';`,
      'shared/fallback/b.ts': `export const b = 'b';`,
      'shared/exact.ts': `export const c = 'c';`,
      'shared/plain/index.ts': `export const d = 'd';`,
    });
    expect(await realm.newRun().workflow('main')()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('imports CommonJS the way TypeScript writes it', async () => {
    const { realm } = await bundleProject({
      'workflows.ts': `import helper = require('./helper.cjs'); export async function main() { return helper.twice(2); }`,
      'helper.cjs': `exports.twice = (n) => n * 2;`,
    });
    expect(await realm.newRun().workflow('main')()).toBe(4);
  });

  it('keeps JSX cheap: it becomes calls of the configured factory', async () => {
    const { realm } = await bundleProject({
      'tsconfig.json': '{ "compilerOptions": { "jsx": "react", "jsxFactory": "h" } }',
      'workflows.tsx': `
        const h = (tag: string, props: object | null, ...children: unknown[]) => [tag, props, ...children];
        export async function main() { return <b id="1">hi</b>; }`,
    });
    expect(await realm.newRun().workflow('main')()).toEqual(['b', { id: '1' }, 'hi']);
  });
});

describe('CommonJS and JSON', () => {
  it('finds the workflows of a CommonJS module', async () => {
    const { realm, bundle } = await bundleProject({
      'workflows.js': `
        'use strict';
        Object.defineProperty(exports, '__esModule', { value: true });
        exports.main = main;
        const wf = require('./lib');
        async function main() { return wf.two(); }
        exports.other = async () => {};`,
      'lib.js': `module.exports = { two: () => 2 };`,
    });
    expect(bundle.workflowTypes).toEqual(['main', 'other']);
    expect(await realm.newRun().workflow('main')()).toBe(2);
  });

  it('gives host modules to compiled workflows as they are', async () => {
    const { realm } = await bundleProject(
      {
        'workflows.js': `
          'use strict';
          Object.defineProperty(exports, '__esModule', { value: true });
          exports.main = main;
          const wf = require('@perdure/workflow');
          const { sleep } = require('@perdure/workflow');
          const util_1 = require('util');
          async function main() { return [await (0, wf.sleep)(1), sleep === wf.sleep, typeof util_1.TextEncoder]; }`,
      },
      { hostModules: { '@perdure/workflow': { __esModule: true, sleep: async (ms: number) => ms } } },
    );
    expect(await realm.newRun().workflow('main')()).toEqual([1, true, 'function']);
  });

  it('lets types of a compiled file of re-exports pay for their own imports only', async () => {
    const barrel = `"use strict";
var __createBinding = (this && this.__createBinding) || (Object.create ? (function(o, m, k, k2) {
    if (k2 === undefined) k2 = k;
    o[k2] = m[k];
}) : (function(o, m, k, k2) {
    o[k2] = m[k];
}));
var __exportStar = (this && this.__exportStar) || function(m, exports) {
    for (var p in m) if (p !== "default" && !Object.prototype.hasOwnProperty.call(exports, p)) __createBinding(exports, m, p);
};
Object.defineProperty(exports, "__esModule", { value: true });
__exportStar(require("./a"), exports);
__exportStar(require("./b"), exports);
`;
    const { realm, bundle } = await bundleProject({
      'workflows.js': barrel,
      'a.js': `"use strict"; Object.defineProperty(exports, "__esModule", { value: true }); exports.a = a; ${trace}('a'); async function a() { return 'a'; }`,
      'b.js': `"use strict"; Object.defineProperty(exports, "__esModule", { value: true }); exports.b = b; ${trace}('b'); async function b() { return 'b'; }`,
    });
    expect(bundle.workflowTypes).toEqual(['a', 'b']);
    const run = realm.newRun();
    expect(await run.workflow('b')()).toBe('b');
    expect(run.globals.trace).toEqual(['b']);
  });

  it('follows require in files with import and export, as TypeScript that is compiled to CommonJS does', async () => {
    const { realm, bundle } = await bundleProject({
      'workflows.ts': `
        import { twice } from './es';
        const { name } = require('./lib.cjs') as { name: string };
        const early = require('./es') as typeof import('./es');
        export async function main() {
          const { late } = require('./late') as { late: string };
          return [name, early.twice(2), twice(3), late].join();
        }
        export async function computed() { return require(['x', 'y'].join()); }`,
      'es.ts': `export const twice = (n: number) => n * 2;`,
      'lib.cjs': `exports.name = 'lib';`,
      'late.ts': `${trace}('late'); export const late = 'late';`,
    });
    expect(bundle.workflowTypes).toEqual(['computed', 'main']);
    const run = realm.newRun();
    expect(await run.workflow('main')()).toBe('lib,4,6,late');
    expect(run.globals.trace).toEqual(['late']);
    await expect(realm.newRun().workflow('computed')()).rejects.toThrow(/x,y/);
  });

  it('requires lazily, in order, and each module once', async () => {
    const { realm } = await bundleProject({
      'workflows.ts': `import lib from './lib.cjs'; export async function main() { return lib.use(); }`,
      'lib.cjs': `
        ${trace}('lib');
        exports.use = () => { require('./late.cjs'); require('./late.cjs'); return typeof module + this; };`,
      'late.cjs': `${trace}('late');`,
    });
    const run = realm.newRun();
    const main = run.workflow('main');
    expect(run.globals.trace).toEqual(['lib']);
    await main();
    expect(run.globals.trace).toEqual(['lib', 'late']);
  });

  it('gives JSON as default and as named members, and to require as the value', async () => {
    const { realm, bundle } = await bundleProject({
      'workflows.ts': `
        import settings, { limit } from './settings.json';
        import list from './list.json' with { type: 'json' };
        import lib from './lib.cjs';
        export async function main() { return [settings, limit, list, lib]; }`,
      'settings.json': `{ "limit": 3, "with-dash": true, "class": null, "__proto__": 1 }`,
      'list.json': `[1, "\u2028"]`,
      'lib.cjs': `module.exports = require('./settings.json')['with-dash'];`,
    });
    const [settings, limit, list, lib] = await realm.newRun().workflow('main')();
    expect(settings.limit).toBe(3);
    expect(settings['with-dash']).toBe(true);
    expect(Object.hasOwn(settings, '__proto__')).toBe(true);
    expect([limit, list[1], lib]).toEqual([3, '\u2028', true]);
    expect(bundle.inputFiles.some((file) => file.endsWith('settings.json'))).toBe(true);
  });
});

describe('what cannot be bundled', () => {
  it('is reported all at once, with the chain of imports and a hint', async () => {
    const error = await bundleFailure({
      'workflows.ts': `import { a } from './a'; import { Client } from '@perdure/client'; export async function main() { return [a, new Client()]; }`,
      'a.ts': `import { b } from './b'; export const a = () => b;`,
      'b.ts': `\nimport { readFileSync } from 'node:fs';\nimport crypto from 'crypto';\nimport 'no-such-package';\nexport const b = [readFileSync, crypto];`,
    });
    expect(error.code).toBe('BUNDLE_MODULE_DISALLOWED');
    expect(error.hint).toContain('activity');
    const of = (text: string) => error.problems.find(({ message }) => message.includes(text))!;
    expect(error.problems).toHaveLength(4);
    expect(of('node:fs')).toMatchObject({
      line: 2,
      importChain: [
        expect.stringMatching(/workflows\.ts$/),
        expect.stringMatching(/a\.ts$/),
        expect.stringMatching(/b\.ts$/),
      ],
    });
    expect(of('crypto').message).toContain('uuid4');
    expect(of('@perdure/client').file).toMatch(/workflows\.ts$/);
    expect(of('no-such-package').message).toContain('no package "no-such-package" is installed');
  });

  it('may be in a dependency as long as nothing the workflow uses reaches it', async () => {
    const files = (use: string) => ({
      'workflows.ts': `import { ${use} } from 'some-lib'; export async function main() { return ${use}(); }`,
      'node_modules/some-lib/package.json': `{ "name": "some-lib", "module": "index.js", "sideEffects": false }`,
      'node_modules/some-lib/index.js': `import fs from 'fs'; export const safe = () => 1; export const unsafe = () => fs.readFileSync('x');`,
    });
    const { realm } = await bundleProject(files('safe'));
    expect(await realm.newRun().workflow('main')()).toBe(1);
    const error = await bundleFailure(files('unsafe'));
    expect(error.code).toBe('BUNDLE_MODULE_DISALLOWED');
    expect(error.problems[0]!.importChain).toHaveLength(2);
  });

  it('is import(), in user code and hidden in dependencies', async () => {
    const own = await bundleFailure({
      'workflows.ts': `enum Filler { A }\n\nexport async function main() {\n  return await import('./late');\n}`,
      'late.ts': `export const late = 1;`,
    });
    expect(own.code).toBe('BUNDLE_DYNAMIC_IMPORT');
    expect(own.problems[0]).toMatchObject({ line: 4, column: 16 });
    expect(own.problems[0]!.file).toMatch(/workflows\.ts$/);
    expect(own.problems[0]!.codeFrame).toContain(`import('./late')`);

    for (const library of [
      `export const load = (name) => import(name);`,
      `export const load = (name) => { const f = () => { return import(/* hidden */ name + '.js') }; return f(); };`,
      `module.exports.load = (name) => import(name);`,
      `exports.load = (name) => { try { return import(name); } catch {} };`,
    ]) {
      const error = await bundleFailure({
        'workflows.ts': `import { load } from 'lib'; export async function main() { return load('x'); }`,
        'node_modules/lib/package.json': `{ "name": "lib", "main": "index.js" }`,
        'node_modules/lib/index.js': library,
      });
      expect(error.code).toBe('BUNDLE_DYNAMIC_IMPORT');
      expect(error.problems[0]!.file).toMatch(/lib\/index\.js$/);
      expect(error.problems[0]!.importChain).toHaveLength(2);
    }
  });

  it('is no import() when the word stands in a string, a comment or a method name', async () => {
    const { realm } = await bundleProject({
      'workflows.ts': `
        // import('x')
        const loader = { import: (name: string) => name };
        export async function main() { return [loader.import('y'), "import('z')"]; }`,
    });
    expect(await realm.newRun().workflow('main')()).toEqual(['y', "import('z')"]);
  });

  it('is import.meta and await at the top level', async () => {
    const meta = await bundleFailure({
      'workflows.ts': `export async function main() {\n return import.meta.url; }`,
    });
    expect(meta.code).toBe('BUNDLE_IMPORT_META');
    expect(meta.problems[0]).toMatchObject({ line: 2, column: 9 });
    const bare = await bundleFailure({
      'workflows.ts': `export async function main() { return import.meta; }`,
    });
    expect(bare.code).toBe('BUNDLE_IMPORT_META');
    const wait = await bundleFailure({
      'workflows.ts': `import { x } from './x'; export async function main() { return x; }`,
      'x.ts': `type T = 1;\nconst ready: Promise<number> = Promise.resolve(1);\nexport const x = await ready;`,
    });
    expect(wait.code).toBe('BUNDLE_TOP_LEVEL_AWAIT');
    expect(wait.problems[0]).toMatchObject({ line: 3, column: 18 });
    expect(wait.problems[0]!.importChain).toHaveLength(2);
  });

  it('is a syntax error, shown where it is, in every file that has one', async () => {
    const error = await bundleFailure({
      'workflows.ts': `import { x } from './x';\nimport { y } from './y';\nexport async function main() { return [x, y]; }`,
      'x.ts': `const ü = 'ü';\nexport const x: number = 1 +;`,
      'y.ts': `export const y = {`,
    });
    expect(error.code).toBe('BUNDLE_SYNTAX_INVALID');
    const x = error.problems.find(({ file }) => file!.endsWith('x.ts'))!;
    expect(x).toMatchObject({ line: 2, column: 29 });
    expect(x.codeFrame).toContain('> 2 | export const x: number = 1 +;');
    expect(error.problems.some(({ file }) => file!.endsWith('y.ts'))).toBe(true);
    const script = await bundleFailure({
      'workflows.js': `export const a = 1;\nexport function main() { return a b; }`,
    });
    expect(script.code).toBe('BUNDLE_SYNTAX_INVALID');
    expect(script.problems[0]).toMatchObject({ line: 2 });
  });

  it('is syntax that this Node.js does not have, with the tsconfig option that would help', async () => {
    const error = await bundleFailure({
      'workflows.ts': `function d(v: any, c: any) { return v; }\nexport class A {\n  @d m() {}\n}\nexport async function main() { return new A(); }`,
    });
    expect(error.code).toBe('BUNDLE_SYNTAX_INVALID');
    expect(error.problems[0]).toMatchObject({ line: 3, column: 3 });
    expect(error.hint).toContain('experimentalDecorators');
  });

  it('is a comment of HTML, by which a script reads other code than a module', async () => {
    const error = await bundleFailure({
      'workflows.js': `export async function main(x, y) { return x <!-- y; /*\nimport('x') */ y; }`,
    });
    expect(error.code).toBe('BUNDLE_SYNTAX_INVALID');
  });

  it('is a missing module, interceptors export, or file', async () => {
    expect((await bundleFailure({ 'x.ts': '' }, { workflowsPath: '/no/such/file' })).code).toBe(
      'BUNDLE_ENTRY_NOT_FOUND',
    );
    const project = makeProject({
      'workflows.ts': 'export async function main() {}',
      'i.ts': 'export const other = 1;',
    });
    await expect(
      bundleWorkflowCode({
        workflowsPath: project.path('workflows.ts'),
        workflowInterceptorModules: [project.path('i.ts')],
        cache: false,
      }),
    ).rejects.toMatchObject({ code: 'BUNDLE_EXPORT_MISSING' });
    const unresolved = await bundleFailure({
      'workflows.ts': `import { x } from './gone'; export async function main() { return x; }`,
    });
    expect(unresolved.code).toBe('BUNDLE_IMPORT_UNRESOLVED');
    expect(unresolved.problems[0]).toMatchObject({ line: 1, column: 14 });
  });

  it('is a wrong option, all of them named in one error', async () => {
    await expect(
      bundleWorkflowCode({ workflowPath: 'x', ignoreModules: 'fs', cache: 3 } as never),
    ).rejects.toMatchObject({
      code: 'BUNDLE_OPTIONS_INVALID',
      problems: [
        { message: 'unknown option workflowPath; did you mean workflowsPath?' },
        { message: 'workflowsPath must be a path, got undefined' },
        { message: 'ignoreModules must be an array of non-empty strings, got "fs"' },
        { message: 'cache must be a boolean or an object, got 3' },
      ],
    });
    await expect(
      bundleWorkflowCode({ workflowsPath: 'x', webpackConfigHook: (config: unknown) => config }),
    ).rejects.toMatchObject({ code: 'BUNDLE_WEBPACK_HOOK_UNSUPPORTED' });
  });
});
