/**
 * Says where workflow code leaves the history it is replayed against: which event, which command, which line.
 *
 * The core only says that some state machine did not expect an event. What the code has done is known from a replay
 * in which each command is traced (trace.ts); here its commands and the history's events are laid side by side.
 *
 * X1  Events and commands are paired in the order in which the core pairs them: one queue of commands, one of the
 *     events that stand for a command, whatever task they belong to.
 * X2  What the core forgives is no difference: markers of deprecated patches, patches that the history does not know,
 *     operations that were cancelled in the task that began them, requests to cancel that needed no event.
 * X3  Local activities leave their event when they end, so those are found by their number.
 * X4  No difference is told that lies behind the event at which the core stopped: the code did not get there.
 */
import { decode } from '@perdure/common/lib/encoding';
import { EventType } from '@perdure/proto/temporal/api/enums/v1/event_type';
import type { History, HistoryEvent } from '@perdure/proto/temporal/api/history/v1/message';

/** A command as workflow code has issued it. */
export interface IssuedCommand {
  /** Field of coresdk.workflow_commands.WorkflowCommand; of an answer to an update `acceptedUpdate` and so on. */
  readonly kind: string;
  /** Type of the activity or child workflow, id of the patch, name of the signal; empty for other commands. */
  readonly type: string;
  /** Id that user code has given, or that was made for it; empty for commands without one. */
  readonly id: string;
  /** Number of the operation among those of its kind; 0 for commands without one. */
  readonly seq: number;
  /** Length of the history when the command was issued: equal for the commands of one task. */
  readonly task: number;
  /** Stack of the call, mapped to the sources of the workflow. */
  readonly stack: string;
}

/** An event that stands for a command. */
interface Recorded {
  readonly event: HistoryEvent;
  readonly kind: string;
  /** Undefined: the core does not compare it. */
  readonly type?: string | undefined;
  readonly id?: string | undefined;
  readonly deprecated?: boolean;
}

/** The command behind each type of event (X1). */
const COMMAND_OF: Partial<Record<EventType, string>> = {
  [EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]: 'scheduleActivity',
  [EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED]: 'requestCancelActivity',
  [EventType.EVENT_TYPE_TIMER_STARTED]: 'startTimer',
  [EventType.EVENT_TYPE_TIMER_CANCELED]: 'cancelTimer',
  [EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED]: 'startChildWorkflowExecution',
  [EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED]: 'signalExternalWorkflowExecution',
  [EventType.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED]:
    'requestCancelExternalWorkflowExecution',
  [EventType.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED]: 'scheduleNexusOperation',
  [EventType.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUESTED]: 'requestCancelNexusOperation',
  [EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES]: 'upsertWorkflowSearchAttributes',
  [EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED]: 'modifyWorkflowProperties',
  [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED]: 'acceptedUpdate',
  [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED]: 'completedUpdate',
  [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED]: 'completeWorkflowExecution',
  [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED]: 'failWorkflowExecution',
  [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED]: 'cancelWorkflowExecution',
  [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW]: 'continueAsNewWorkflowExecution',
};
const PATCH = 'setPatchMarker';
const LOCAL_ACTIVITY = 'scheduleLocalActivity';

const COMPARED = new Set([...Object.values(COMMAND_OF), PATCH, 'cancelChildWorkflowExecution']);
/** Commands that end the run; the core puts them last. */
const ENDINGS = new Set([
  'completeWorkflowExecution',
  'failWorkflowExecution',
  'cancelWorkflowExecution',
  'continueAsNewWorkflowExecution',
]);
/** What begins the operation that each of these asks to cancel. */
const CANCELS: Readonly<Record<string, string>> = {
  cancelTimer: 'startTimer',
  requestCancelActivity: 'scheduleActivity',
  cancelChildWorkflowExecution: 'startChildWorkflowExecution',
  cancelSignalWorkflow: 'signalExternalWorkflowExecution',
  requestCancelNexusOperation: 'scheduleNexusOperation',
};

/**
 * @param report what the core says; names the event at which it stopped
 * @returns a sentence, or undefined if events and commands that can be compared do not differ
 */
