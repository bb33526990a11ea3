/**
 * Attacks on a realm, as code for the body of an async workflow function. Free names: the realm's globals,
 * \`globalThis\` (the run's) and \`foreign(value)\`.
 */

/** Declares what probes use: whether a value comes from another realm, and whether that leads to the host. */
export const probePrelude = `
const RealmObject = Object;
const foreign = (value) => {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  return !(value instanceof RealmObject) && Object.getPrototypeOf(value) !== null;
};
const reaches = (make) => {
  let found;
  try { found = make(); } catch (error) { return foreign(error) ? 'foreign error' : 'refused'; }
  if (found && typeof found === 'object' && typeof found.pid === 'number') return 'ESCAPED';
  return foreign(found) ? 'foreign value' : 'nothing';
};
`;

/** [name, body]; the body returns 'refused' or 'nothing' unless the attack works. */
export const escapes: readonly (readonly [name: string, body: string])[] = [
  ['Function()', `return reaches(() => Function('return process')());`],
  ['new Function()', `return reaches(() => new Function('return process')());`],
  ['async function constructor', `return reaches(() => (async () => {}).constructor('return process')());`],
  [
    'generator constructor',
    `return reaches(() => (function* () {}).constructor('yield process')().next().value);`,
  ],
  [
    'async generator constructor',
    `return reaches(() => (async function* () {}).constructor('yield process')());`,
  ],
  ['eval by its name', `return reaches(() => (0, globalThis.eval)('process'));`],
  [
    'constructor of the global object',
    `return reaches(() => globalThis.constructor.constructor('return process')());`,
  ],
  [
    'prototypes of the global object',
    `let at = globalThis; while (at !== null) { const next = Object.getPrototypeOf(at); if (foreign(next)) return 'foreign prototype'; if (next === at) break; at = next; }
     return reaches(() => Object.getPrototypeOf(globalThis).constructor.constructor('return process')());`,
  ],
  ['constructor of setTimeout', `return reaches(() => setTimeout.constructor('return process')());`],
  ['constructor of console.log', `return reaches(() => console.log.constructor('return process')());`],
  [
    'errors of URL',
    `let error; try { new URL('no url'); } catch (e) { error = e; }
     return foreign(error) ? 'foreign error' : reaches(() => error.constructor.constructor('return process')());`,
  ],
  [
    'errors of TextDecoder',
    `let error; try { new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([255, 254, 250])); } catch (e) { error = e; }
     return error === undefined ? 'no error' : foreign(error) ? 'foreign error' : reaches(() => error.constructor.constructor('return process')());`,
  ],
  [
    'results of URL and text codecs',
    `const found = [new URL('http://a/?b=1'), new URL('http://a/?b=1').searchParams, new URLSearchParams('a=1').entries(), new TextEncoder().encode('ä'.repeat(100)), new TextEncoder().encode('a').buffer, new TextEncoder().encodeInto('ä', new Uint8Array(4)), new AbortController().signal];
     return found.some(foreign) ? 'foreign value' : reaches(() => found[3].buffer.constructor.constructor('return process')());`,
  ],
  [
    'hostile views for TextDecoder',
    `const seen = []; const bytes = new Uint8Array(100).fill(200);
     for (const name of ['buffer', 'byteOffset', 'byteLength', 'length', 'constructor', 'subarray']) Object.defineProperty(bytes, name, { get() { seen.push(this); return undefined; } });
     new TextDecoder().decode(bytes); return seen.some(foreign) ? 'foreign receiver' : 'nothing';`,
  ],
  [
    'hostile strings for URL',
    `const seen = []; const text = { toString() { seen.push(this); return 'http://a/'; }, [Symbol.toPrimitive](hint) { seen.push(hint); return 'http://a/'; } };
     new URL(text, text); return seen.some(foreign) ? 'foreign value' : 'nothing';`,
  ],
  [
    'prepareStackTrace to see call sites',
    `let sites; try { Error.prepareStackTrace = (error, s) => { sites = s; return 'x'; }; } catch {}
     const text = new Error('x').stack; return sites === undefined && typeof text === 'string' ? 'nothing' : 'call sites';`,
  ],
  [
    'prepareStackTrace on the run global',
    `let sites; globalThis.Error = { prepareStackTrace(error, s) { sites = s; return 'x'; } };
     try { null.x; } catch (e) { e.stack; } return sites === undefined ? 'nothing' : 'call sites';`,
  ],
  [
    'captureStackTrace',
    `const target = {}; Error.captureStackTrace(target); return typeof target.stack === 'string' ? 'nothing' : 'not text';`,
  ],
  [
    'stack overflow while a stack is formatted',
    `let found; let tries = 0;
     const dive = () => { const error = new Error('x'); try { dive(); } catch (e) { if (foreign(e)) found ??= e; }
       if (tries++ < 400) { try { error.stack; } catch (e) { if (foreign(e)) found ??= e; } try { Function('1'); } catch (e) { if (foreign(e)) found ??= e; } } };
     dive(); if (found === undefined) return 'nothing';
     const through = reaches(() => found.constructor.constructor('return process')());
     if (through === 'ESCAPED') return through;
     let at = found; while (at !== null) { if (at !== found && !Object.isFrozen(at)) return 'a host prototype can be changed'; at = Object.getPrototypeOf(at); }
     const owns = [found.constructor, Object.getPrototypeOf(found.constructor), Object.getPrototypeOf(Object.getPrototypeOf(found.constructor))];
     return owns.every((each) => Object.isFrozen(each)) ? 'nothing' : 'a host function can be changed';`,
  ],
  [
    'stack overflow in functions of the host',
    `let found; const bytes = new Uint8Array(200).fill(195); const long = 'ä'.repeat(200);
     const work = [() => new URL('http://a/b?c#d'), () => new TextDecoder().decode(bytes), () => new TextEncoder().encode(long), () => new Intl.NumberFormat('de').format(1), () => new Date().toLocaleString(), () => Math.random(), () => new Error('x')];
     for (const each of work) { let tries = 0;
       const dive = () => { try { dive(); } catch (e) { if (foreign(e)) found ??= e; } if (tries++ < 200) { try { each(); } catch (e) { if (foreign(e)) found ??= e; } } };
       dive(); }
     return found === undefined ? 'nothing' : 'foreign error';`,
  ],
  [
    'thenables and hostile constructors in awaits',
    `const seen = []; const thenable = { then(resolve, reject) { seen.push(resolve, reject, this); resolve(1); } };
     await thenable; await Promise.resolve(thenable); const p = Promise.resolve(1); Object.defineProperty(p, 'constructor', { get() { seen.push(this); return Promise; } });
     await p; return seen.some(foreign) ? 'foreign value' : 'nothing';`,
  ],
  [
    'species of promises and arrays',
    `const seen = []; class P extends Promise { static get [Symbol.species]() { seen.push(this); return Promise; } }
     await new P((resolve) => resolve(1)).then(() => 1); class A extends Array { static get [Symbol.species]() { seen.push(this); return Array; } }
     new A(1, 2).map((x) => x); return seen.some(foreign) ? 'foreign value' : 'nothing';`,
  ],
  [
    'getters on the run global',
    `const seen = []; Object.defineProperty(globalThis, 'process', { get() { seen.push(this); return undefined; } });
     globalThis.process; return seen.some(foreign) ? 'foreign value' : 'nothing';`,
  ],
  ['caller and arguments', `return reaches(() => { const f = () => f.caller ?? f.arguments; return f(); });`],
  [
    'what the host keeps on promises',
    `const promise = Promise.resolve(1).then(() => 1);
     return Reflect.ownKeys(promise).map((key) => promise[key]).some((value) => typeof value === 'object' && value !== null && Reflect.ownKeys(value).length > 0) ? 'something' : 'nothing';`,
  ],
  [
    'names of Node.js',
    `const there = ['process', 'require', 'module', 'Buffer', 'global.process', 'setImmediate', 'fetch', 'performance', 'queueMicrotask', 'structuredClone', 'crypto', 'WebAssembly', 'Atomics', 'SharedArrayBuffer', 'gc'].filter((name) => globalThis[name] !== undefined);
     return there.length === 0 ? 'nothing' : there.join();`,
  ],
];

