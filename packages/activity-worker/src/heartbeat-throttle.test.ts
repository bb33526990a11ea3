import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import { HeartbeatThrottle } from './heartbeat-throttle';

const details = (text: string): Payload[] => [{ data: Buffer.from(text) }];
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** Lets that much time pass, and what is due in it happen in its order. */
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

function recorder(intervalMs: number, send: (text: string) => Promise<void> = async () => undefined) {
  const sent: string[] = [];
  const throttle = new HeartbeatThrottle(intervalMs, async ([first]) => {
    const text = Buffer.from(first!.data!).toString();
    sent.push(text);
    await send(text);
  });
  return { sent, throttle, record: (text: string) => throttle.record(details(text)) };
}

it('sends the first heartbeat at once and then the newest of each interval', async () => {
  const { sent, throttle, record } = recorder(60);
  for (const text of ['a', 'b', 'c']) record(text);
  expect(sent).toEqual(['a']);
  await pass(59);
  expect(sent).toEqual(['a']);
  await pass(1);
  expect(sent).toEqual(['a', 'c']);
  await pass(30);
  record('d');
  record('e');
  expect(sent).toEqual(['a', 'c']);
  await pass(30);
  expect(sent).toEqual(['a', 'c', 'e']);
  throttle.end();
});

it('sends nothing while nothing is recorded, and at once after a long silence', async () => {
  const { sent, throttle, record } = recorder(30);
  record('a');
  await pass(100);
  expect(sent).toEqual(['a']);
  record('b');
  expect(sent).toEqual(['a', 'b']);
  throttle.end();
});

it('never has two on their way, and sends details that did not arrive with the next one', async () => {
  let running = 0;
  let failures = 1;
  const { sent, throttle, record } = recorder(10, async () => {
    expect(++running).toBe(1);
    await wait(30);
    running--;
    if (failures-- > 0) throw new Error('lost');
  });
  record('a');
  await pass(29);
  expect(sent).toEqual(['a']);
  await pass(2);
  expect(sent).toEqual(['a', 'a']);
  throttle.end();
});

it('gives back what has not been sent, and sends nothing after its end', async () => {
  const { sent, throttle, record } = recorder(20);
  record('a');
  record('b');
  expect(await throttle.unsent()).toEqual(details('b'));
  record('c');
  await pass(40);
  expect(sent).toEqual(['a']);
});

it.each([
  ['arrives', undefined],
  ['is lost', details('a')],
])('gives back what has not been sent only when what is on its way %s', async (how, rest) => {
  const { throttle, record } = recorder(20, async () => {
    await wait(30);
    if (how === 'is lost') throw new Error('lost');
  });
  record('a');
  let unsent: unknown = 'not yet';
  void throttle.unsent().then((given) => {
    unsent = given;
  });
  await pass(29);
  expect(unsent).toBe('not yet');
  await pass(1);
  expect(unsent).toEqual(rest);
});
