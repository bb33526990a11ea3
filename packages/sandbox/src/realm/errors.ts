/**
 * Evaluated in a realm: gives workflow code an Error whose stacks show its own sources and nothing else.
 *
 * E1  V8 reads `stackTraceLimit` from the real Error, which workflow code can no longer reach.
 * E2  Node.js asks the realm's global Error for `prepareStackTrace`: it finds our formatter, never a user's,
 *     so call site objects (they lead to functions of all frames) stay here.
 * E3  A frame of the runtime, of the sandbox or of the host is left out: no path of the machine shows.
 */
(function tameErrors(host: import('../realm-parts').ErrorHost): Function {
  const { defineProperty, setPrototypeOf } = Object;
  const { construct, apply } = Reflect;
  const global = globalThis as unknown as Record<string, any>;
  const RealError = Error as any;
  const { captureStackTrace, isError } = RealError;
  const errorToString = RealError.prototype.toString;
  const { indexOf, slice, startsWith } = String.prototype;
  const { bundleFile, mapPosition } = host;
  const framesShown = 10;

  const Twin: any = function (this: unknown, ...args: unknown[]) {
    return construct(RealError, args, new.target === undefined ? Twin : new.target);
  };
  defineProperty(Twin, 'name', { value: 'Error' });
  defineProperty(Twin, 'length', { value: 1 });
  defineProperty(Twin, 'prototype', { value: RealError.prototype, writable: false });
  const statics = {
    captureStackTrace(target: object, above?: Function) {
      captureStackTrace(target, above ?? statics.captureStackTrace);
    },
  };
  defineProperty(Twin, 'captureStackTrace', { value: statics.captureStackTrace });
  if (isError !== undefined) defineProperty(Twin, 'isError', { value: isError });

  function describe(error: unknown): string {
    try {
      return apply(errorToString, error, []);
    } catch {
      return '<error>';
    }
  }

  /** E3 @returns text of one frame, or undefined to leave it out */
  function frame(site: any): string | undefined {
    const file = site.getFileName() as unknown;
    const text = site.toString() as string;
    if (file === undefined || file === null) {
      // Built-ins have no file; "<anonymous>" is how V8 prints them.
      return apply(indexOf, text, ['<anonymous>']) >= 0 ? text : undefined;
    }
    if (file !== bundleFile || typeof file !== 'string') return undefined;
    const line = site.getLineNumber() as number;
    const column = site.getColumnNumber() as number;
    const place = `${file}:${line}:${column}`;
    const at = apply(indexOf, text, [place]) as number;
    const mapped = mapPosition(line, column);
    if (at < 0 || mapped === undefined) return text;
    return apply(slice, text, [0, at]) + mapped + apply(slice, text, [at + place.length]);
  }

  /** E2 */
  function format(error: unknown, sites: readonly unknown[]): string {
    let text = describe(error);
    let shown = 0;
    let builtins = '';
    for (let i = 0; i < sites.length && shown < framesShown; i++) {
      const line = frame(sites[i]);
      if (line === undefined) continue;
      // Built-ins count only between frames of the user: those below belong to the host.
      if (apply(startsWith, line, ['<anonymous>']) || (sites[i] as any).getFileName() == null) {
        builtins += `\n    at ${line}`;
        continue;
      }
      text += `${builtins}\n    at ${line}`;
      builtins = '';
      shown++;
    }
    return text;
  }
  defineProperty(Twin, 'stackTraceLimit', {
    get() {
      return framesShown;
    },
    set() {},
  });
  defineProperty(Twin, 'prepareStackTrace', {
    get() {
      return format;
    },
    set() {}, // E2
  });

  defineProperty(RealError.prototype, 'constructor', { value: Twin, writable: true, configurable: true });
  for (const name of [
    'TypeError',
    'RangeError',
    'SyntaxError',
    'ReferenceError',
    'EvalError',
    'URIError',
    'AggregateError',
    'SuppressedError',
  ]) {
    if (typeof global[name] === 'function') setPrototypeOf(global[name], Twin);
  }
  defineProperty(global, 'Error', { value: Twin, writable: true, configurable: true, enumerable: false });
  RealError.stackTraceLimit = 30; // E1: frames of the runtime are dropped from these
  delete RealError.prepareStackTrace;
  return RealError;
});
