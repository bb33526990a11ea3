import { createEventGroup, sleep } from './index';
import { job, scenario } from './testing/scenario';

describe('an event group', () => {
  it('marks commands of its scope and those it is given to, each once', async () => {
    const s = scenario(async () => {
      const a = createEventGroup('A', { id: 'a' });
      const b = createEventGroup('B', { id: 'b' });
      await Promise.all([
        a.withScope(() => sleep(1, { eventGroups: [b, a] })),
        sleep(2, { eventGroups: [b] }),
        sleep(3),
      ]);
    });
    const marker = (id: string, label: string) => ({ label: { id, label } });
    expect((await s.commands([job.start()])).map((command) => command.eventGroupMarkers)).toEqual([
      [marker('a', 'A'), marker('b', 'B')],
      [marker('b', 'B')],
      undefined,
    ]);
  });

  it('has an id of its label that no other label has, and draws nothing for it', async () => {
    const s = scenario(async () => {
      const before = createEventGroup('A');
      await Promise.all(
        [before, createEventGroup('B'), createEventGroup('A')].map((g) => g.withScope(() => sleep(1))),
      );
    });
    const ids = (await s.commands([job.start()])).map((command) => command.eventGroupMarkers[0].label.id);
    expect(ids[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(ids[2]).toBe(ids[0]);
    expect(ids[1]).not.toBe(ids[0]);
  });
});
