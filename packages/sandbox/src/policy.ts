/**
 * What a realm offers to workflow code, as one table: every global of a fresh context and every global that
 * the sandbox adds, with the treatment it gets and the reason.
 *
 * P1  A name that a fresh context has and this table does not know is removed (a newer V8 brings new names).
 * P2  The rows with `free` are exactly REALM_GLOBALS of `@perdure/common/bundle`: the names a chunk may use
 *     without asking its run's `globalThis`.
 */

/**
 * keep: as V8 made it, frozen. replace: the sandbox's or the runtime's own object under the name.
 * refuse: stays so that `typeof` and `instanceof` work, throws when used. remove: absent.
 */
export type Treatment = 'keep' | 'replace' | 'refuse' | 'remove';

/** One row of the policy. */
export interface PolicyRow {
  readonly name: string;
  readonly treatment: Treatment;
  readonly reason: string;
  /** True: chunks name it freely. False: reachable only as a property of the run's `globalThis`, or absent. */
  readonly free: boolean;
}

const rows: PolicyRow[] = [];

function treat(treatment: Treatment, reason: string, names: string, free = true): void {
  for (const name of names.split(/\s+/)) rows.push(Object.freeze({ name, treatment, reason, free }));
}

treat('keep', 'a value, not an object', 'undefined NaN Infinity');
treat(
  'keep',
  'language built-in without clock, chance or machine state',
  `Object Array Number Boolean String Symbol BigInt JSON Reflect Proxy Promise Map Set WeakMap WeakSet
   ArrayBuffer DataView Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array
   Float32Array Float64Array BigInt64Array BigUint64Array Iterator`,
);
treat(
  'keep',
  'pure function',
  'parseInt parseFloat isNaN isFinite decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape',
);
treat('keep', 'needed for instanceof and prototypes; making code from strings is switched off', 'Function');
treat(
  'keep',
  'its legacy statics ($1, input, ...) would carry text from run to run and are deleted',
  'RegExp',
);
treat('keep', 'Math.random draws from the run that is executing; the rest is pure', 'Math');
treat('replace', 'workflow time instead of the clock, UTC instead of the zone of the machine', 'Date');
treat('replace', 'locale en-US and zone UTC where none is given; no formatting of the clock', 'Intl');
treat(
  'replace',
  'a twin without the knobs that reach stack frames (stackTraceLimit, prepareStackTrace)',
  'Error',
);
treat(
  'keep',
  'inherits from the Error twin',
  'TypeError RangeError SyntaxError ReferenceError EvalError URIError AggregateError',
);
treat('refuse', 'tells when memory was collected, which no replay repeats', 'WeakRef FinalizationRegistry');
treat('replace', 'durable timers of the workflow runtime', 'setTimeout clearTimeout');
treat('replace', 'log of the run, by the workflow runtime', 'console');
treat('replace', 'realm-native; the host parses strings only', 'URL URLSearchParams');
treat('replace', 'realm-native; the host converts bytes and strings only', 'TextEncoder TextDecoder');
treat('replace', 'realm-native, no host object involved', 'AbortController AbortSignal');

treat('keep', 'newer built-in without clock, chance or machine state', 'SuppressedError', false);
treat(
  'keep',
  'newer built-in without clock, chance or machine state',
  'DisposableStack AsyncDisposableStack',
  false,
);
treat('keep', 'newer built-in without clock, chance or machine state', 'Float16Array', false);
treat('replace', "the run's own global object", 'globalThis', false);
treat('remove', 'would make code from strings', 'eval', false);
treat(
  'remove',
  'memory shared with other threads changes under a replay',
  'SharedArrayBuffer Atomics',
  false,
);
treat(
  'remove',
  'code that the sandbox cannot stop or measure; its features differ by machine',
  'WebAssembly',
  false,
);
treat('remove', 'Temporal.Now reads the clock', 'Temporal', false);
treat('remove', 'decides when memory is collected; there only with a flag', 'gc', false);

/** The table. */
export const POLICY: readonly PolicyRow[] = Object.freeze(rows);
