import type { State } from './state';
import { WorkerState } from './state';

const ALL: State[] = ['INITIALIZED', 'RUNNING', 'STOPPING', 'DRAINING', 'DRAINED', 'STOPPED', 'FAILED'];
const LIFE: State[] = ['INITIALIZED', 'RUNNING', 'STOPPING', 'DRAINING', 'DRAINED', 'STOPPED'];

/** A state machine brought to `target`. */
function at(target: State): WorkerState {
  const state = new WorkerState(() => undefined);
  if (target === 'FAILED') state.to('FAILED');
  else for (const next of LIFE.slice(1, LIFE.indexOf(target) + 1)) state.to(next);
  return state;
}

it.each(ALL.flatMap((from) => ALL.map((to) => [from, to] as const)))('from %s to %s', (from, to) => {
  const next = LIFE[LIFE.indexOf(from) + 1];
  const allowed = from !== 'FAILED' && from !== 'STOPPED' && (to === 'FAILED' || to === next);
  const state = at(from);
  if (allowed) {
    state.to(to);
    expect(state.current).toBe(to);
  } else {
    expect(() => state.to(to)).toThrow(expect.objectContaining({ code: 'ILLEGAL_STATE' }));
    expect(state.current).toBe(from);
  }
});

it('tells each change once', () => {
  const seen: State[] = [];
  const state = new WorkerState((next) => seen.push(next));
  for (const next of LIFE.slice(1)) state.to(next);
  expect(seen).toEqual(LIFE.slice(1));
});
