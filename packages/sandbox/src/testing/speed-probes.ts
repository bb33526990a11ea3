/**
 * Measures how fast user code runs in a context. A program: `node speed-probes.js plain|realm` prints JSON of
 * nanoseconds per operation. One mode per process: V8's protectors hold for a whole isolate, so a hardened realm
 * that breaks one slows down everything beside it as well.
 */
import { createContext, Script } from 'node:vm';
import { BareRealm } from './bare-realm';

const probes = `({
  'array chains': () => numbers.map((x) => x * 2).filter((x) => x % 3).reduce((a, b) => a + b, 0),
  'pushing': () => { const all = []; for (let i = 0; i < 100; i++) all.push(i); return all.length; },
  'spread and for-of': () => { let sum = 0; for (const x of [...numbers]) sum += x; return sum; },
  'destructuring': () => { const [a, b, ...rest] = numbers; const { c, ...others } = { c: a, d: b, ...{ e: rest.length } }; return others.e + c; },
  'maps': () => { const map = new Map(); for (let i = 0; i < 20; i++) map.set(i, i); let sum = 0; for (const [k, v] of map) sum += v + map.get(k); return sum; },
  'classes': () => new Sub(1).value + new Sub(2).describe().length,
  'JSON': () => JSON.parse(JSON.stringify({ a: [1, 2, { b: 'x' }] })).a.length,
  'strings': () => 'a-b-c'.split('-').join('+').replace('b', 'x').length,
  'regular expressions': () => 'a-b-c'.replace(/b/, 'x').split(/-/).length,
  'errors': () => new Failure('x').message.length,
  'promise chains': () => { Promise.resolve(1).then((x) => x).then((x) => x).then((x) => x); },
  'await': () => { (async () => { for (let i = 0; i < 4; i++) await i; })(); },
})`;
const prelude = `
  const numbers = Array.from({ length: 100 }, (_, i) => i);
  class Base { constructor(value) { this.name = 'n'; this.value = value; } describe() { return this.name; } }
  class Sub extends Base { constructor(value) { super(value); this.message = value; } }
  class Failure extends Error { constructor(message) { super(message); this.name = 'Failure'; } }`;

export type SpeedFigures = Record<string, number>;

function measure(evaluate: (code: string) => any, drain: () => void): SpeedFigures {
  const all = evaluate(`(() => { 'use strict'; ${prelude} return ${probes}; })()`) as Record<
    string,
    () => unknown
  >;
  const repeat = evaluate(`(probe, times) => { for (let i = 0; i < times; i++) probe(); }`);
  const figures: SpeedFigures = {};
  for (const [name, probe] of Object.entries(all)) {
    const times = 2000;
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 12; round++) {
      const before = process.cpuUsage();
      repeat(probe, times);
      drain();
      const { user, system } = process.cpuUsage(before);
      best = Math.min(best, ((user + system) * 1000) / times);
    }
    figures[name] = best;
  }
  return figures;
}

function main(mode: string): SpeedFigures {
  if (mode === 'realm') {
    const bare = new BareRealm();
    return measure(
      (code) => bare.raw(code),
      () => bare.realm.drain(),
    );
  }
  const context = createContext({}, { microtaskMode: 'afterEvaluate' });
  const empty = new Script('0');
  return measure(
    (code) => new Script(code).runInContext(context),
    () => empty.runInContext(context),
  );
}

if (require.main === module) console.log(JSON.stringify(main(process.argv[2] ?? 'plain')));
