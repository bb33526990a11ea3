import { createContext, runInContext } from 'node:vm';
import { REALM_GLOBALS } from '@perdure/common/bundle';
import { POLICY } from './policy';
import { BareRealm } from './testing/bare-realm';

const row = new Map(POLICY.map((each) => [each.name, each]));

describe('the policy', () => {
  it('names each global once and says why', () => {
    expect(row.size).toBe(POLICY.length);
    for (const { reason } of POLICY) expect(reason.length).toBeGreaterThan(5);
  });

  it('offers freely what the bundler leaves free, and nothing else', () => {
    const free = POLICY.filter((each) => each.free).map((each) => each.name);
    expect(free.sort()).toEqual([...REALM_GLOBALS].sort());
  });

  it('knows every global of this engine', () => {
    const names = runInContext('Reflect.ownKeys(globalThis).map(String)', createContext()) as string[];
    // A name here is new in V8: decide what it is and add a row. Until then realms go without it.
    expect([...names].filter((name) => !row.has(name))).toEqual([]);
  });

  it('is what a realm does', () => {
    const bare = new BareRealm();
    const fresh = createContext();
    const there = new Set(Object.getOwnPropertyNames(bare.raw('globalThis')));
    for (const { name, treatment } of POLICY) {
      if (treatment === 'remove') {
        expect([name, there.has(name)]).toEqual([name, false]);
        expect([name, bare.value(`globalThis[${JSON.stringify(name)}] === undefined`)]).toEqual([name, true]);
      } else if (treatment === 'keep' && !runInContext(`${JSON.stringify(name)} in globalThis`, fresh)) {
        expect([name, there.has(name)]).toEqual([name, false]); // this engine does not have it yet
      } else {
        expect([name, there.has(name)]).toEqual([name, true]);
      }
    }
  });

  it('leaves nothing on the global object that it does not list', () => {
    const names = Object.getOwnPropertyNames(new BareRealm().raw('globalThis'));
    expect(names.filter((name) => !row.has(name))).toEqual([]);
  });
});
