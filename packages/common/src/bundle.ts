/**
 * The contract between the bundler and whoever runs a bundle: what a bundle's script evaluates to.
 *
 * B1  The script is one strict-mode expression statement; its completion value is a WorkflowBundle.
 * B2  Evaluating it runs no user code: factories do, once per run, on first import.
 * B3  A factory names free variables only from REALM_GLOBALS; every other free name has become a property
 *     of the run's `globalThis`, which it gets as a parameter.
 */

/** Current value of WorkflowBundle.format. */
export const BUNDLE_FORMAT = 1;

/**
 * Evaluates one chunk of a bundle for one run.
 * @param globalThis_ the run's own global object
 * @param require_ gives the exports of another chunk (by id) or of a host module (by specifier)
 * @param exports_ to be filled
 */
export type ChunkFactory = (
  globalThis_: object,
  require_: (id: string) => object,
  exports_: Record<string, unknown>,
) => void;

/** Value of a bundle's script. */
export interface WorkflowBundle {
  readonly format: number;
  /** [workflow type, chunk id, export name of the workflow function in that chunk]. "default" catches unknown types. */
  readonly workflows: readonly (readonly [type: string, chunk: string, exportName: string])[];
  /** Chunks whose export `interceptors` is a WorkflowInterceptorsFactory, in order. */
  readonly interceptors: readonly string[];
  /** Chunk that exports `payloadConverter`. */
  readonly payloadConverter?: string;
  /** Chunk that exports `failureConverter`. */
  readonly failureConverter?: string;
  /** Chunks evaluated once per realm and shared, frozen, by all runs (`preloadModules`). */
  readonly shared: readonly string[];
  readonly chunks: readonly (readonly [id: string, factory: ChunkFactory])[];
}

/** Modules that the host of a bundle provides; the bundler leaves them as `require_(specifier)`. */
export const HOST_MODULES: readonly string[] = [
  '@perdure/workflow',
  '@perdure/common',
  'assert',
  'node:assert',
  'url',
  'node:url',
  'util',
  'node:util',
];

/**
 * Names that a chunk may use freely: they mean the same, frozen thing in every run of a realm.
 * The sandbox's policy table (packages/sandbox/src/policy.ts) says for each what it is and why.
 */
export const REALM_GLOBALS: readonly string[] = [
  'undefined',
  'NaN',
  'Infinity',
  'Object',
  'Function',
  'Array',
  'Number',
  'Boolean',
  'String',
  'Symbol',
  'BigInt',
  'parseInt',
  'parseFloat',
  'isNaN',
  'isFinite',
  'decodeURI',
  'decodeURIComponent',
  'encodeURI',
  'encodeURIComponent',
  'escape',
  'unescape',
  'Math',
  'JSON',
  'Reflect',
  'Proxy',
  'Intl',
  'Date',
  'RegExp',
  'Promise',
  'Map',
  'Set',
  'WeakMap',
  'WeakSet',
  'WeakRef',
  'FinalizationRegistry',
  'ArrayBuffer',
  'DataView',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'Error',
  'TypeError',
  'RangeError',
  'SyntaxError',
  'ReferenceError',
  'EvalError',
  'URIError',
  'AggregateError',
  'Iterator',
  'setTimeout',
  'clearTimeout',
  'console',
  'URL',
  'URLSearchParams',
  'TextEncoder',
  'TextDecoder',
  'AbortController',
  'AbortSignal',
];
