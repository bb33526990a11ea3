import { execFileSync } from 'node:child_process';
import type { SpeedFigures } from './testing/speed-probes';

/** Smallest figures of several processes: what the machine does beside only ever adds. */
function figuresOf(mode: string, processes: number): SpeedFigures {
  const all = Array.from({ length: processes }, () => {
    const output = execFileSync(process.execPath, [require.resolve('./testing/speed-probes'), mode], {
      encoding: 'utf8',
    });
    return JSON.parse(output) as SpeedFigures;
  });
  return Object.fromEntries(
    Object.keys(all[0]!).map((name) => [name, Math.min(...all.map((each) => each[name]!))]),
  );
}

/**
 * How many times slower than in a plain context. A broken protector of V8 shows as 10 to 80 times (arrays,
 * promises, iteration); a frozen RegExp.prototype leaves V8's fast path, which is known and accepted.
 */
const limits: Record<string, number> = { 'regular expressions': 60 };
const usualLimit = 6;

it('hardening does not slow user code down by orders of magnitude', () => {
  const plain = figuresOf('plain', 3);
  const realm = figuresOf('realm', 3);
  const ratios = Object.keys(plain).map((name) => ({
    name,
    ratio: realm[name]! / Math.max(plain[name]!, 20),
  }));
  expect(ratios.length).toBeGreaterThan(10);
  expect(ratios.filter(({ name, ratio }) => ratio > (limits[name] ?? usualLimit))).toEqual([]);
});
