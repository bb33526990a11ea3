import { EventType } from '@perdure/proto/temporal/api/enums/v1/event_type';
import type { History } from '@perdure/proto/temporal/api/history/v1/message';
import Long from 'long';
import { explainDifference, type IssuedCommand } from './nondeterminism';

const started = { eventType: EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED };
const timer = { eventType: EventType.EVENT_TYPE_TIMER_STARTED };
const activity = (name: string) => ({
  eventType: EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
  activityTaskScheduledEventAttributes: { activityType: { name } },
});

const history = (...events: object[]): History => ({
  events: events.map((event, i) => ({ eventId: Long.fromNumber(i + 1), ...event })),
});

const command = (kind: string, type = '', line = 1, rest: Partial<IssuedCommand> = {}): IssuedCommand => ({
  kind,
  type,
  id: '',
  seq: 0,
  task: 3,
  ...rest,
  stack: `Error\n    at flow (/app/flow.ts:${line}:5)\n    at other (/app/other.ts:9:9)`,
});

it('finds nothing when commands and events stand for each other', () => {
  const issued = [command('scheduleActivity', 'a'), command('setPatchMarker'), command('startTimer')];
  expect(explainDifference(history(started, activity('a'), timer), issued)).toBeUndefined();
});

it('names event, command and line of the first difference', () => {
  const issued = [command('startTimer', '', 7), command('scheduleActivity', 'a', 8)];
  expect(explainDifference(history(started, activity('a'), timer), issued)).toBe(
    'Event 2 is ActivityTaskScheduled (a), where the workflow code now issues the command StartTimer at /app/flow.ts:7:5.',
  );
});

it('tells activities of different types apart', () => {
  expect(explainDifference(history(started, activity('a')), [command('scheduleActivity', 'b', 3)])).toBe(
    'Event 2 is ActivityTaskScheduled (a), where the workflow code now issues the command ScheduleActivity (b) at /app/flow.ts:3:5.',
  );
});

it('names the last command when the code stops too early', () => {
  expect(explainDifference(history(started, timer, timer), [command('startTimer', '', 4)])).toBe(
    'Event 3 is TimerStarted, where the workflow code now issues no command; its last one is StartTimer at /app/flow.ts:4:5.',
  );
});

it('names the command that the history does not have', () => {
  expect(explainDifference(history(started), [command('startTimer', '', 6)])).toBe(
    'The history has no further event, where the workflow code now issues the command StartTimer at /app/flow.ts:6:5.',
  );
});

it('does without a line when the stack has none', () => {
  expect(explainDifference(history(started), [{ ...command('startTimer'), stack: '' }])).toBe(
    'The history has no further event, where the workflow code now issues the command StartTimer.',
  );
});

const child = (name: string, workflowId: string) => ({
  eventType: EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
  startChildWorkflowExecutionInitiatedEventAttributes: { workflowType: { name }, workflowId },
});
const json = (value: unknown) => ({ payloads: [{ data: new TextEncoder().encode(JSON.stringify(value)) }] });
const patch = (id: string, deprecated = false) => ({
  eventType: EventType.EVENT_TYPE_MARKER_RECORDED,
  markerRecordedEventAttributes: {
    markerName: 'core_patch',
    details: { 'patch-data': json({ id, deprecated }) },
  },
});
const patchAttribute = {
  eventType: EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
  upsertWorkflowSearchAttributesEventAttributes: {
    searchAttributes: { indexedFields: { TemporalChangeVersion: {} } },
  },
};
const localActivity = (seq: number, type: string) => ({
  eventType: EventType.EVENT_TYPE_MARKER_RECORDED,
  markerRecordedEventAttributes: {
    markerName: 'core_local_activity',
    details: { data: json({ seq, activity_type: type }) },
  },
});

it('tells children of different ids apart', () => {
  const issued = [command('startChildWorkflowExecution', 'c', 3, { id: 'two' })];
  expect(explainDifference(history(started, child('c', 'one')), issued)).toBe(
    'Event 2 is StartChildWorkflowExecutionInitiated (c, id "one"), where the workflow code now issues the command StartChildWorkflowExecution (c) with id "two" at /app/flow.ts:3:5.',
  );
});

it.each([
  [
    'a patch and its attribute',
    [patch('p'), patchAttribute, timer],
    [command('setPatchMarker', 'p'), command('startTimer')],
  ],
  [
    'a deprecated patch that the code has no longer',
    [patch('p', true), patchAttribute, timer],
    [command('startTimer')],
  ],
  ['a patch that came later', [timer], [command('setPatchMarker', 'p'), command('startTimer')]],
  [
    'a timer that was cancelled in the task that began it',
    [timer],
    [
      command('startTimer', '', 1, { seq: 1 }),
      command('cancelTimer', '', 1, { seq: 1 }),
      command('startTimer', '', 1, { seq: 2 }),
    ],
  ],
  [
    'a request to cancel that needs no event',
    [timer],
    [command('requestCancelActivity'), command('startTimer')],
  ],
  [
    'a local activity that ended after a timer began',
    [timer, localActivity(1, 'a')],
    [command('scheduleLocalActivity', 'a', 1, { seq: 1 }), command('startTimer')],
  ],
  [
    'an update that failed after it had been accepted, and one that was refused',
    [
      { eventType: EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED },
      { eventType: EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED },
    ],
    [
      command('rejectedUpdate', '', 1, { id: 'b' }),
      command('acceptedUpdate', '', 1, { id: 'a' }),
      command('rejectedUpdate', '', 1, { id: 'a' }),
    ],
  ],
  [
    'an end that was reached before another branch issued its command',
    [timer, { eventType: EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED }],
    [command('completeWorkflowExecution'), command('startTimer')],
  ],
])('forgives what the core forgives: %s', (_, events, issued) => {
  expect(explainDifference(history(started, ...events), issued)).toBeUndefined();
});

it('names a patch that is still in the history and no longer in the code', () => {
  expect(explainDifference(history(started, patch('p'), timer), [command('startTimer', '', 9)])).toBe(
    'Event 2 is MarkerRecorded (patch p), where the workflow code now issues the command StartTimer at /app/flow.ts:9:5.',
  );
});

it('names a local activity of another type', () => {
  const issued = [command('scheduleLocalActivity', 'b', 4, { seq: 1 })];
  expect(explainDifference(history(started, localActivity(1, 'a')), issued)).toBe(
    'Event 2 is MarkerRecorded (local activity a), where the workflow code now issues the command ScheduleLocalActivity (b) at /app/flow.ts:4:5.',
  );
});

it('tells the difference that comes first', () => {
  const issued = [command('scheduleLocalActivity', 'b', 4, { seq: 1 }), command('scheduleActivity', 'a', 5)];
  expect(explainDifference(history(started, timer, localActivity(1, 'a')), issued)).toMatch(
    /^Event 2 is TimerStarted/,
  );
});

it('names the command before an end of the run, which has no line of its own', () => {
  const issued = [command('startTimer', '', 4), { ...command('completeWorkflowExecution'), stack: 'Error' }];
  expect(explainDifference(history(started, timer, activity('a')), issued)).toBe(
    'Event 3 is ActivityTaskScheduled (a), where the workflow code now issues the command CompleteWorkflowExecution; the command before it is StartTimer at /app/flow.ts:4:5.',
  );
});

it('tells nothing of events behind the one at which the core stopped', () => {
  const report = '[TMPRL1100] Nondeterminism error: no command for HistoryEvent(id: 2, TimerFired)';
  expect(explainDifference(history(started, timer, timer), [command('startTimer')], report)).toBeUndefined();
});
