import { DefaultLogger, type LogEntry } from './logger';
import { ServerWatch } from './server-watch';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it('warns at each interval while the server is away, and says once that it is back', async () => {
  const lines: LogEntry[] = [];
  let away = false;
  let probes = 0;
  const watch = new ServerWatch({
    probe: async () => {
      probes++;
      if (away) throw new Error('refused');
    },
    logger: new DefaultLogger('INFO', (line) => lines.push(line)),
    attributes: { taskQueue: 'q' },
    intervalMs: 10,
  });
  await pause(40);
  expect(probes).toBeGreaterThan(0);
  expect(lines).toEqual([]);
  away = true;
  while (lines.length < 3) await pause(5);
  away = false;
  while (lines.at(-1)!.level === 'WARN') await pause(5);
  const count = lines.length;
  await pause(40);
  watch.stop();
  expect(lines).toHaveLength(count);
  expect(
    lines.slice(0, -1).every(({ level, message }) => level === 'WARN' && message.includes('does not answer')),
  ).toBe(true);
  expect(lines.at(-1)).toMatchObject({
    level: 'INFO',
    message: 'The server answers again',
    meta: { taskQueue: 'q' },
  });
});

it('is silent once it is stopped, also when a probe is still on its way', async () => {
  const lines: LogEntry[] = [];
  const watch = new ServerWatch({
    probe: async () => {
      await pause(30);
      throw new Error('refused');
    },
    logger: new DefaultLogger('INFO', (line) => lines.push(line)),
    attributes: {},
    intervalMs: 5,
  });
  await pause(15);
  watch.stop();
  await pause(60);
  expect(lines).toEqual([]);
});
