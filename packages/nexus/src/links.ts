/**
 * Links between what calls an operation and what backs it: as messages of the Temporal API, and as the URLs that
 * Nexus carries.
 *
 * L1  A URL is temporal:///namespaces/NS/..., every part percent-encoded; `type` is the full name of the message.
 * L2  A link that is not understood is no reason to refuse an operation: it is left out and logged.
 */
import type { Link } from '@perdure/proto/temporal/api/common/v1/message';
import { EventType } from '@perdure/proto/temporal/api/enums/v1/event_type';
import Long from 'long';
import type { Link as NexusLink } from 'nexus-rpc';
import { log } from './context';

const WORKFLOW_EVENT = 'temporal.api.common.v1.Link.WorkflowEvent';
const ACTIVITY = 'temporal.api.common.v1.Link.Activity';
const NEXUS_OPERATION = 'temporal.api.common.v1.Link.NexusOperation';
const PREFIX = 'EVENT_TYPE_';

/** EVENT_TYPE_TIMER_FIRED → TimerFired */
function eventTypeName(type: EventType): string {
  const words = (EventType[type] ?? `${PREFIX}UNSPECIFIED`).slice(PREFIX.length).toLowerCase().split('_');
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

const EVENT_TYPES = new Map(
  Object.values(EventType)
    .filter((type) => typeof type === 'number')
    .flatMap((type): [string, EventType][] => [
      [eventTypeName(type), type],
      [EventType[type]!, type],
    ]),
);

/** @throws {TypeError} it is of a kind that Nexus has no URL for, or lacks a part */
export function toNexusLink({ workflowEvent, activity, nexusOperation }: Link): NexusLink {
  if (workflowEvent !== undefined) {
    const { namespace, workflowId, runId, eventRef, requestIdRef } = workflowEvent;
    const query = new URLSearchParams();
    if (eventRef !== undefined) {
      query.set('referenceType', 'EventReference');
      const id = Long.fromValue(eventRef.eventId ?? 0);
      if (id.greaterThan(0)) query.set('eventID', id.toString());
      query.set('eventType', eventTypeName(eventRef.eventType ?? 0));
    } else if (requestIdRef !== undefined) {
      query.set('referenceType', 'RequestIdReference');
      if (requestIdRef.requestId) query.set('requestID', requestIdRef.requestId);
      query.set('eventType', eventTypeName(requestIdRef.eventType ?? 0));
    }
    return {
      type: WORKFLOW_EVENT,
      url: url(['namespaces', namespace, 'workflows', workflowId, runId, 'history'], query),
    };
  }
  if (activity !== undefined) {
    const { namespace, activityId, runId } = activity;
    const path = ['namespaces', namespace, 'activities', activityId, runId, 'details'];
    return { type: ACTIVITY, url: url(path, new URLSearchParams()) };
  }
  if (nexusOperation !== undefined) {
    const { namespace, operationId, runId } = nexusOperation;
    const query = new URLSearchParams(runId ? { runID: runId } : {});
    return {
      type: NEXUS_OPERATION,
      url: url(['namespaces', namespace, 'nexus-operations', operationId], query),
    };
  }
  throw new TypeError('links of this kind have no URL');
}

/** L1 @throws {TypeError} a part is missing */
function url(parts: readonly (string | undefined)[], query: URLSearchParams): URL {
  const path = parts.map((part) => {
    if (!part) throw new TypeError('a part of the link is missing');
    return encodeURIComponent(part);
  });
  const made = new URL(`temporal:///${path.join('/')}`);
  made.search = query.toString();
  return made;
}

/** @throws {TypeError} it is no link of the Temporal API, or of a kind that is not known */
export function fromNexusLink({ url: { protocol, pathname, searchParams: query }, type }: NexusLink): Link {
  if (protocol !== 'temporal:') throw new TypeError(`its protocol is ${protocol}, not temporal:`);
  const [, ...parts] = pathname.split('/').map(decodeURIComponent);
  const [namespaces, namespace, kind, id] = parts;
  if (namespaces !== 'namespaces') throw new TypeError('its path does not begin with /namespaces/');
  if (type === WORKFLOW_EVENT) {
    if (parts.length !== 6 || kind !== 'workflows' || parts[5] !== 'history') {
      throw new TypeError('its path is not that of a workflow’s history');
    }
    return { workflowEvent: { namespace, workflowId: id, runId: parts[4], ...reference(query) } };
  }
  if (type === ACTIVITY) {
    if (parts.length !== 6 || kind !== 'activities' || parts[5] !== 'details') {
      throw new TypeError('its path is not that of an activity');
    }
    return { activity: { namespace, activityId: id, runId: parts[4] } };
  }
  if (type === NEXUS_OPERATION) {
    // The run is part of the path or of the query, depending on who made the link.
    const inPath = parts.length === 6 && parts[5] === 'details';
    if (kind !== 'nexus-operations' || (parts.length !== 4 && !inPath)) {
      throw new TypeError('its path is not that of a Nexus operation');
    }
    const runId = inPath ? parts[4] : (query.get('runID') ?? undefined);
    return { nexusOperation: { namespace, operationId: id, runId } };
  }
  throw new TypeError(`its type ${type} is not known`);
}

function reference(
  query: URLSearchParams,
): Pick<NonNullable<Link['workflowEvent']>, 'eventRef' | 'requestIdRef'> {
  const kind = query.get('referenceType');
  if (kind === null) return {};
  const name = query.get('eventType') ?? '';
  const eventType = EVENT_TYPES.get(name);
  if (eventType === undefined) throw new TypeError(`its event type "${name}" is not known`);
  if (kind === 'EventReference') {
    const id = query.get('eventID') ?? '';
    return { eventRef: { eventId: Long.fromString(/^\d+$/.test(id) ? id : '0'), eventType } };
  }
  if (kind === 'RequestIdReference') {
    return { requestIdRef: { requestId: query.get('requestID') ?? '', eventType } };
  }
  throw new TypeError(`its reference type ${kind} is not known`);
}

/** Links of a caller, for a request to the server. */
export function linksForServer(links: readonly NexusLink[]): Link[] {
  return links.flatMap((link) => {
    try {
      return [fromNexusLink(link)];
    } catch (error) {
      log.warn('A link of the caller is left out', { link: String(link.url), error }); // L2
      return [];
    }
  });
}

/** Adds what the server said about what was started to what the caller will see. */
export function addLinkForCaller(links: NexusLink[], link: Link | undefined): void {
  if (link === undefined) return;
  try {
    links.push(toNexusLink(link));
  } catch (error) {
    log.warn('A link to what was started is left out', { error }); // L2
  }
}
