import { Pace, Slots } from './limits';

const never = new AbortController().signal;

describe('slots', () => {
  it('are given in the order in which they were asked for', async () => {
    const slots = new Slots(1);
    const order: number[] = [];
    expect(await slots.acquire(never)).toBe(true);
    const waiting = [1, 2, 3].map(async (n) => {
      await slots.acquire(never);
      order.push(n);
      slots.release();
    });
    slots.release();
    await Promise.all(waiting);
    expect(order).toEqual([1, 2, 3]);
    expect(await slots.acquire(never)).toBe(true);
  });

  it('are not lost to one who stops waiting', async () => {
    const slots = new Slots(1);
    await slots.acquire(never);
    const gone = new AbortController();
    const impatient = slots.acquire(gone.signal);
    const patient = slots.acquire(never);
    gone.abort();
    expect(await impatient).toBe(false);
    slots.release();
    expect(await patient).toBe(true);
    expect(await slots.acquire(gone.signal)).toBe(false);
  });
});

describe('pace', () => {
  it('spreads reservations evenly', async () => {
    const pace = new Pace(100);
    const beganMs = performance.now();
    for (let i = 0; i < 6; i++) expect(await pace.reserve(never)).toBe(true);
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(48);
  });

  it('takes back what led to no task', async () => {
    const pace = new Pace(1);
    for (let i = 0; i < 20; i++) {
      expect(await pace.reserve(never)).toBe(true);
      pace.giveBack();
    }
  });

  it('ends waiting when the worker stops, and is none without a rate', async () => {
    const stop = new AbortController();
    const pace = new Pace(0.001);
    await pace.reserve(stop.signal);
    const waiting = pace.reserve(stop.signal);
    stop.abort();
    expect(await waiting).toBe(false);
    expect(await new Pace(0).reserve(never)).toBe(true);
  });
});
