import { execFileSync } from 'node:child_process';
import { Script } from 'node:vm';
import { BareRealm, bareNowMs } from './testing/bare-realm';
import { deterministic, escapes, leaks, probePrelude } from './testing/probes';

const bare = new BareRealm();

/** Attacks that only the lane's own thread withstands: its host realm is hardened and nobody else's code runs there. */
const needsOwnThread = new Set([
  'stack overflow while a stack is formatted',
  'what the host keeps on promises',
]);

describe('a realm gives no way out', () => {
  it.each(escapes.filter(([name]) => !needsOwnThread.has(name)))('by %s', (_name, body) => {
    const outcome = bare.run(probePrelude + body);
    expect('threw' in outcome ? outcome : outcome.value).toMatch(/^(refused|nothing)$/);
  });

  it('in anything that its globals, run globals and host modules lead to', () => {
    const hostIntrinsics = new Set<unknown>([
      Object.prototype,
      Function.prototype,
      Object,
      Function,
      Array.prototype,
      Error.prototype,
      globalThis,
    ]);
    const seen = new Set<object>();
    const queue: [object, string][] = [
      [bare.raw('globalThis'), 'globalThis'],
      [bare.host.newGlobal(), 'run'],
      [bare.host.hostModules, 'modules'],
      [bare.raw('new URL("http://a/")'), 'url'],
      [bare.raw('new AbortController().signal'), 'signal'],
    ];
    const visit = (value: unknown, path: string) => {
      if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value))
        return;
      seen.add(value);
      queue.push([value, path]);
    };
    const foreign: string[] = [];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const [object, path] = next;
      if (hostIntrinsics.has(object)) foreign.push(path);
      visit(Object.getPrototypeOf(object), `${path}.__proto__`);
      for (const key of Reflect.ownKeys(object)) {
        const descriptor = Object.getOwnPropertyDescriptor(object, key)!;
        visit(descriptor.value, `${path}.${String(key)}`);
        visit(descriptor.get, `get ${path}.${String(key)}`);
        visit(descriptor.set, `set ${path}.${String(key)}`);
      }
    }
    expect(foreign).toEqual([]);
    expect(seen.size).toBeGreaterThan(800);
  });
});

describe('two runs share nothing that can change', () => {
  it.each(leaks)('%s', (_name, write, read) => {
    bare.run(write);
    expect(bare.run(`return ${read};`)).toEqual({ value: false });
  });

  it('because everything that the globals and the syntax lead to is frozen', () => {
    const roots =
      bare.raw(`[globalThis, function* () {}, async function* () {}, async () => {}, Object.getPrototypeOf((async function* () {})()),
      [].values(), new Map().keys(), new Set().keys(), ''[Symbol.iterator](), 'a'.matchAll(/a/g),
      new Intl.Segmenter().segment('a'), new Intl.Segmenter().segment('a')[Symbol.iterator]()]`) as object[];
    const seen = new Set<object>();
    const queue: [object, string][] = [[roots[0]!, 'globalThis']];
    for (const root of roots.slice(1)) queue.push([Object.getPrototypeOf(root), 'syntax']);
    const open: string[] = [];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const [object, path] = next;
      if (seen.has(object)) continue;
      seen.add(object);
      if (!Object.isFrozen(object)) open.push(path);
      const visit = (value: unknown, name: string) => {
        if ((typeof value === 'object' && value !== null) || typeof value === 'function')
          queue.push([value, name]);
      };
      visit(Object.getPrototypeOf(object), `${path}.__proto__`);
      for (const key of Reflect.ownKeys(object)) {
        const { value, get, set } = Object.getOwnPropertyDescriptor(object, key)!;
        for (const each of [value, get, set]) visit(each, `${path}.${String(key)}`);
      }
    }
    expect(open).toEqual([]);
    expect(bare.realm.frozenCount).toBeGreaterThanOrEqual(900);
  });
});

