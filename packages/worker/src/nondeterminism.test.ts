import { EventType } from '@perdure/proto/temporal/api/enums/v1/event_type';
import type { History } from '@perdure/proto/temporal/api/history/v1/message';
import Long from 'long';
import { coreSentence, explainDifference, type IssuedCommand } from './nondeterminism';

const started = { eventType: EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED };
const timer = { eventType: EventType.EVENT_TYPE_TIMER_STARTED };
const activity = (name: string) => ({
  eventType: EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
  activityTaskScheduledEventAttributes: { activityType: { name } },
});

const history = (...events: object[]): History => ({
  events: events.map((event, i) => ({ eventId: Long.fromNumber(i + 1), ...event })),
});

const command = (kind: string, type = '', line = 1): IssuedCommand => ({
  kind,
  type,
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
  expect(explainDifference(history(started), [{ kind: 'startTimer', type: '', stack: '' }])).toBe(
    'The history has no further event, where the workflow code now issues the command StartTimer.',
  );
});

it('takes the sentence out of what the core reports, and leaves other texts alone', () => {
  const report =
    'Workflow activation completion failed: Failure { failure: Some(Failure { message: "[X] it\'s \\"so\\"", source: "" }) }';
  expect(coreSentence(report)).toBe('[X] it\'s "so"');
  expect(coreSentence('plain words')).toBe('plain words');
});