export function explainDifference(
  history: History,
  issued: readonly IssuedCommand[],
  report = '',
): string | undefined {
  const differences = [localDifference(history, issued), differenceInOrder(history, issued)];
  const limit = eventNamed(report) ?? Number.POSITIVE_INFINITY; // X4
  const [first] = differences
    .filter((difference) => difference !== undefined)
    .filter(({ at }) => at <= limit || at === Number.POSITIVE_INFINITY)
    .sort((a, b) => a.at - b.at);
  return first?.sentence;
}

interface Difference {
  /** Id of the event; infinite if the history has none there. */
  readonly at: number;
  readonly sentence: string;
}

/** X1 */
function differenceInOrder(history: History, issued: readonly IssuedCommand[]): Difference | undefined {
  const events = recordedIn(history);
  const commands = sentIn(issued);
  let e = 0;
  let c = 0;
  for (;;) {
    const event = events[e];
    const command = commands[c];
    if (event === undefined && command === undefined) return undefined;
    if (event !== undefined && command !== undefined && stands(event, command)) {
      e++;
      c++;
    } else if (command?.kind === PATCH && event?.kind !== PATCH) c++;
    else if (event?.kind === PATCH && event.deprecated === true) e++;
    else if (command !== undefined && CANCELS[command.kind] !== undefined) c++;
    else return differenceAt(event, command, commands[c - 1]);
  }
}

/** X3 */
function localDifference(history: History, issued: readonly IssuedCommand[]): Difference | undefined {
  for (const event of history.events ?? []) {
    const marker = localActivityOf(event);
    if (marker === undefined) continue;
    const command = issued.find(({ kind, seq }) => kind === LOCAL_ACTIVITY && seq === marker.seq);
    const recorded = { event, kind: LOCAL_ACTIVITY, type: marker.type };
    if (command === undefined || command.type !== marker.type) {
      return differenceAt(recorded, command, issued.at(-1));
    }
  }
  return undefined;
}

/** Events that stand for commands, without those that the core adds by itself. */
function recordedIn({ events = [] }: History): Recorded[] {
  const found: Recorded[] = [];
  for (const event of events) {
    const patch = patchOf(event);
    if (patch !== undefined) found.push({ event, kind: PATCH, ...patch });
    else if (!isOfPatch(event)) {
      const kind = COMMAND_OF[event.eventType ?? 0];
      if (kind !== undefined) found.push({ event, kind, ...namesOf(event) });
    }
  }
  return found;
}

/** X2: commands that the core hands on, in its order. */
function sentIn(issued: readonly IssuedCommand[]): IssuedCommand[] {
  const unsent = new Set<IssuedCommand>();
  for (const cancel of issued) {
    const begins = CANCELS[cancel.kind];
    if (begins === undefined) continue;
    const begun = issued.find(
      ({ kind, seq, task }) => kind === begins && seq === cancel.seq && task === cancel.task,
    );
    if (begun !== undefined) unsent.add(begun).add(cancel);
  }
  const accepted = new Set(issued.flatMap(({ kind, id }) => (kind === 'acceptedUpdate' ? [id] : [])));
  const sent = issued
    // A handler that fails has accepted the update before; a validator that refuses leaves no event.
    .map((command) =>
      command.kind === 'rejectedUpdate' && accepted.has(command.id)
        ? { ...command, kind: 'completedUpdate' }
        : command,
    )
    .filter((command) => COMPARED.has(command.kind) && !unsent.has(command));
  return [
    ...sent.filter(({ kind }) => !ENDINGS.has(kind)),
    ...sent.filter(({ kind }) => ENDINGS.has(kind)).slice(0, 1),
  ];
}

function stands(event: Recorded, command: IssuedCommand): boolean {
  const kind =
    command.kind === 'cancelChildWorkflowExecution' ? 'requestCancelExternalWorkflowExecution' : command.kind;
  return (
    event.kind === kind &&
    (event.type === undefined || event.type === command.type) &&
    (event.id === undefined || command.id === '' || event.id === command.id)
  );
}