describe('what a realm shows does not depend on the machine', () => {
  it.each(deterministic)('%s', (_name, expression) => {
    expect(bare.value(expression)).toBe(true);
  });

  it.each(['America/New_York', 'Asia/Kolkata', 'Pacific/Apia'])('in the zone %s', (TZ) => {
    const program = `
      const { BareRealm } = require(${JSON.stringify(require.resolve('./testing/bare-realm'))});
      const { deterministic } = require(${JSON.stringify(require.resolve('./testing/probes'))});
      const bare = new BareRealm();
      console.log(JSON.stringify({
        process: new Date(0).getTimezoneOffset(),
        wrong: deterministic.filter(([, expression]) => bare.value(expression) !== true).map(([name]) => name),
      }));`;
    const env = { ...process.env, TZ, LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8' };
    const seen = JSON.parse(execFileSync(process.execPath, ['-e', program], { env, encoding: 'utf8' }));
    expect(seen.process).not.toBe(0);
    expect(seen.wrong).toEqual([]);
  });

  it('and time is that of the run', () => {
    expect(bare.value('Date.now()')).toBe(bareNowMs);
  });
});

describe('libraries keep working', () => {
  it.each([
    ['assign what a prototype has', 'const o = {}; o.toString = () => "mine"; return String(o);', 'mine'],
    [
      'name their errors',
      'class E extends Error { constructor(m) { super(m); this.name = "E"; } } return String(new E("x"));',
      'E: x',
    ],
    [
      'write ES5 classes',
      'function F() {} F.prototype = Object.create(Error.prototype); F.prototype.constructor = F; F.prototype.name = "F"; F.prototype.toString = () => "f"; return String(new F());',
      'f',
    ],
    [
      'replace globals for themselves',
      'globalThis.Promise = 1; globalThis.fetch = 2; return [globalThis.Promise, globalThis.fetch, "fetch" in globalThis, Object.keys(globalThis)].join();',
      '1,2,true,Promise,fetch',
    ],
    [
      'find the global object',
      'return [globalThis.globalThis, globalThis.self, globalThis.global].every((g) => g === globalThis);',
      true,
    ],
    [
      'subclass classes of the host',
      'const { Base } = globalThis.base; class Sub extends Base { constructor() { super(); this.method = () => "own"; } } return new Sub().method();',
      'own',
    ],
  ])('when they %s', (_name, body, expected) => {
    const run = bare.host.newGlobal();
    const base = bare.raw('({ Base: class Base { method() { return 1; } } })');
    bare.host.harden(base as object);
    Object.defineProperty(run, 'base', { value: base });
    expect(bare.run(body, run)).toEqual({ value: expected });
  });
});

describe('stacks', () => {
  it('show the places of the source map', () => {
    const mapped = new BareRealm({ mapPosition: (line, column) => `src/order.ts:${line}${0}:${column}` });
    const stack = mapped.raw('(function failing() {\n return new Error("no stock").stack;\n})()') as string;
    expect(stack).toMatch(
      /^Error: no stock\n {4}at failing \(src\/order\.ts:20:9\)\n {4}at src\/order\.ts:30:3$/,
    );
  });

  it('keep built-ins between frames of the user and drop the host', () => {
    const stack = bare.raw('[1].map(function each() { return new Error("x").stack; })[0]') as string;
    expect(stack.split('\n').map((line) => line.trim().replace(/ \(.*/, ''))).toEqual([
      'Error: x',
      'at each',
      'at Array.map',
      expect.stringMatching(/^at bundle\.js/),
    ]);
  });

  it('survive hostile errors', () => {
    expect(
      bare.value(
        '(() => { const e = new Error("x"); e.name = { toString() { throw 1; } }; return typeof e.stack; })()',
      ),
    ).toBe('string');
    expect(
      bare.value(
        '(() => { const e = new Error("x"); Object.defineProperty(e, "message", { get() { return Symbol(); } }); return typeof e.stack; })()',
      ),
    ).toBe('string');
  });
});

describe('async context', () => {
  it('follows awaits, callbacks and async generators, each run for itself', () => {
    const code = `(host) => {
      const seen = []; let release; const gate = new Promise((resolve) => { release = resolve; });
      const look = (where) => seen.push(where + ':' + host.currentScope());
      const body = async () => { look('start'); await null; look('await'); await gate; look('gate'); await Promise.all([gate, null]); look('all');
        await gate.then(() => look('then')); for await (const x of (async function* () { yield 1; await gate; yield 2; })()) look('gen' + x); };
      host.runInScope('A', body); host.runInScope('B', body); look('outside');
      return { release, seen };
    }`;
    const { release, seen } = bare.raw(code)(bare.host);
    bare.realm.drain();
    release();
    bare.realm.drain();
    for (const scope of ['A', 'B']) {
      const places = ['start', 'await', 'gate', 'then', 'all', 'gen1', 'gen2'].map(
        (place) => `${place}:${scope}`,
      );
      expect([...seen]).toEqual(expect.arrayContaining(places));
    }
    expect([...seen]).toContain('outside:undefined');
    expect(seen).toHaveLength(15);
  });

  it('gives only scopes that were entered, whatever code puts on promises', () => {
    const outcome = bare.raw(`(host) => {
      const seen = [];
      host.runInScope('A', () => {
        const promise = Promise.resolve(1);
        for (const key of Object.getOwnPropertySymbols(promise)) {
          if (typeof promise[key] !== 'number') promise[key] = { forged: true };
        }
        promise.then(() => seen.push(host.currentScope()));
      });
      return seen;
    }`)(bare.host) as unknown[];
    bare.realm.drain();
    expect(['A', undefined]).toContain(outcome[0]);
  });

  it('passes on what the function throws, and only that', () => {
    const outcome = bare.raw(
      `(host) => { const mine = new Error('mine'); try { host.runInScope(1, () => { throw mine; }); } catch (e) { return e === mine; } }`,
    )(bare.host);
    expect(outcome).toBe(true);
  });
});

describe('a realm without freezing', () => {
  const open = new BareRealm({ freeze: false });

  it('lets code patch primordials', () => {
    expect(
      open.value(
        '(() => { Array.prototype.last = function () { return this.at(-1); }; return [1, 2].last(); })()',
      ),
    ).toBe(2);
  });

  it('gives the real global object, so that polyfills take effect', () => {
    expect(open.run('globalThis.Map = class Map { mine = true; }; return true;')).toEqual({ value: true });
    expect(open.raw('new Map().mine')).toBe(true);
  });

  it.each(deterministic)('is as deterministic: %s', (_name, expression) => {
    expect(new BareRealm({ freeze: false }).value(expression)).toBe(true);
  });

  it.each(escapes.filter(([name]) => !needsOwnThread.has(name)))(
    'gives no way out either: %s',
    (_name, body) => {
      const outcome = new BareRealm({ freeze: false }).run(probePrelude + body);
      if ('threw' in outcome) expect(outcome.threw).toBe('TypeError');
      else expect(outcome.value).toMatch(/^(refused|nothing)$/);
    },
  );
});

describe('engines to come', () => {
  it('lose globals that the policy does not know', () => {
    const future = new BareRealm({
      prelude: new Script('globalThis.FutureClock = class {}; globalThis.Temporal = { Now: {} };'),
    });
    expect(future.value('[typeof globalThis.FutureClock, typeof globalThis.Temporal].join()')).toBe(
      'undefined,undefined',
    );
    expect(future.raw('typeof FutureClock + typeof Temporal')).toBe('undefinedundefined');
  });
});
