/**
 * Says where workflow code leaves the history it is replayed against: which event, which command, which line.
 *
 * X1  Compared are only events and commands that stand for each other one to one, in order: activities, timers,
 *     children, signals to and cancellations of other workflows, Nexus operations, the end of the run.
 */
import { EventType } from '@perdure/proto/temporal/api/enums/v1/event_type';
import type { History, HistoryEvent } from '@perdure/proto/temporal/api/history/v1/message';

/** A command as workflow code has issued it. */
export interface IssuedCommand {
  /** Field of coresdk.workflow_commands.WorkflowCommand. */
  readonly kind: string;
  /** Type of the activity or child workflow; empty for other commands. */
  readonly type: string;
  /** Stack of the call, mapped to the sources of the workflow. */
  readonly stack: string;
}

/** X1: the command behind each type of event. */
const COMMAND_OF: Partial<Record<EventType, string>> = {
  [EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]: 'scheduleActivity',
  [EventType.EVENT_TYPE_TIMER_STARTED]: 'startTimer',
  [EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED]: 'startChildWorkflowExecution',
  [EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED]: 'signalExternalWorkflowExecution',
  [EventType.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED]:
    'requestCancelExternalWorkflowExecution',
  [EventType.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED]: 'scheduleNexusOperation',
  [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED]: 'completeWorkflowExecution',
  [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED]: 'failWorkflowExecution',
  [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED]: 'cancelWorkflowExecution',
  [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW]: 'continueAsNewWorkflowExecution',
};

const COMPARED = new Set(Object.values(COMMAND_OF));

/** @returns a sentence, or undefined if events and commands that can be compared do not differ */
export function explainDifference(history: History, issued: readonly IssuedCommand[]): string | undefined {
  const events = (history.events ?? []).filter(({ eventType }) => COMMAND_OF[eventType ?? 0] !== undefined);
  const commands = issued.filter(({ kind }) => COMPARED.has(kind));
  const both = Math.max(events.length, commands.length);
  for (let i = 0; i < both; i++) {
    const event = events[i];
    const command = commands[i];
    if (event !== undefined && command !== undefined && stands(event, command)) continue;
    return sentence(event, command, commands[i - 1]);
  }
  return undefined;
}

function stands(event: HistoryEvent, { kind, type }: IssuedCommand): boolean {
  return COMMAND_OF[event.eventType ?? 0] === kind && (typeOf(event) === undefined || typeOf(event) === type);
}

function sentence(
  event: HistoryEvent | undefined,
  command: IssuedCommand | undefined,
  before: IssuedCommand | undefined,
): string {
  const past =
    event === undefined ? 'The history has no further event' : `Event ${event.eventId} is ${nameOf(event)}`;
  if (command !== undefined) {
    return `${past}, where the workflow code now issues the command ${shown(command)}${placeOf(command)}.`;
  }
  const last = before === undefined ? '' : `; its last one is ${shown(before)}${placeOf(before)}`;
  return `${past}, where the workflow code now issues no command${last}.`;
}

function nameOf(event: HistoryEvent): string {
  const words = (EventType[event.eventType ?? 0] ?? '')
    .replace(/^EVENT_TYPE_/, '')
    .toLowerCase()
    .split('_');
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  const type = typeOf(event);
  return type === undefined ? name : `${name} (${type})`;
}

function typeOf(event: HistoryEvent): string | undefined {
  return (
    event.activityTaskScheduledEventAttributes?.activityType?.name ??
    event.startChildWorkflowExecutionInitiatedEventAttributes?.workflowType?.name
  );
}

function shown({ kind, type }: IssuedCommand): string {
  const name = kind.charAt(0).toUpperCase() + kind.slice(1);
  return type === '' ? name : `${name} (${type})`;
}

/** The first line of the stack is where user code called. */
function placeOf({ stack }: IssuedCommand): string {
  const place = /^\s+at (?:.*\()?(.+:\d+:\d+)\)?$/m.exec(stack);
  return place === null ? '' : ` at ${place[1]}`;
}

/** The sentence inside of the core's report, which wraps it in the text form of its own structures. */
export function coreSentence(report: string): string {
  const message = /message: "((?:[^"\\]|\\.)*)"/.exec(report)?.[1];
  return message === undefined ? report : message.replace(/\\(.)/g, '$1');
}
