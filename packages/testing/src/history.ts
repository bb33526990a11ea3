/**
 * Histories as tests look at them: what a workflow has scheduled, in what order, with what arguments, and what became
 * of it.
 *
 * H1  Steps stand in the order of their events, which is the order in which the workflow issued the commands.
 * H2  Values are decoded as the client decodes them: codecs first, then the payload converter.
 */
import { AssertionError, deepStrictEqual } from 'node:assert';
import { type DataConverter, type LoadedDataConverter, ValueError } from '@perdure/common';
import {
  decodeArrayFromPayloads,
  decodeOptionalFailureToOptionalError,
  loadDataConverter,
} from '@perdure/common/lib/internal-non-workflow';
import { historyFromJSON } from '@perdure/common/lib/proto-utils';
import { tsToMs } from '@perdure/common/lib/time';
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import { EventType } from '@perdure/proto/temporal/api/enums/v1/event_type';
import type { Failure } from '@perdure/proto/temporal/api/failure/v1/message';
import type { History, HistoryEvent } from '@perdure/proto/temporal/api/history/v1/message';

/** A handle of a workflow, a History message, or its proto3 JSON as an object or as text. */
export type HistorySource = { fetchHistory(): Promise<History> } | History | object | string;

export type StepKind =
  | 'activity'
  | 'localActivity'
  | 'timer'
  | 'childWorkflow'
  | 'signal'
  | 'cancel'
  | 'nexusOperation'
  | 'continueAsNew';

/** How a step ended; `open` while the history does not say. */
export type StepOutcome = 'open' | 'completed' | 'failed' | 'timedOut' | 'cancelled' | 'terminated';

/** Something that the workflow has asked for. */
export interface Step {
  readonly kind: StepKind;
  /**
   * Activity or workflow type; name of the signal; `endpoint/service/operation` of a Nexus operation; the time of a
   * timer, such as `90 s`; workflow id of the target of a cancellation.
   */
  readonly name: string;
  /** Activity id, timer id, or workflow id of a child or target; empty where the kind has none. */
  readonly id: string;
  /** Decoded arguments. The server does not keep those of local activities. */
  readonly args: readonly unknown[];
  /** Time of a timer in milliseconds. */
  readonly durationMs?: number;
  readonly outcome: StepOutcome;
  /** What a completed step gave. */
  readonly result?: unknown;
  /** Why a step failed, timed out or was cancelled. */
  readonly failure?: Error;
  /** Number of the event, from 1. A local activity's event is written when it has ended. */
  readonly eventId: number;
}

/** One run of a workflow as the server has recorded it. */
export class WorkflowHistory {
  constructor(
    /** The message behind this view. */
    readonly message: History,
    /** H1 */
    readonly steps: readonly Step[],
  ) {}

  get events(): readonly HistoryEvent[] {
    return this.message.events ?? [];
  }

  /** Types of all events, such as `ActivityTaskScheduled`, without those of workflow tasks. */
  get eventNames(): readonly string[] {
    return this.events
      .map(({ eventType }) => eventName(eventType))
      .filter((name) => !name.startsWith('WorkflowTask'));
  }

  /** Kind and name of each step, such as `activity charge` or `timer 1 h`. */
  get outline(): readonly string[] {
    return this.steps.map(({ kind, name }) => `${kind} ${name}`);
  }

  /** Steps of one kind, and of one name if given. */
  stepsOf(kind: StepKind, name?: string): readonly Step[] {
    return this.steps.filter((step) => step.kind === kind && (name === undefined || step.name === name));
  }
}

/**
 * Reads a history.
 * @param options  `dataConverter`: how payloads are decoded; that of the handle's client unless given
 * @throws {ValueError} nothing that a history can be read from; errors of the client, converter and codecs
 */