/** What the core compares of an event and its command. */
function namesOf(event: HistoryEvent): Pick<Recorded, 'type' | 'id'> {
  const activity = event.activityTaskScheduledEventAttributes;
  if (activity !== undefined) return { type: activity.activityType?.name, id: activity.activityId };
  const child = event.startChildWorkflowExecutionInitiatedEventAttributes;
  if (child !== undefined) return { type: child.workflowType?.name, id: child.workflowId };
  return {};
}

function patchOf(event: HistoryEvent): { type: string; deprecated: boolean } | undefined {
  const marker = event.markerRecordedEventAttributes;
  if (marker?.markerName !== 'core_patch') return undefined;
  const { id = '', deprecated = false } = jsonIn(marker.details?.['patch-data']) ?? {};
  return { type: String(id), deprecated: deprecated === true };
}

/** The core says which patches a run has by a search attribute. */
function isOfPatch(event: HistoryEvent): boolean {
  const attributes = event.upsertWorkflowSearchAttributesEventAttributes?.searchAttributes?.indexedFields;
  return attributes !== undefined && 'TemporalChangeVersion' in attributes;
}

function localActivityOf(event: HistoryEvent): { seq: number; type: string } | undefined {
  const marker = event.markerRecordedEventAttributes;
  if (marker?.markerName !== 'core_local_activity') return undefined;
  const { seq, activity_type: type } = jsonIn(marker.details?.data) ?? {};
  return { seq: Number(seq), type: String(type) };
}

function jsonIn(payloads: { payloads?: { data?: Uint8Array }[] } | undefined): any {
  try {
    return JSON.parse(decode(payloads?.payloads?.[0]?.data ?? new Uint8Array()));
  } catch {
    return undefined; // a history that something else has written: nothing to compare
  }
}

function differenceAt(
  event: Recorded | undefined,
  command: IssuedCommand | undefined,
  before: IssuedCommand | undefined,
): Difference {
  const at = event === undefined ? Number.POSITIVE_INFINITY : Number(event.event.eventId);
  const past = event === undefined ? 'The history has no further event' : `Event ${at} is ${nameOf(event)}`;
  const last = before === undefined ? undefined : `${shown(before)}${placeOf(before)}`;
  if (command === undefined) {
    const after = last === undefined ? '' : `; its last one is ${last}`;
    return { at, sentence: `${past}, where the workflow code now issues no command${after}.` };
  }
  const place = placeOf(command);
  // Ends of a run have no place of their own: the function has returned.
  const after = place === '' && last !== undefined ? `; the command before it is ${last}` : '';
  const ids = event?.kind === command.kind && event.type === command.type ? ` with id "${command.id}"` : '';
  return {
    at,
    sentence: `${past}, where the workflow code now issues the command ${shown(command)}${ids}${place}${after}.`,
  };
}

function nameOf({ event, kind, type, id }: Recorded): string {
  const words = (EventType[event.eventType ?? 0] ?? '')
    .replace(/^EVENT_TYPE_/, '')
    .toLowerCase()
    .split('_');
  const name = words.map(capital).join('');
  if (kind === PATCH) return `${name} (patch ${type})`;
  if (kind === LOCAL_ACTIVITY) return `${name} (local activity ${type})`;
  const signal = event.signalExternalWorkflowExecutionInitiatedEventAttributes?.signalName;
  const names = [type ?? signal, id !== undefined && `id "${id}"`].filter((part) => part);
  return names.length === 0 ? name : `${name} (${names.join(', ')})`;
}

const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

function shown({ kind, type }: IssuedCommand): string {
  return type === '' ? capital(kind) : `${capital(kind)} (${type})`;
}

/** The first frame of the stack is where user code called: the sandbox shows no others. */
function placeOf({ stack }: IssuedCommand): string {
  for (const line of stack.split('\n')) {
    const place = /^\s+at (?:.*\()?(.+:\d+:\d+)\)?$/.exec(line);
    if (place !== null) return ` at ${place[1]}`;
  }
  return '';
}

/** The event that the core's text names, in either of its spellings. */
function eventNamed(report: string): number | undefined {
  const id = /HistoryEvent\(id: (\d+)|\bevent_id: (\d+)/.exec(report);
  return id === null ? undefined : Number(id[1] ?? id[2]);
}
