/**
 * Evaluated in a realm: the modules `assert` and `util`, as far as they make sense without a host.
 *
 * Leaves  everything of `util` that reads files, streams or the event loop.
 */
(function makeAssert(codecs: import('../realm-parts').TextCodecs): import('../realm-parts').NodeModules {
  const { is, getPrototypeOf, keys, prototype: objectPrototype } = Object;
  const { ownKeys, apply } = Reflect;
  const { isArray } = Array;
  const { isView } = ArrayBuffer;
  const { toString: tagOf, propertyIsEnumerable } = objectPrototype;

  // ---- equality
  function enumerableKeys(value: object): PropertyKey[] {
    return ownKeys(value).filter((key) => apply(propertyIsEnumerable, value, [key]));
  }
  function isDeepEqual(left: any, right: any, strict: boolean, seen: Map<object, object>): boolean {
    if (strict ? is(left, right) : loose(left, right)) return true;
    if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null)
      return false;
    if (strict && getPrototypeOf(left) !== getPrototypeOf(right)) return false;
    const tag = apply(tagOf, left, []);
    if (tag !== apply(tagOf, right, []) || isArray(left) !== isArray(right)) return false;
    if (seen.get(left) === right) return true; // a loop on both sides: equal unless a difference shows elsewhere
    seen.set(left, right);
    if (isArray(left) && left.length !== right.length) return false;
    if (left instanceof Date) {
      if (!(right instanceof Date) || !is(left.getTime(), right.getTime())) return false;
    } else if (left instanceof RegExp) {
      if (!(right instanceof RegExp) || `${left}` !== `${right}` || left.lastIndex !== right.lastIndex)
        return false;
    } else if (left instanceof Error) {
      if (!(right instanceof Error) || left.name !== right.name || left.message !== right.message)
        return false;
      if (strict && !isDeepEqual((left as any).cause, (right as any).cause, strict, seen)) return false;
    } else if (tag === '[object Number]' || tag === '[object String]' || tag === '[object Boolean]') {
      const primitive = left.valueOf();
      if (typeof primitive !== 'object' && !is(primitive, right.valueOf())) return false;
    } else if (isView(left)) {
      const a = new Uint8Array(left.buffer, left.byteOffset, left.byteLength);
      const b = new Uint8Array(right.buffer, right.byteOffset, right.byteLength);
      if (a.length !== b.length) return false;
      for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
      return true;
    } else if (left instanceof Set) {
      if (!(right instanceof Set) || left.size !== right.size) return false;
      const rest = [...right];
      for (const item of left) {
        const at = rest.findIndex((other) => isDeepEqual(item, other, strict, new Map(seen)));
        if (at < 0) return false;
        rest.splice(at, 1);
      }
    } else if (left instanceof Map) {
      if (!(right instanceof Map) || left.size !== right.size) return false;
      const rest = [...right];
      for (const [key, item] of left) {
        const at = rest.findIndex(
          ([otherKey, other]) =>
            isDeepEqual(key, otherKey, strict, new Map(seen)) &&
            isDeepEqual(item, other, strict, new Map(seen)),
        );
        if (at < 0) return false;
        rest.splice(at, 1);
      }
    }
    const names = strict ? enumerableKeys(left) : keys(left);
    const otherNames = strict ? enumerableKeys(right) : keys(right);
    if (names.length !== otherNames.length) return false;
    for (const name of names) {
      if (!apply(propertyIsEnumerable, right, [name])) return false;
      if (!isDeepEqual(left[name], right[name], strict, seen)) return false;
    }
    return true;
  }

  // ---- text of values
  function quote(text: string): string {
    return `'${text.replace(/\\/g, '\\\\').replace(/'/g, "\\'").replace(/\n/g, '\\n')}'`;
  }
  function show(value: any, depth: number, above: object[]): string {
    switch (typeof value) {
      case 'string':
        return quote(value);
      case 'bigint':
        return `${value}n`;
      case 'symbol':
        return value.toString();
      case 'function':
        return `[Function${value.name === '' ? ' (anonymous)' : `: ${value.name}`}]`;
      case 'object':
        break;
      default:
        return is(value, -0) ? '-0' : `${value}`;
    }
    if (value === null) return 'null';
    if (above.includes(value)) return '[Circular *]';
    if (value instanceof Error) return value.stack || `${value.name}: ${value.message}`;
    if (value instanceof Date) return is(value.getTime(), Number.NaN) ? 'Invalid Date' : value.toISOString();
    if (value instanceof RegExp) return `${value}`;
    if (depth < 0) return isArray(value) ? '[Array]' : '[Object]';
    const inside = [...above, value];
    const item = (each: unknown) => show(each, depth - 1, inside);
    const join = (open: string, pieces: string[], close: string) => {
      if (pieces.length === 0) return `${open}${close}`;
      const line = `${open} ${pieces.join(', ')} ${close}`;
      if (line.length <= 72 && !line.includes('\n')) return line;
      return `${open}\n${pieces.map((piece) => `  ${piece.replace(/\n/g, '\n  ')}`).join(',\n')}\n${close}`;
    };
    const fields = (names: PropertyKey[]) =>
      names.map((name) => {
        const { get, set, value: field } = Object.getOwnPropertyDescriptor(value, name)!;
        const shown = get ? (set ? '[Getter/Setter]' : '[Getter]') : set ? '[Setter]' : item(field);
        const label =
          typeof name === 'symbol'
            ? `[${name.toString()}]`
            : /^[A-Za-z_$][\w$]*$/.test(`${name as string}`)
              ? name
              : quote(`${name}`);
        return `${label as string}: ${shown}`;
      });
    const own = enumerableKeys(value);
    if (isArray(value)) {
      const extra = own.filter((key) => typeof key === 'symbol' || !/^\d+$/.test(`${key as string}`));
      return join('[', [...value.map(item), ...fields(extra)], ']');
    }
    const name = getPrototypeOf(value) === null ? '[Object: null prototype]' : value.constructor?.name;
    const label = name === undefined || name === '' || name === 'Object' ? '' : `${name} `;
    if (value instanceof Map) {
      return join(
        `Map(${value.size}) {`,
        [...value].map(([key, each]) => `${item(key)} => ${item(each)}`),
        '}',
      );
    }
    if (value instanceof Set) return join(`Set(${value.size}) {`, [...value].map(item), '}');
    if (value instanceof Promise) return 'Promise { }';
    if (isView(value) && !(value instanceof DataView)) {
      return join(`${label.trim()}(${(value as any).length}) [`, Array.from(value as any, item), ']');
    }
    return join(`${label}{`, fields(own), '}');
  }
  function inspect(value: unknown, options: { depth?: number | null } = {}): string {
    const depth =
      options?.depth === undefined ? 2 : options.depth === null ? Number.POSITIVE_INFINITY : options.depth;
    try {
      return show(value, depth, []);
    } catch {
      return '[value that cannot be inspected]';
    }
  }
  function format(...values: unknown[]): string {
    const [first, ...rest] = values;
    let next = 0;
    let text: string;
    if (typeof first === 'string') {
      text = first.replace(/%[sdifjoOc%]/g, (mark) => {
        if (mark === '%%') return '%';
        if (next >= rest.length) return mark;
        const value = rest[next++];
        switch (mark) {
          case '%s':
            return typeof value === 'object' && value !== null ? inspect(value, { depth: 0 }) : String(value);
          case '%d':
            return typeof value === 'bigint' ? `${value}n` : `${Number(value)}`;
          case '%i':
            return `${Number.parseInt(String(value), 10)}`;
          case '%f':
            return `${Number.parseFloat(String(value))}`;
          case '%j':
            try {
              return `${JSON.stringify(value)}`;
            } catch {
              return '[Circular]';
            }
          case '%c':
            return '';
          default:
            return inspect(value, { depth: 4 });
        }
      });
    } else text = values.length === 0 ? '' : inspect(first);
    for (; next < rest.length; next++) {
      const value = rest[next];
      text += ` ${typeof value === 'string' ? value : inspect(value)}`;
    }
    return text;
  }

  // ---- assert
  interface Details {
    message?: unknown;
    actual?: unknown;
    expected?: unknown;
    operator?: string;
    stackStartFn?: Function;
  }
  class AssertionError extends Error {
    readonly code = 'ERR_ASSERTION';
    readonly generatedMessage: boolean;
    readonly actual: unknown;
    readonly expected: unknown;
    readonly operator: unknown;
    constructor(details: Details) {
      const { message, actual, expected, operator = 'fail', stackStartFn } = details;
      super(
        message === undefined
          ? `${inspect(actual)} ${operator} ${inspect(expected)}`
          : `${message as string}`,
      );
      this.name = 'AssertionError';
      this.generatedMessage = message === undefined;
      this.actual = actual;
      this.expected = expected;
      this.operator = operator;
      Error.captureStackTrace(this, stackStartFn);
    }
  }
  function fail(details: Details): never {
    if (details.message instanceof Error) throw details.message;
    throw new AssertionError(details);
  }
  type Check = (actual: unknown, expected: unknown) => boolean;
  function comparison(operator: string, text: string, check: Check) {
    return function compare(actual: unknown, expected: unknown, message?: unknown): void {
      if (check(actual, expected)) return;
      const standard = `${text}:\n\n${inspect(actual)}\n\n${inspect(expected)}\n`;
      const error = message ?? standard;
      if (error instanceof Error) throw error;
      const made = new AssertionError({ message: error, actual, expected, operator, stackStartFn: compare });
      Object.defineProperty(made, 'generatedMessage', { value: message === undefined });
      throw made;
    };
  }
  const deep =
    (strict: boolean): Check =>
    (a, b) =>
      isDeepEqual(a, b, strict, new Map());
  const not =
    (check: Check): Check =>
    (a, b) =>
      !check(a, b);
  const strictDeep = deep(true);
  const looseDeep = deep(false);
  // biome-ignore lint/suspicious/noDoubleEquals: this is what the legacy functions of assert compare with
  const loose: Check = (a: any, b: any) => a == b || (is(a, Number.NaN) && is(b, Number.NaN));

  function matches(error: any, expected: any): boolean {
    if (expected instanceof RegExp) return expected.test(String(error));
    if (typeof expected === 'function') {
      if (expected.prototype !== undefined && error instanceof expected) return true;
      if (expected === Error || expected.prototype instanceof Error) return false;
      return expected.call({}, error) === true;
    }
    for (const key of [...ownKeys(expected), ...(expected instanceof Error ? ['name', 'message'] : [])]) {
      const want = expected[key];
      const got = error?.[key];
      if (want instanceof RegExp && typeof got === 'string' ? !want.test(got) : !strictDeep(got, want))
        return false;
    }
    return true;
  }
  function thrown(operator: string, error: unknown, expected: unknown, message: unknown): void {
    if (expected === undefined || typeof expected === 'string') return;
    if (matches(error, expected)) return;
    if (message === undefined && (typeof expected === 'function' || expected instanceof RegExp)) {
      if (typeof expected === 'function' && expected.prototype instanceof Error) throw error;
    }
    fail({
      message: message ?? `The error does not match what was expected: ${inspect(error)}`,
      actual: error,
      expected,
      operator,
    });
  }
  const missing = (operator: string, what: string, expected: unknown, message: unknown) => {
    const text = typeof expected === 'string' ? expected : message;
    fail({
      message:
        text instanceof Error
          ? text
          : `Missing expected ${what}${text === undefined ? '.' : `: ${text as string}`}`,
      expected,
      operator,
    });
  };
  async function rejection(input: any): Promise<{ error: unknown } | undefined> {
    const promise = typeof input === 'function' ? input() : input;
    try {
      await promise;
    } catch (error) {
      return { error };
    }
    return undefined;
  }

  const checks: Record<string, any> = {
    ok(value?: unknown, message?: unknown) {
      if (value) return;
      fail({
        message: message ?? 'The expression evaluated to a falsy value',
        actual: value,
        expected: true,
        operator: '==',
        stackStartFn: checks.ok,
      });
    },
    fail(message: unknown = 'Failed') {
      fail({ message, operator: 'fail', stackStartFn: checks.fail });
    },
    equal: comparison('==', 'Expected values to be loosely equal', loose),
    notEqual: comparison('!=', 'Expected values not to be loosely equal', not(loose)),
    strictEqual: comparison('strictEqual', 'Expected values to be strictly equal', is),
    notStrictEqual: comparison('notStrictEqual', 'Expected values not to be strictly equal', not(is)),
    deepEqual: comparison('deepEqual', 'Expected values to be loosely deep-equal', looseDeep),
    notDeepEqual: comparison('notDeepEqual', 'Expected values not to be loosely deep-equal', not(looseDeep)),
    deepStrictEqual: comparison('deepStrictEqual', 'Expected values to be strictly deep-equal', strictDeep),
    notDeepStrictEqual: comparison(
      'notDeepStrictEqual',
      'Expected values not to be strictly deep-equal',
      not(strictDeep),
    ),
    match: comparison('match', 'The input did not match the regular expression', (text: any, pattern: any) =>
      pattern.test(text),
    ),
    doesNotMatch: comparison(
      'doesNotMatch',
      'The input was expected to not match the regular expression',
      (text: any, pattern: any) => !pattern.test(text),
    ),
    ifError(value: unknown) {
      if (value === null || value === undefined) return;
      fail({
        message: `ifError got unwanted exception: ${value instanceof Error ? value.message : inspect(value)}`,
        actual: value,
        operator: 'ifError',
      });
    },
    throws(run: () => unknown, expected?: unknown, message?: unknown) {
      try {
        run();
      } catch (error) {
        return thrown('throws', error, expected, message);
      }
      return missing('throws', 'exception', expected, message);
    },
    doesNotThrow(run: () => unknown, message?: unknown) {
      try {
        run();
      } catch (error) {
        fail({
          message: typeof message === 'string' ? message : `Got unwanted exception: ${inspect(error)}`,
          actual: error,
          operator: 'doesNotThrow',
        });
      }
    },
    async rejects(input: unknown, expected?: unknown, message?: unknown) {
      const found = await rejection(input);
      if (found === undefined) return missing('rejects', 'rejection', expected, message);
      return thrown('rejects', found.error, expected, message);
    },
    async doesNotReject(input: unknown, message?: unknown) {
      const found = await rejection(input);
      if (found === undefined) return;
      fail({
        message: typeof message === 'string' ? message : `Got unwanted rejection: ${inspect(found.error)}`,
        actual: found.error,
        operator: 'doesNotReject',
      });
    },
  };
  function assertModule(): any {
    const assert: any = (value: unknown, message?: unknown) => checks.ok(value, message);
    Object.assign(assert, checks, { AssertionError });
    return assert;
  }
  const assert = assertModule();
  const strict = assertModule();
  Object.assign(strict, {
    equal: checks.strictEqual,
    notEqual: checks.notStrictEqual,
    deepEqual: checks.deepStrictEqual,
    notDeepEqual: checks.notDeepStrictEqual,
  });
  strict.strict = strict;
  assert.strict = strict;
  assert.default = assert;

  const util: Record<string, unknown> = {
    TextEncoder: codecs.TextEncoder,
    TextDecoder: codecs.TextDecoder,
    inspect,
    format,
    isDeepStrictEqual(left: unknown, right: unknown) {
      return strictDeep(left, right);
    },
  };
  util.default = util;
  return { assert, util };
});