export async function readHistory(
  source: HistorySource,
  options: { readonly dataConverter?: DataConverter } = {},
): Promise<WorkflowHistory> {
  const message = await messageOf(source);
  const converter =
    options.dataConverter === undefined
      ? (converterOf(source) ?? loadDataConverter())
      : loadDataConverter(options.dataConverter);
  return new WorkflowHistory(message, await readSteps(message, converter));
}

/**
 * Holds the outline of a history against the one that is expected.
 * @param expected  such as `['activity reserve', 'timer 1 h', 'activity ship']`
 * @returns the history, for further assertions
 * @throws {AssertionError} they differ, with both in the message
 */
export async function expectSteps(
  source: HistorySource | WorkflowHistory,
  expected: readonly string[],
): Promise<WorkflowHistory> {
  const history = source instanceof WorkflowHistory ? source : await readHistory(source);
  try {
    deepStrictEqual(history.outline, expected);
  } catch (error) {
    const { actual, message } = error as AssertionError;
    throw new AssertionError({
      message: `The workflow has not scheduled what was expected\n${message}`,
      actual,
      expected,
      operator: 'deepStrictEqual',
      stackStartFn: expectSteps,
    });
  }
  return history;
}

async function messageOf(source: HistorySource): Promise<History> {
  if (typeof (source as { fetchHistory?: unknown })?.fetchHistory === 'function')
    return await (source as { fetchHistory(): Promise<History> }).fetchHistory();
  const value = typeof source === 'string' ? parse(source) : source;
  const events = (value as History | undefined)?.events;
  if (!Array.isArray(events) || events.length === 0)
    throw new ValueError('The history has no events: takes a handle, a History message or its JSON');
  // Only messages have 64-bit numbers as objects; JSON may spell event types either way.
  const isMessage = events.every((event) => typeof event?.eventId?.toNumber === 'function');
  return isMessage ? (value as History) : historyFromJSON(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ValueError(`The history is not JSON: ${(error as Error).message}`, error);
  }
}

/** H2 */
function converterOf(source: HistorySource): LoadedDataConverter | undefined {
  const { client } = source as { client?: { options?: { loadedDataConverter?: LoadedDataConverter } } };
  return client?.options?.loadedDataConverter;
}

export function eventName(type: EventType | undefined): string {
  const words = (EventType[type ?? 0] ?? '').replace(/^EVENT_TYPE_/, '').split('_');
  return words.map((word) => word.charAt(0) + word.slice(1).toLowerCase()).join('');
}

type MutableStep = { -readonly [K in keyof Step]: Step[K] };

/** What an event says about the end of a step. */
interface Ending {
  readonly of: { toString(): string } | undefined;
  readonly outcome: StepOutcome;
  readonly result?: readonly Payload[];
  readonly failure?: Failure;
}

async function readSteps({ events = [] }: History, converter: LoadedDataConverter): Promise<Step[]> {
  const steps: Step[] = [];
  const byEvent = new Map<string, MutableStep>();
  const values = (payloads: readonly Payload[] | undefined) =>
    decodeArrayFromPayloads(converter, payloads && [...payloads]);
  for (const event of events) {
    const begun = await beginningOf(event, values);
    if (begun !== undefined) {
      const step: MutableStep = { ...begun, eventId: Number(event.eventId ?? 0) };
      byEvent.set(String(event.eventId), step);
      steps.push(step);
    }
    const ending = endingOf(event);
    const step = ending && byEvent.get(String(ending.of));
    if (step === undefined || ending === undefined) continue;
    step.outcome = ending.outcome;
    if (ending.result !== undefined) step.result = (await values(ending.result))[0];
    const failure = await decodeOptionalFailureToOptionalError(converter, ending.failure);
    if (failure !== undefined) step.failure = failure;
  }
  return steps;
}

