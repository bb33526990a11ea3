/**
 * What the two sides of a session say to each other: names and messages. Imported by workflow code: no Node.js here.
 *
 *   workflow: schedules `hold` on the creation queue → host: takes a place, signals where it is, keeps heartbeating
 *   workflow: schedules activities on the host's own queue
 *   workflow: schedules `release` on its control queue → host: `hold` ends, the place is free
 *
 * P1  Names and fields only ever get more: running sessions meet newer code.
 */
import type { ActivityFunction } from '@perdure/common';

/** Activity that lasts as long as the session does; its heartbeats say that the host is alive. */
export const HOLD_ACTIVITY = '__perdure_session_hold';
/** Activity on the host's control queue that ends the session there. */
export const RELEASE_ACTIVITY = '__perdure_session_release';

/** Queue for sessions that any host may take. */
export const creationQueue = (taskQueue: string): string => `${taskQueue}/sessions`;
/** Queue of one host, for the activities of its sessions. */
export const hostQueue = (taskQueue: string, resourceId: string): string =>
  `${taskQueue}/session-host/${resourceId}`;
/** Queue of one host for sessions that come back to it, and for the ends of sessions. */
export const controlQueue = (queueOfHost: string): string => `${queueOfHost}/control`;
/** Signal by which the host answers. */
export const openedSignal = (sessionId: string): string => `__perdure_session_opened/${sessionId}`;

/** Input of `hold`. */
export interface HoldRequest {
  readonly sessionId: string;
  /** Counts the workflow's tries to open this session: an answer to an earlier one is not taken. */
  readonly attempt: number;
}

/** Where a session is: the host's answer. */
export interface SessionPlace {
  /** The host's queue. */
  readonly taskQueue: string;
  readonly hostname: string;
  readonly resourceId: string;
}

/** Argument of the signal. */
export interface Opened extends SessionPlace {
  readonly attempt: number;
}

/** `type` of the failure of `hold` on a host without a free place. */
export const HOST_FULL = 'SessionHostFull';
/** `type` of the failure of `hold` on a host that shuts down. */
export const HOST_STOPPED = 'SessionHostStopped';

/** The activities of a host, as the workflow calls them. */
export interface HostActivities extends Record<string, ActivityFunction> {
  [HOLD_ACTIVITY](request: HoldRequest): Promise<void>;
  [RELEASE_ACTIVITY](sessionId: string): Promise<boolean>;
}
