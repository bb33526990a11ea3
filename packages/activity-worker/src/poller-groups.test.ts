import Long from 'long';
import { PollerGroups } from './poller-groups';

const info = (version: number, groups: Record<string, number>) => ({
  version: Long.fromNumber(version),
  pollerGroups: Object.entries(groups).map(([id, weight]) => ({ id, weight })),
});

it('leaves the choice to the server until that has named groups', () => {
  const groups = new PollerGroups();
  groups.update(undefined);
  expect(groups.next()).toBe('');
});

it('gives each group a poll first, and then goes by weight', () => {
  const groups = new PollerGroups();
  groups.update(info(1, { a: 3, b: 1 }));
  expect([groups.next(), groups.next()].sort()).toEqual(['a', 'b']);
  expect(groups.next(() => 0.5)).toBe('a');
  expect(groups.next(() => 0.9)).toBe('b');
  groups.done('b');
  groups.done('b');
  expect(groups.next(() => 0.1)).toBe('b');
});

it('ignores snapshots that are older than the one it has', () => {
  const groups = new PollerGroups();
  groups.update(info(2, { new: 1 }));
  groups.update(info(1, { old: 1 }));
  expect(groups.next()).toBe('new');
});
