/** Chaos with fixed seeds, on servers of its own; `npm run chaos` goes on for longer. */
import { Runtime } from '@perdure/worker';
import { LineKeeper } from '../support/harness';
import { endPrograms } from '../support/programs';
import { runChaos } from './campaign';

const LIMIT_MS = 180_000;

beforeAll(() => {
  Runtime.install({ logger: new LineKeeper() });
});
afterAll(endPrograms);

it.each([
  { scenario: 'kill', seed: 11, harm: 'killed', times: 3 },
  { scenario: 'sigterm', seed: 12, harm: 'stopped', times: 3 },
  { scenario: 'restart', seed: 13, harm: 'restarts', times: 2 },
  { scenario: 'proxy', seed: 14, harm: 'cut', times: 3 },
] as const)(
  '200 workflows lose no signal and no result: $scenario',
  async ({ scenario, seed, harm, times }) => {
    const report = await runChaos({ scenario, seed, workflows: 200 });
    expect(report.failures).toEqual([]);
    expect(report).toMatchObject({ workflows: 200, signals: 1000, results: 1000, replays: 200 });
    expect(report.harm[harm]).toBeGreaterThanOrEqual(times);
  },
  LIMIT_MS,
);
