/** Random programs on a real server, with a fixed seed; `npm run fuzz` goes on for longer. */
import { harness } from '../support/harness';
import { runCampaign } from './campaign';

const h = harness();
/** Far more than it takes: about 20 seconds each on two quiet cores. */
const LIMIT_MS = 900_000;

it.each([
  { seed: 1, maxCachedWorkflows: 1000, witness: false },
  { seed: 2, maxCachedWorkflows: 1, witness: true },
])(
  'programs of seed $seed, with a cache of $maxCachedWorkflows runs, replay whole and cut at every task',
  async (options) => {
    const { client, connection } = h;
    const report = await runCampaign({ client, connection, programs: 200, ...options });
    expect(report.failures).toEqual([]);
    expect(report.programs).toBe(200);
    expect(report.replays).toBeGreaterThan(500);
    const { WORKFLOW_EXECUTION_COMPLETED: completed = 0 } = report.ends;
    expect(completed).toBeGreaterThan(100); // programs get somewhere
  },
  LIMIT_MS,
);
