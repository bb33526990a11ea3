/**
 * Evaluated in a realm: replaces whatever reads the clock, chance, the machine's locale or its time zone.
 *
 * D1  Time and random numbers come from the run that executes; outside a run there is neither.
 * D2  Where no locale is given it is en-US, where no time zone is given it is UTC; a locale that ICU does not
 *     know falls back to en-US instead of the machine's.
 * D3  Local time is UTC: local getters and setters of Date work on UTC, whatever zone the process has.
 */
(function makeDeterministic(host: import('../realm-parts').DeterminismHost): Function {
  const { defineProperty, getOwnPropertyDescriptor, getOwnPropertyNames, setPrototypeOf } = Object;
  const { apply, construct } = Reflect;
  const global = globalThis as unknown as Record<string, any>;
  const { now, random } = host;
  const { isNaN } = Number;
  const defaultLocale = 'en-US';
  const defaultTimeZone = 'UTC';

  function method(owner: object, name: string, implementation: Function): void {
    const before = getOwnPropertyDescriptor(owner, name);
    defineProperty(implementation, 'name', { value: name });
    if (typeof before?.value === 'function') {
      defineProperty(implementation, 'length', { value: before.value.length });
    }
    defineProperty(owner, name, {
      value: implementation,
      writable: true,
      configurable: true,
      enumerable: false,
    });
  }

  // ---- chance
  method(Math, 'random', { random: () => random() }.random);

  // ---- locale
  const { getCanonicalLocales } = Intl;
  const { concat } = Array.prototype;
  /** D2 */
  function locales(given: unknown): unknown {
    if (given === undefined || given === defaultLocale) return defaultLocale;
    return apply(concat, getCanonicalLocales(given as string), [defaultLocale]);
  }
  function replaceConstructor(
    owner: any,
    name: string,
    Real: any,
    prepare: (args: unknown[]) => unknown[],
    callable: boolean,
  ): any {
    const Replaced: any = function (...args: unknown[]) {
      if (new.target === undefined && !callable)
        throw new TypeError(`Constructor Intl.${name} requires 'new'`);
      return construct(Real, prepare(args), new.target === undefined ? Replaced : new.target);
    };
    defineProperty(Replaced, 'name', { value: name });
    defineProperty(Replaced, 'length', { value: Real.length });
    defineProperty(Replaced, 'prototype', { value: Real.prototype, writable: false });
    for (const key of getOwnPropertyNames(Real)) {
      if (key === 'name' || key === 'length' || key === 'prototype') continue;
      const descriptor = getOwnPropertyDescriptor(Real, key)!;
      if (descriptor.configurable || typeof descriptor.value === 'function')
        defineProperty(Replaced, key, descriptor);
    }
    defineProperty(Real.prototype, 'constructor', { value: Replaced, writable: true, configurable: true });
    defineProperty(owner, name, { value: Replaced, writable: true, configurable: true, enumerable: false });
    return Replaced;
  }
  const RealDateTimeFormat = Intl.DateTimeFormat;
  function zoned(options: any): unknown {
    if (options === undefined) return { timeZone: defaultTimeZone };
    if (options === null) return options; // the constructor throws
    // Read once, and only add the zone: everything else is the caller's object.
    return options.timeZone !== undefined
      ? options
      : { __proto__: Object(options), timeZone: defaultTimeZone };
  }
  for (const name of [
    'Collator',
    'NumberFormat',
    'PluralRules',
    'RelativeTimeFormat',
    'ListFormat',
    'DisplayNames',
    'Segmenter',
    'DurationFormat',
  ]) {
    const Real = (Intl as any)[name];
    if (Real === undefined) continue;
    const callable = name === 'Collator' || name === 'NumberFormat';
    replaceConstructor(
      Intl,
      name,
      Real,
      (args) => {
        args[0] = locales(args[0]);
        return args;
      },
      callable,
    );
  }
  replaceConstructor(
    Intl,
    'DateTimeFormat',
    RealDateTimeFormat,
    (args) => [locales(args[0]), zoned(args[1])],
    true,
  );

  const dateTimeFormat = RealDateTimeFormat.prototype as any;
  const getFormat = getOwnPropertyDescriptor(dateTimeFormat, 'format')!.get!;
  const formatDescriptor = {
    get format() {
      const format = apply(getFormat, this, []);
      return (date: unknown) => format(date === undefined ? now() : date);
    },
  };
  defineProperty(dateTimeFormat, 'format', {
    get: getOwnPropertyDescriptor(formatDescriptor, 'format')!.get!,
    configurable: true,
    enumerable: false,
  });
  const { formatToParts } = dateTimeFormat;
  method(
    dateTimeFormat,
    'formatToParts',
    {
      formatToParts(this: unknown, date: unknown) {
        return apply(formatToParts, this, [date === undefined ? now() : date]);
      },
    }.formatToParts,
  );

  for (const prototype of [Number.prototype, BigInt.prototype]) {
    const { toLocaleString } = prototype as any;
    method(
      prototype,
      'toLocaleString',
      {
        toLocaleString(this: unknown, given: unknown, options: unknown) {
          return apply(toLocaleString, this, [locales(given), options]);
        },
      }.toLocaleString,
    );
  }
  const { localeCompare, toLocaleUpperCase, toLocaleLowerCase } = String.prototype;
  method(
    String.prototype,
    'localeCompare',
    {
      localeCompare(this: unknown, other: unknown, given: unknown, options: unknown) {
        return apply(localeCompare, this, [other, locales(given), options]);
      },
    }.localeCompare,
  );
  for (const [name, real] of [
    ['toLocaleUpperCase', toLocaleUpperCase],
    ['toLocaleLowerCase', toLocaleLowerCase],
  ] as const) {
    method(
      String.prototype,
      name,
      {
        convert(this: unknown, given: unknown) {
          return apply(real, this, [locales(given)]);
        },
      }.convert,
    );
  }

  // ---- Date
  const RealDate = Date as any;
  const realPrototype = RealDate.prototype;
  const { UTC, parse } = RealDate;
  const { toUTCString, getTime } = realPrototype;
  const { slice } = String.prototype;
  const { test } = RegExp.prototype;
  const zonePattern =
    /(?:Z|\b(?:UT|UTC|GMT|E[SD]T|C[SD]T|M[SD]T|P[SD]T)|\d[+-]\d\d:?\d\d|GMT\s*[+-]\d{1,4}|\s[+-]\d{3,4})\s*(?:\([^)]*\)\s*)?$/i;
  const isoDate = /^\s*[+-]?\d{4,6}(?:-\d\d(?:-\d\d)?)?\s*$/;
  const isoTime = /^\s*[+-]?\d{4,6}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?\s*$/;
  /** D3: a text without a zone means UTC. */
  function parseUtc(text: unknown): number {
    const string = `${text as string}`;
    if (apply(test, zonePattern, [string]) || apply(test, isoDate, [string])) return parse(string);
    if (apply(test, isoTime, [string])) return parse(`${string}Z`);
    const utc = parse(`${string} UTC`);
    return isNaN(utc) ? parse(string) : utc;
  }
  function argumentsOf(args: unknown[]): unknown[] {
    if (args.length === 0) return [now()];
    if (args.length > 1) return [apply(UTC, undefined, args)];
    const [value] = args;
    if (typeof value === 'object' && value !== null) {
      // A Date keeps its time value; anything else becomes a primitive once.
      try {
        return [apply(getTime, value, [])];
      } catch {
        const primitive = toPrimitive(value);
        return [typeof primitive === 'string' ? parseUtc(primitive) : primitive];
      }
    }
    return [typeof value === 'string' ? parseUtc(value) : value];
  }
  function toPrimitive(value: object): unknown {
    const exotic = (value as any)[Symbol.toPrimitive];
    if (exotic !== undefined && exotic !== null) {
      const primitive = apply(exotic, value, ['default']);
      if (typeof primitive === 'object' && primitive !== null)
        throw new TypeError('Cannot convert object to primitive value');
      return primitive;
    }
    for (const name of ['valueOf', 'toString']) {
      const convert = (value as any)[name];
      if (typeof convert !== 'function') continue;
      const primitive = apply(convert, value, []);
      if ((typeof primitive !== 'object' && typeof primitive !== 'function') || primitive === null)
        return primitive;
    }
    throw new TypeError('Cannot convert object to primitive value');
  }

  const dayAndDate = (date: object): string => {
    const utc = apply(toUTCString, date, []) as string; // "Thu, 01 Jan 1970 00:00:00 GMT"
    const rest = apply(slice, utc, [12]) as string;
    const year = apply(slice, rest, [0, rest.length - 13]);
    return `${apply(slice, utc, [0, 3])} ${apply(slice, utc, [8, 11])} ${apply(slice, utc, [5, 7])} ${year}`;
  };
  const timeAndZone = (date: object): string => {
    const utc = apply(toUTCString, date, []) as string;
    return `${apply(slice, utc, [utc.length - 12])}+0000 (Coordinated Universal Time)`;
  };
  const invalid = (date: object): boolean => {
    return isNaN(apply(getTime, date, []));
  };
  const text = {
    toString(this: object) {
      return invalid(this) ? 'Invalid Date' : `${dayAndDate(this)} ${timeAndZone(this)}`;
    },
    toDateString(this: object) {
      return invalid(this) ? 'Invalid Date' : dayAndDate(this);
    },
    toTimeString(this: object) {
      return invalid(this) ? 'Invalid Date' : timeAndZone(this);
    },
    getTimezoneOffset(this: object) {
      return invalid(this) ? Number.NaN : 0;
    },
    getYear(this: object) {
      return (apply(realPrototype.getUTCFullYear, this, []) as number) - 1900;
    },
    setYear(this: object, year: unknown) {
      const number = +(year as number);
      if (invalid(this)) apply(realPrototype.setTime, this, [0]);
      const whole = Math.trunc(number);
      return apply(realPrototype.setUTCFullYear, this, [whole >= 0 && whole <= 99 ? whole + 1900 : number]);
    },
  };
  for (const name of getOwnPropertyNames(text)) method(realPrototype, name, (text as any)[name]);
  for (const part of ['FullYear', 'Month', 'Date', 'Day', 'Hours', 'Minutes', 'Seconds', 'Milliseconds']) {
    for (const verb of ['get', 'set']) {
      const real = realPrototype[`${verb}UTC${part}`];
      if (real === undefined) continue; // there is no setUTCDay
      const local = {
        part(this: unknown, ...args: unknown[]) {
          return apply(real, this, args);
        },
      }.part;
      method(realPrototype, `${verb}${part}`, local);
    }
  }
  for (const name of ['toLocaleString', 'toLocaleDateString', 'toLocaleTimeString']) {
    const real = realPrototype[name];
    method(
      realPrototype,
      name,
      {
        convert(this: unknown, given: unknown, options: unknown) {
          return apply(real, this, [locales(given), zoned(options)]);
        },
      }.convert,
    );
  }

  const WorkflowDate: any = function (...args: unknown[]) {
    if (new.target === undefined) return apply(text.toString, construct(RealDate, [now()]), []);
    return construct(RealDate, argumentsOf(args), new.target);
  };
  defineProperty(WorkflowDate, 'name', { value: 'Date' });
  defineProperty(WorkflowDate, 'length', { value: 7 });
  defineProperty(WorkflowDate, 'prototype', { value: realPrototype, writable: false });
  method(WorkflowDate, 'now', { now: () => now() }.now);
  method(WorkflowDate, 'parse', { parse: (value: unknown) => parseUtc(value) }.parse);
  method(WorkflowDate, 'UTC', UTC);
  defineProperty(realPrototype, 'constructor', { value: WorkflowDate, writable: true, configurable: true });
  defineProperty(global, 'Date', {
    value: WorkflowDate,
    writable: true,
    configurable: true,
    enumerable: false,
  });
  setPrototypeOf(WorkflowDate, Function.prototype);

  // ---- text that RegExp keeps from the last match of anybody
  for (const key of getOwnPropertyNames(RegExp)) {
    if (key === 'length' || key === 'name' || key === 'prototype' || key === 'escape') continue;
    delete (RegExp as any)[key];
  }

  // ---- garbage collection
  for (const name of ['WeakRef', 'FinalizationRegistry']) {
    const Real = global[name];
    // A function that `new` takes: its own error and no TypeError has to come out of it.
    function Refusing(): never {
      throw host.refusal(
        `${name} cannot be used in workflows: what it observes depends on when memory is collected`,
      );
    }
    defineProperty(Refusing, 'name', { value: name });
    defineProperty(Refusing, 'prototype', { value: Real.prototype, writable: false });
    defineProperty(Real.prototype, 'constructor', { value: Refusing, writable: true, configurable: true });
    defineProperty(global, name, { value: Refusing, writable: true, configurable: true, enumerable: false });
  }

  // ---- symbols that newer engines have
  for (const name of ['dispose', 'asyncDispose']) {
    if ((Symbol as any)[name] === undefined) {
      defineProperty(Symbol, name, { value: Symbol(`Symbol.${name}`), writable: false, configurable: false });
    }
  }
  return RealDate;
});