/** [name, write in one run, expression in another run that is true if the write can be seen]. */
export const leaks: readonly (readonly [name: string, write: string, read: string])[] = [
  ['property of globalThis', 'globalThis.x = 1;', 'globalThis.x !== undefined'],
  ['replaced global', 'globalThis.Array = null;', 'globalThis.Array === null || typeof Array !== "function"'],
  [
    'property of globalThis by define',
    'Object.defineProperty(globalThis, "y", { value: 1 });',
    '"y" in globalThis',
  ],
  ['prototype of globalThis', 'Object.getPrototypeOf(globalThis).z = 1;', 'globalThis.z !== undefined'],
  ['Object.prototype', 'Object.prototype.foo = 1;', '({}).foo !== undefined'],
  ['Object.prototype by __proto__', '({}).__proto__.foo = 1;', '({}).foo !== undefined'],
  ['prototype replaced by __proto__', 'Array.prototype.__proto__ = { foo: 1 };', '[].foo !== undefined'],
  [
    'prototype replaced by setPrototypeOf',
    'Object.setPrototypeOf(Function.prototype, { foo: 1 });',
    '(() => {}).foo !== undefined',
  ],
  ['Array.prototype', 'Array.prototype.foo = 1;', '[].foo !== undefined'],
  ['a method of Array.prototype', 'Array.prototype.map = () => 1;', '[1].map((x) => x) === 1'],
  ['static of Array', 'Array.foo = 1;', 'Array.foo !== undefined'],
  ['overridable method', 'Object.prototype.toString = () => "hacked";', '({}).toString() === "hacked"'],
  ['async functions', 'Object.getPrototypeOf(async () => {}).foo = 1;', '(async () => {}).foo !== undefined'],
  [
    'generators',
    'Object.getPrototypeOf(function* () {}).prototype.foo = 1;',
    '(function* () {})().foo !== undefined',
  ],
  [
    'async generators',
    'Object.getPrototypeOf(Object.getPrototypeOf((async function* () {})())).foo = 1;',
    '(async function* () {})().foo !== undefined',
  ],
  ['array iterators', 'Object.getPrototypeOf([].values()).foo = 1;', '[].values().foo !== undefined'],
  [
    'all iterators',
    'Object.getPrototypeOf(Object.getPrototypeOf([].values())).foo = 1;',
    '[].values().foo !== undefined',
  ],
  ['map iterators', 'Object.getPrototypeOf(new Map().keys()).foo = 1;', 'new Map().keys().foo !== undefined'],
  [
    'regexp iterators',
    'Object.getPrototypeOf("a".matchAll(/a/g)).foo = 1;',
    '"a".matchAll(/a/g).foo !== undefined',
  ],
  [
    'string iterators',
    'Object.getPrototypeOf(""[Symbol.iterator]()).foo = 1;',
    '""[Symbol.iterator]().foo !== undefined',
  ],
  [
    'Segments',
    'Object.getPrototypeOf(new Intl.Segmenter().segment("a")).foo = 1;',
    'new Intl.Segmenter().segment("a").foo !== undefined',
  ],
  [
    'segment iterators',
    'Object.getPrototypeOf(new Intl.Segmenter().segment("a")[Symbol.iterator]()).foo = 1;',
    'new Intl.Segmenter().segment("a")[Symbol.iterator]().foo !== undefined',
  ],
  [
    'iterator helpers',
    'const helper = [].values().map?.((x) => x); if (helper === undefined) throw new TypeError("absent"); Object.getPrototypeOf(helper).foo = 1;',
    '[].values().map?.((x) => x).foo !== undefined',
  ],
  ['Promise.prototype', 'Promise.prototype.foo = 1;', 'Promise.resolve().foo !== undefined'],
  [
    'Promise.prototype.then',
    'Promise.prototype.then = function () { return 4; };',
    'Promise.resolve().then(() => {}) === 4',
  ],
  [
    'Promise species',
    'Object.defineProperty(Promise, Symbol.species, { value: null });',
    'Promise[Symbol.species] === null',
  ],
  ['Math', 'Math.foo = 1;', 'Math.foo !== undefined'],
  ['Math.random', 'Math.random = () => 4;', 'Math.random() === 4'],
  ['JSON', 'JSON.stringify = () => "4";', 'JSON.stringify({}) === "4"'],
  ['Intl', 'Intl.foo = 1;', 'Intl.foo !== undefined'],
  ['Date.now', 'Date.now = () => 4;', 'Date.now() === 4'],
  ['Date.prototype', 'Date.prototype.foo = 1;', 'new Date().foo !== undefined'],
  [
    'Date by constructor of an instance',
    'new Date(0).constructor.foo = 1;',
    'new Date(0).constructor.foo !== undefined',
  ],
  [
    'RegExp statics',
    '/(sec)/.exec("a sec b");',
    '[RegExp.$1, RegExp.input, RegExp.lastMatch, RegExp["$&"], RegExp.leftContext, RegExp.rightContext].some((x) => x)',
  ],
  ['RegExp.prototype.exec', 'RegExp.prototype.exec = () => null;', '/a/.exec("a") === null'],
  ['Error.stackTraceLimit', 'Error.stackTraceLimit = 0;', '!/ at /.test(new Error("x").stack)'],
  [
    'stackTraceLimit of subclasses',
    'Object.getPrototypeOf(TypeError).stackTraceLimit = 0;',
    '!/ at /.test(new TypeError("x").stack)',
  ],
  [
    'Error.prepareStackTrace',
    'Error.prepareStackTrace = () => "hacked";',
    'new Error("x").stack === "hacked"',
  ],
  ['Error.prototype', 'Error.prototype.foo = 1;', 'new Error().foo !== undefined'],
  ['Error.prototype.name', 'Error.prototype.name = "Hacked";', 'new Error().name === "Hacked"'],
  ['Symbol.prototype', 'Symbol.prototype.foo = 1;', 'Symbol.for("a").foo !== undefined'],
  [
    'objects of registered symbols',
    'Object(Symbol.for("a")).foo = 1;',
    'Object(Symbol.for("a")).foo !== undefined',
  ],
  ['URL.prototype', 'URL.prototype.foo = 1;', 'new URL("http://a").foo !== undefined'],
  [
    'URLSearchParams.prototype',
    'URLSearchParams.prototype.get = () => 4;',
    'new URLSearchParams("a=1").get("a") === 4',
  ],
  ['TextEncoder.prototype', 'TextEncoder.prototype.encode = () => 4;', 'new TextEncoder().encode("") === 4'],
  [
    'AbortSignal.prototype',
    'AbortSignal.prototype.foo = 1;',
    'new AbortController().signal.foo !== undefined',
  ],
  ['console', 'console.log = 4;', 'console.log === 4'],
  ['setTimeout', 'setTimeout.foo = 1;', 'setTimeout.foo !== undefined'],
  [
    'getter of the shared global',
    'Object.getOwnPropertyDescriptor(Object.getPrototypeOf(globalThis), "Map").get.foo = 1;',
    'Object.getOwnPropertyDescriptor(Object.getPrototypeOf(globalThis), "Map").get.foo !== undefined',
  ],
  ['template objects', 'const tag = (t) => t; tag`a`.raw.foo = 1;', 'String.raw`a` === 4'],
  [
    'shared symbols of species',
    'Object.defineProperty(Array, Symbol.species, { value: null });',
    'Array[Symbol.species] === null',
  ],
  ['Function.prototype.call', 'Function.prototype.call = () => 4;', '(() => 1).call() === 4'],
  ['Reflect', 'Reflect.ownKeys = () => [];', 'Reflect.ownKeys({ a: 1 }).length === 0'],
  [
    'typed arrays',
    'Object.getPrototypeOf(Int8Array.prototype).foo = 1;',
    'new Uint8Array(1).foo !== undefined',
  ],
];

