import { Gauge } from './gauge';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it('gives the present value at once, then changes, then the end', async () => {
  let value = 3;
  const gauge = new Gauge(() => value, 1);
  const seen: unknown[] = [];
  gauge.subscribe({ next: (n) => seen.push(n), complete: () => seen.push('complete') });
  expect(seen).toEqual([3]);
  value = 4;
  gauge.poke();
  gauge.poke();
  value = 5;
  await pause(10);
  gauge.end();
  expect(seen).toEqual([3, 4, 5, 0, 'complete']);
});

it('looks only while somebody has subscribed', async () => {
  let looks = 0;
  const gauge = new Gauge(() => looks++, 1);
  await pause(5);
  expect(looks).toBe(0);
  const subscription = gauge.subscribe(() => undefined);
  await pause(10);
  expect(looks).toBeGreaterThan(1);
  subscription.unsubscribe();
  expect(subscription.closed).toBe(true);
  const before = looks;
  await pause(10);
  expect(looks).toBe(before);
});

it('completes at once for those who come after the end', () => {
  const gauge = new Gauge(() => 7);
  gauge.end();
  const seen: unknown[] = [];
  gauge.subscribe(
    (n) => seen.push(n),
    undefined,
    () => seen.push('complete'),
  );
  expect(seen).toEqual([0, 'complete']);
});

it('is an observable to libraries that ask', () => {
  const gauge = new Gauge(() => 1);
  expect(gauge['@@observable']()).toBe(gauge);
});
