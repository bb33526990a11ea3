/** Hardens the realm that hosts realms: the lane thread's own. */
import { POLICY } from './policy';
import { realmScript } from './realm';
import type { Hardener } from './realm-parts';

/**
 * Freezes the intrinsics of the calling thread's main context and makes its function constructors refuse, so that
 * nobody who gets hold of one of its errors can reach anything else. Only for threads that belong to the sandbox.
 */
export function hardenHostRealm(): void {
  const refuse = function Function() {
    throw new EvalError('code cannot be made from strings here');
  };
  for (const sample of [() => {}, async () => {}, function* () {}, async function* () {}]) {
    const prototype = Object.getPrototypeOf(sample) as object;
    Object.defineProperty(prototype, 'constructor', { value: refuse, writable: true, configurable: true });
  }
  const hardener = (realmScript('harden').runInThisContext() as () => Hardener)();
  const names = POLICY.filter(
    (row) => row.treatment === 'keep' || ['Date', 'Intl', 'Error'].includes(row.name),
  );
  hardener.hardenIntrinsics(
    names.map((row) => row.name),
    [],
  );
}