/** [name, expression that is true]. */
export const deterministic: readonly (readonly [name: string, expression: string])[] = [
  ['Date() is workflow time', 'Date() === new Date(Date.now()).toString()'],
  ['new Date() is workflow time', 'new Date().getTime() === Date.now()'],
  ["an instance's constructor is the same Date", 'new (new Date().constructor)().getTime() === Date.now()'],
  [
    'subclasses of Date',
    '(() => { class D extends Date {} const d = new D(); return d instanceof D && d.getTime() === Date.now() && new D(5).getTime() === 5; })()',
  ],
  ['Date through the global object', 'globalThis.Date.now() === Date.now()'],
  ['Reflect.construct of Date', 'Reflect.construct(Date, []).getTime() === Date.now()'],
  [
    'local getters are UTC',
    '(() => { const d = new Date(Date.UTC(2020, 6, 5, 4, 3, 2, 1)); return [d.getFullYear(), d.getMonth(), d.getDate(), d.getDay(), d.getHours(), d.getMinutes(), d.getSeconds(), d.getMilliseconds(), d.getTimezoneOffset()].join() === "2020,6,5,0,4,3,2,1,0"; })()',
  ],
  [
    'local setters are UTC',
    '(() => { const d = new Date(0); d.setFullYear(2020, 6, 5); d.setHours(4, 3, 2, 1); return d.toISOString() === "2020-07-05T04:03:02.001Z"; })()',
  ],
  ['fields make UTC dates', 'new Date(2020, 6, 5, 4).toISOString() === "2020-07-05T04:00:00.000Z"'],
  ['two digit years', 'new Date(99, 0).getFullYear() === 1999'],
  [
    'text without zone is UTC',
    'new Date("2020-07-05T04:00").toISOString() === "2020-07-05T04:00:00.000Z" && new Date("Jul 5 2020 04:00").toISOString() === "2020-07-05T04:00:00.000Z" && Date.parse("2020/07/05") === Date.UTC(2020, 6, 5)',
  ],
  [
    'text with zone keeps it',
    'new Date("2020-07-05T04:00+02:00").toISOString() === "2020-07-05T02:00:00.000Z" && Date.parse("Sun, 05 Jul 2020 04:00:00 GMT") === Date.UTC(2020, 6, 5, 4) && Date.parse("Jul 5 2020 04:00 EST") === Date.UTC(2020, 6, 5, 9)',
  ],
  [
    'toString comes back',
    'Date.parse(new Date(86400000).toString()) === 86400000 && new Date(86400000).toString() === "Fri Jan 02 1970 00:00:00 GMT+0000 (Coordinated Universal Time)"',
  ],
  [
    'toString of far years',
    'new Date(Date.UTC(12020, 0, 1)).toDateString() === "Wed Jan 01 12020" && new Date(NaN).toString() === "Invalid Date"',
  ],
  [
    'toLocaleString is en-US in UTC',
    'new Date(0).toLocaleString() === "1/1/1970, 12:00:00\\u202fAM" || new Date(0).toLocaleString() === "1/1/1970, 12:00:00 AM"',
  ],
  [
    'toLocaleDateString with options',
    'new Date(0).toLocaleDateString(undefined, { dateStyle: "long" }) === "January 1, 1970"',
  ],
  [
    'zones that are asked for',
    'new Date(0).toLocaleTimeString("en-GB", { timeZone: "Europe/Berlin" }) === "01:00:00"',
  ],
  [
    'default locale and zone',
    '(() => { const o = new Intl.DateTimeFormat().resolvedOptions(); return o.locale === "en-US" && o.timeZone === "UTC"; })()',
  ],
  [
    'default zone with options',
    'new Intl.DateTimeFormat("de", { hour: "numeric" }).resolvedOptions().timeZone === "UTC"',
  ],
  ['Intl.DateTimeFormat without new', 'Intl.DateTimeFormat().resolvedOptions().timeZone === "UTC"'],
  [
    'constructors by way of instances',
    'new (new Intl.DateTimeFormat().constructor)().resolvedOptions().timeZone === "UTC" && new (new Intl.NumberFormat().constructor)().resolvedOptions().locale === "en-US"',
  ],
  [
    'unknown locales',
    '["Collator", "NumberFormat", "PluralRules", "RelativeTimeFormat", "ListFormat", "Segmenter"].every((name) => new Intl[name]("xx").resolvedOptions().locale.startsWith("en")) && new Intl.DisplayNames("xx", { type: "region" }).resolvedOptions().locale.startsWith("en")',
  ],
  [
    'known locales stay',
    '(1234.5).toLocaleString("de-DE") === "1.234,5" && new Intl.NumberFormat(["xx", "fr"]).resolvedOptions().locale === "fr"',
  ],
  [
    'numbers',
    '(1234.5).toLocaleString() === "1,234.5" && 1234n.toLocaleString() === "1,234" && [1234.5].toLocaleString() === "1,234.5" && new Float64Array([1234.5]).toLocaleString() === "1,234.5"',
  ],
  [
    'letters',
    '"I".toLocaleLowerCase() === "i" && "I".toLocaleLowerCase("tr") === "\\u0131" && "a".localeCompare("b") === -1 && "ä".localeCompare("z") === -1',
  ],
  [
    'format() without argument',
    'new Intl.DateTimeFormat("en", { dateStyle: "short", timeStyle: "long" }).format() === new Intl.DateTimeFormat("en", { dateStyle: "short", timeStyle: "long" }).format(Date.now())',
  ],
  [
    'formatToParts() without argument',
    'JSON.stringify(new Intl.DateTimeFormat("en").formatToParts()) === JSON.stringify(new Intl.DateTimeFormat("en").formatToParts(Date.now()))',
  ],
  [
    'formatRange needs both ends',
    '(() => { try { new Intl.DateTimeFormat("en").formatRange(undefined, 1); return false; } catch (e) { return e instanceof TypeError; } })()',
  ],
  [
    'resolvedOptions().timeZone of given options is read once',
    '(() => { let reads = 0; new Intl.DateTimeFormat("en", { get timeZone() { reads++; return "UTC"; } }); return reads <= 2; })()',
  ],
  [
    'Math.random is the same function everywhere',
    'globalThis.Math.random === Math.random && typeof Math.random() === "number"',
  ],
  [
    'WeakRef refuses',
    '(() => { try { new WeakRef({}); return false; } catch (e) { return /cannot be used in workflows/.test(e.message) && typeof WeakRef === "function"; } })()',
  ],
  [
    'FinalizationRegistry refuses',
    '(() => { try { new FinalizationRegistry(() => {}); return false; } catch { return true; } })()',
  ],
  [
    'WeakRef by way of its prototype',
    '(() => { try { new WeakRef.prototype.constructor({}); return false; } catch (e) { return /cannot be used in workflows/.test(e.message); } })()',
  ],
  [
    'no shared memory',
    'globalThis.SharedArrayBuffer === undefined && globalThis.Atomics === undefined && globalThis.WebAssembly === undefined',
  ],
  ['no Temporal.Now', 'globalThis.Temporal === undefined'],
  ['stacks show no path of the machine', '!/node:|[\\\\/]lib[\\\\/]|perdure:/.test(new Error("x").stack)'],
];
