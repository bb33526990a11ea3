import fc from 'fast-check';
import { getRandomStream, sleep, uuid4, workflowInfo, workflowRandom } from './index';
import { Alea, random } from './random';
import { job, scenario } from './testing/scenario';

const result = async (workflow: () => unknown) =>
  (await scenario(async () => workflow()).commands([job.start()])).at(-1).completeWorkflowExecution.result;

describe('random numbers', () => {
  it('are those of the published generator', () => {
    const alea = Alea.seeded([0, 0, 0, 0, 0, 0, 0, 42]);
    const again = Alea.seeded([0, 0, 0, 0, 0, 0, 0, 42]);
    const values = [alea.next(), alea.next(), alea.next()];
    expect(values).toEqual(referenceAlea([0, 0, 0, 0, 0, 0, 0, 42], 3));
    expect([again.next(), again.next(), again.next()]).toEqual(values);
  });

  it('match an independent implementation for any seed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), (seed) => {
        const alea = Alea.seeded(seed);
        expect([alea.next(), alea.next()]).toEqual(referenceAlea([...seed], 2));
      }),
    );
  });

  it('are the same each time a run is made from its seed', async () => {
    const draw = () => [random(), random(), uuid4(), workflowRandom.random()];
    expect(await result(draw)).toEqual(await result(draw));
  });

  it('begin anew when the run is reset', async () => {
    const s = scenario(async () => {
      const before = random();
      await sleep(1);
      return [before, random()];
    });
    await s.commands([job.start()]);
    const [first, second] = (await s.commands([job.seed(42), job.fireTimer(1)])).at(-1)
      .completeWorkflowExecution.result;
    expect(second).toBe(first);
  });

  it('of a named stream depend on its name and not on draws from others', async () => {
    const [a, b] = await result(() => [getRandomStream('a').random(), getRandomStream('b').random()]);
    expect(a).not.toBe(b);
    expect(
      await result(() => [random(), getRandomStream('b').random(), getRandomStream('a').random()].slice(1)),
    ).toEqual([b, a]);
  });

  it('come from a named stream inside its scope, also after awaits', async () => {
    const s = scenario(async () => {
      const stream = getRandomStream('a');
      const inside = stream.with(async () => {
        await sleep(1);
        return random();
      });
      const main = random();
      return [await inside, main];
    });
    await s.commands([job.start()]);
    const [inside, main] = (await s.commands([job.fireTimer(1)])).at(-1).completeWorkflowExecution.result;
    expect([inside]).toEqual(await result(() => [getRandomStream('a').random()]));
    expect([main]).toEqual(await result(() => [random()]));
  });

  it('fill bytes', async () => {
    const bytes = await result(() => Array.from(workflowRandom.fill(new Uint8Array(4))));
    expect(bytes).toEqual(await result(() => Array.from(workflowRandom.fill(new Uint8Array(4)))));
    expect(await result(() => workflowInfo().unsafe.random.fillRandom(new Uint8Array(3)).length)).toBe(3);
  });

  it('may be drawn while shared modules load, outside every run', () => {
    expect(random()).toBeGreaterThanOrEqual(0);
    expect(uuid4()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

/** The generator as its paper writes it, closures and all; nothing shared with the code under test. */
function referenceAlea(seed: number[], count: number): number[] {
  let n = 0xefc8249d;
  const mash = (codes: number[]) => {
    for (const code of codes) {
      n += code;
      let h = 0.02519603282416938 * n;
      n = Math.trunc(h) >>> 0;
      h -= n;
      h *= n;
      n = Math.trunc(h) >>> 0;
      h -= n;
      n += h * 2 ** 32;
    }
    return (Math.trunc(n) >>> 0) * 2 ** -32;
  };
  const s = [mash([32]), mash([32]), mash([32])];
  for (let i = 0; i < 3; i++) {
    s[i]! -= mash(seed);
    if (s[i]! < 0) s[i]! += 1;
  }
  let c = 1;
  return Array.from({ length: count }, () => {
    const t = 2091639 * s[0]! + c * 2 ** -32;
    c = Math.trunc(t);
    s.shift();
    s.push(t - c);
    return s[2]!;
  });
}
