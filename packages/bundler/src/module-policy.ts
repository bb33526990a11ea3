/**
 * Which modules workflow code may import, decided by the specifier alone.
 *
 * P1  Host modules stay imports: the realm provides them.
 * P2  What the user listed in `ignoreModules` wins over every refusal.
 */
import { builtinModules } from 'node:module';
import { HOST_MODULES } from '@perdure/common/bundle';

export type ModuleVerdict =
  | { readonly kind: 'host' }
  /** Becomes a stub whose use throws. */
  | { readonly kind: 'ignored' }
  /** Becomes an empty module: harmless here and of no use. */
  | { readonly kind: 'empty' }
  /** A Node.js built-in; refused unless `installable` and a package of that name is installed. */
  | { readonly kind: 'refused'; readonly hint: string; readonly installable: boolean }
  | { readonly kind: 'ordinary' };

const HOST = new Set(HOST_MODULES);
const BUILTINS = new Set(builtinModules.filter((name) => !name.startsWith('_')));

const IN_ACTIVITY = 'do this in an activity and call it through proxyActivities';

/** Better advice than the general one, for the modules people reach for most. */
const BUILTIN_HINTS: Record<string, string> = {
  crypto: 'use uuid4() of @perdure/workflow for ids; do other cryptography in an activity',
  timers: 'setTimeout and sleep() of @perdure/workflow are durable timers',
  'timers/promises': 'use sleep() of @perdure/workflow',
  process: 'pass settings as workflow arguments, or read them in an activity',
  async_hooks: 'AsyncLocalStorage is a global in workflow code',
  path: 'the npm package path-browserify does the same without Node.js',
  'path/posix': 'the npm package path-browserify does the same without Node.js',
  events: 'install the npm package events, it is used when it is there',
  buffer: 'install the npm package buffer, it is used when it is there',
  perf_hooks: 'Date.now() is the time of the workflow; measure elsewhere',
};

const SDK_HINTS: Record<string, string> = {
  activity: 'import only types of it (import type), and call activities through proxyActivities',
  client:
    'use a client in an activity; workflows talk to others through getExternalWorkflowHandle and signals',
  worker: 'the worker runs outside the workflow; keep it in another file',
  testing: 'tests run outside the workflow; keep them in another file',
  core: 'the native core runs outside the workflow',
  'core-bridge': 'the native core runs outside the workflow',
  bundler: 'the bundler runs outside the workflow',
  sandbox: 'the sandbox runs outside the workflow',
  'dev-server': 'the server runs outside the workflow',
};

function withoutScheme(specifier: string): string {
  return specifier.startsWith('node:') ? specifier.slice('node:'.length) : specifier;
}

function belongsTo(specifier: string, module: string): boolean {
  return specifier === module || specifier.startsWith(`${module}/`);
}

export function judgeModule(specifier: string, ignoreModules: readonly string[]): ModuleVerdict {
  const bare = withoutScheme(specifier);
  if (ignoreModules.some((module) => belongsTo(bare, withoutScheme(module)))) return { kind: 'ignored' }; // P2
  if (HOST.has(specifier)) return { kind: 'host' }; // P1
  const builtin = specifier.startsWith('node:') || BUILTINS.has(bare) || BUILTINS.has(bare.split('/')[0]!);
  if (builtin) {
    return {
      kind: 'refused',
      hint: BUILTIN_HINTS[bare] ?? IN_ACTIVITY,
      installable: !specifier.startsWith('node:'),
    };
  }
  const sdk = /^@(perdure|temporalio)\/([^/]+)/.exec(specifier);
  if (sdk !== null) {
    const hint = SDK_HINTS[sdk[2]!];
    if (hint !== undefined) return { kind: 'refused', hint, installable: false };
    if (sdk[1] === 'temporalio' && sdk[2] === 'workflow') {
      return { kind: 'refused', hint: 'import @perdure/workflow instead', installable: false };
    }
  }
  // Polyfills patch intrinsics, which are frozen, and the realm has what they would add.
  if (belongsTo(specifier, 'core-js') || belongsTo(specifier, 'core-js-bundle')) return { kind: 'empty' };
  return { kind: 'ordinary' };
}

/**
 * Source of the module that stands for an ignored one: importing it is fine, whatever is taken from it can be
 * passed around and extended, and calling it throws.
 */
export function ignoredModuleSource(specifier: string): string {
  return `
const refuse = (path) => {
  throw new Error(path + ' is not available in workflow code: module ' + ${JSON.stringify(JSON.stringify(specifier))} + ' is listed in ignoreModules');
};
const stub = (path) => new Proxy(function () {}, {
  get: (target, key) =>
    typeof key === 'symbol' || key === 'then' || key === '__esModule'
      ? undefined
      : key === 'prototype' ? target.prototype : stub(path + '.' + key),
  apply: () => refuse(path),
  construct: () => refuse(path),
});
const ignored = stub(${JSON.stringify(specifier)});
export default ignored;
`;
}