async function beginningOf(
  event: HistoryEvent,
  values: (payloads: readonly Payload[] | undefined) => Promise<unknown[]>,
): Promise<Omit<Step, 'eventId'> | undefined> {
  const open = { outcome: 'open' as StepOutcome, args: [] as unknown[], id: '' };
  const {
    activityTaskScheduledEventAttributes: activity,
    timerStartedEventAttributes: timer,
    startChildWorkflowExecutionInitiatedEventAttributes: child,
    signalExternalWorkflowExecutionInitiatedEventAttributes: signal,
    requestCancelExternalWorkflowExecutionInitiatedEventAttributes: cancel,
    nexusOperationScheduledEventAttributes: nexus,
    workflowExecutionContinuedAsNewEventAttributes: continued,
    markerRecordedEventAttributes: marker,
  } = event;
  if (activity !== undefined) {
    const args = await values(activity.input?.payloads);
    return {
      ...open,
      kind: 'activity',
      name: activity.activityType?.name ?? '',
      id: activity.activityId ?? '',
      args,
    };
  }
  if (timer !== undefined) {
    const durationMs = timer.startToFireTimeout === undefined ? 0 : tsToMs(timer.startToFireTimeout);
    return { ...open, kind: 'timer', name: formatDuration(durationMs), id: timer.timerId ?? '', durationMs };
  }
  if (child !== undefined) {
    const args = await values(child.input?.payloads);
    return {
      ...open,
      kind: 'childWorkflow',
      name: child.workflowType?.name ?? '',
      id: child.workflowId ?? '',
      args,
    };
  }
  if (signal !== undefined) {
    const args = await values(signal.input?.payloads);
    const id = signal.workflowExecution?.workflowId ?? '';
    return { ...open, kind: 'signal', name: signal.signalName ?? '', id, args };
  }
  if (cancel !== undefined) {
    const id = cancel.workflowExecution?.workflowId ?? '';
    return { ...open, kind: 'cancel', name: id, id };
  }
  if (nexus !== undefined) {
    const name = [nexus.endpoint, nexus.service, nexus.operation].join('/');
    return { ...open, kind: 'nexusOperation', name, args: await values(nexus.input && [nexus.input]) };
  }
  if (continued !== undefined) {
    const name = continued.workflowType?.name ?? '';
    const args = await values(continued.input?.payloads);
    return {
      ...open,
      kind: 'continueAsNew',
      name,
      id: continued.newExecutionRunId ?? '',
      args,
      outcome: 'completed',
    };
  }
  if (marker?.markerName === 'core_local_activity') {
    const { activity_type: name = '', activity_id: id = '' } = localActivityOf(
      marker.details?.data?.payloads?.[0],
    );
    return { ...open, kind: 'localActivity', name, id };
  }
  return undefined;
}

/** The core writes this payload itself, after codecs and converters have had their turn. */
function localActivityOf(payload: Payload | undefined): { activity_type?: string; activity_id?: string } {
  if (payload?.data === undefined) return {};
  return JSON.parse(Buffer.from(payload.data).toString());
}

