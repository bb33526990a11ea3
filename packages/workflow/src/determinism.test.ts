import fc from 'fast-check';
import { asText, program, type Recorded, record, type Step, step } from './testing/programs';
import { job, Scenario } from './testing/scenario';

/** Replays what was recorded from the beginning, up to and with the activation given. */
async function replay(steps: Step[], recorded: Recorded, last: number): Promise<string[]> {
  const patches = new Set<string>();
  for (const commands of recorded.commands) {
    for (const [, id] of commands.matchAll(/"setPatchMarker":\{"patchId":"([^"]+)"/g)) patches.add(id!);
  }
  const s = new Scenario({ wf: program(steps) });
  const commands: string[] = [];
  for (let i = 0; i <= last; i++) {
    const { jobs, facts } = recorded.activations[i]!;
    // The core tells of a patch in the activation in which it was first asked for; earlier is right as well.
    const notify = i === 0 ? [...patches].map(job.patch) : [];
    const outcome = await s.activate([...jobs, ...notify], {
      ...facts,
      isReplaying: i < last,
      flags: recorded.flags[i],
    });
    commands.push(asText(outcome.commands ?? outcome.failed));
  }
  return commands;
}

describe('any program, with any order of answers', () => {
  it('gives the same commands when its history is replayed, wholly or up to any task', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(1000), { minLength: 3, maxLength: 8 }),
        fc.nat(),
        async (steps, choices, cut) => {
          const recorded = await record(program, steps, choices);
          const last = recorded.activations.length - 1;
          expect(await replay(steps, recorded, last)).toEqual(recorded.commands);
          const at = cut % (last + 1);
          expect(await replay(steps, recorded, at)).toEqual(recorded.commands.slice(0, at + 1));
        },
      ),
      { numRuns: 150, seed: 20261121 },
    );
  });

  it('never ends in a failed task unless a patch comes and goes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(1000), { minLength: 3, maxLength: 8 }),
        async (steps, choices) => {
          const { commands } = await record(program, steps, choices);
          for (const each of commands) expect(each.startsWith('[')).toBe(true);
        },
      ),
      { numRuns: 60, seed: 7 },
    );
  });
});
