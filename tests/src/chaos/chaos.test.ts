/** Chaos with fixed seeds, on servers of its own; `npm run chaos` goes on for longer. */
import { Runtime } from '@perdure/worker';
import { LineKeeper } from '../support/harness';
import { endPrograms } from '../support/programs';
import { runChaos } from './campaign';

/** Far more than it takes: 10 to 20 seconds each on two quiet cores. */
const LIMIT_MS = 600_000;

beforeAll(() => {
  Runtime.install({ logger: new LineKeeper() });
});
afterAll(endPrograms);

it.each([
  { scenario: 'kill', seed: 11, workflows: 200, harm: 'killed', times: 3 },
  { scenario: 'sigterm', seed: 12, workflows: 60, harm: 'stopped', times: 2 },
  { scenario: 'restart', seed: 13, workflows: 60, harm: 'restarts', times: 2 },
  { scenario: 'lanes', seed: 15, workflows: 60, harm: 'lanes', times: 3 },
  { scenario: 'proxy', seed: 14, workflows: 100, harm: 'cut', times: 3 },
] as const)(
  '$workflows workflows lose no signal and no result: $scenario',
  async ({ scenario, seed, workflows, harm, times }) => {
    const report = await runChaos({ scenario, seed, workflows });
    expect(report.failures).toEqual([]);
    expect(report).toMatchObject({
      workflows,
      signals: 5 * workflows,
      results: 5 * workflows,
      replays: workflows,
    });
    expect(report.harm[harm]).toBeGreaterThanOrEqual(times);
  },
  LIMIT_MS,
);