function endingOf(event: HistoryEvent): Ending | undefined {
  const e = event;
  if (e.activityTaskCompletedEventAttributes) {
    const { scheduledEventId, result } = e.activityTaskCompletedEventAttributes;
    return { of: scheduledEventId, outcome: 'completed', result: result?.payloads ?? [] };
  }
  if (e.activityTaskFailedEventAttributes) {
    const { scheduledEventId, failure } = e.activityTaskFailedEventAttributes;
    return { of: scheduledEventId, outcome: 'failed', failure };
  }
  if (e.activityTaskTimedOutEventAttributes) {
    const { scheduledEventId, failure } = e.activityTaskTimedOutEventAttributes;
    return { of: scheduledEventId, outcome: 'timedOut', failure };
  }
  if (e.activityTaskCanceledEventAttributes)
    return { of: e.activityTaskCanceledEventAttributes.scheduledEventId, outcome: 'cancelled' };
  if (e.timerFiredEventAttributes)
    return { of: e.timerFiredEventAttributes.startedEventId, outcome: 'completed' };
  if (e.timerCanceledEventAttributes)
    return { of: e.timerCanceledEventAttributes.startedEventId, outcome: 'cancelled' };
  if (e.childWorkflowExecutionCompletedEventAttributes) {
    const { initiatedEventId, result } = e.childWorkflowExecutionCompletedEventAttributes;
    return { of: initiatedEventId, outcome: 'completed', result: result?.payloads ?? [] };
  }
  if (e.childWorkflowExecutionFailedEventAttributes) {
    const { initiatedEventId, failure } = e.childWorkflowExecutionFailedEventAttributes;
    return { of: initiatedEventId, outcome: 'failed', failure };
  }
  if (e.startChildWorkflowExecutionFailedEventAttributes)
    return { of: e.startChildWorkflowExecutionFailedEventAttributes.initiatedEventId, outcome: 'failed' };
  if (e.childWorkflowExecutionCanceledEventAttributes)
    return { of: e.childWorkflowExecutionCanceledEventAttributes.initiatedEventId, outcome: 'cancelled' };
  if (e.childWorkflowExecutionTimedOutEventAttributes)
    return { of: e.childWorkflowExecutionTimedOutEventAttributes.initiatedEventId, outcome: 'timedOut' };
  if (e.childWorkflowExecutionTerminatedEventAttributes)
    return { of: e.childWorkflowExecutionTerminatedEventAttributes.initiatedEventId, outcome: 'terminated' };
  if (e.externalWorkflowExecutionSignaledEventAttributes)
    return { of: e.externalWorkflowExecutionSignaledEventAttributes.initiatedEventId, outcome: 'completed' };
  if (e.signalExternalWorkflowExecutionFailedEventAttributes)
    return { of: e.signalExternalWorkflowExecutionFailedEventAttributes.initiatedEventId, outcome: 'failed' };
  if (e.externalWorkflowExecutionCancelRequestedEventAttributes)
    return {
      of: e.externalWorkflowExecutionCancelRequestedEventAttributes.initiatedEventId,
      outcome: 'completed',
    };
  if (e.requestCancelExternalWorkflowExecutionFailedEventAttributes) {
    const { initiatedEventId } = e.requestCancelExternalWorkflowExecutionFailedEventAttributes;
    return { of: initiatedEventId, outcome: 'failed' };
  }
  if (e.nexusOperationCompletedEventAttributes) {
    const { scheduledEventId, result } = e.nexusOperationCompletedEventAttributes;
    return { of: scheduledEventId, outcome: 'completed', result: result === undefined ? [] : [result] };
  }
  if (e.nexusOperationFailedEventAttributes) {
    const { scheduledEventId, failure } = e.nexusOperationFailedEventAttributes;
    return { of: scheduledEventId, outcome: 'failed', failure };
  }
  if (e.nexusOperationCanceledEventAttributes) {
    const { scheduledEventId, failure } = e.nexusOperationCanceledEventAttributes;
    return { of: scheduledEventId, outcome: 'cancelled', failure };
  }
  if (e.nexusOperationTimedOutEventAttributes) {
    const { scheduledEventId, failure } = e.nexusOperationTimedOutEventAttributes;
    return { of: scheduledEventId, outcome: 'timedOut', failure };
  }
  if (e.markerRecordedEventAttributes?.markerName === 'core_local_activity') {
    const { details, failure } = e.markerRecordedEventAttributes; // a local activity begins and ends in one event
    if (failure !== undefined) return { of: e.eventId, outcome: 'failed', failure };
    return { of: e.eventId, outcome: 'completed', result: details?.result?.payloads ?? [] };
  }
  return undefined;
}

const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
  ['ms', 1],
];

/** In the largest unit that divides it: `1 h`, `90 s`, `1500 ms`. */
export function formatDuration(ms: number): string {
  const [name, unitMs] = UNITS.find(([, unit]) => ms !== 0 && ms % unit === 0) ?? UNITS.at(-1)!;
  return `${ms / unitMs} ${name}`;
}
