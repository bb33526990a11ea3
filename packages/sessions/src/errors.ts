/**
 * Errors of sessions, thrown in workflows. They are failures: a workflow that does not catch them fails, and its
 * caller sees their names as `type`.
 */
import { ApplicationFailure } from '@perdure/common';
import { brandError } from '@perdure/common/lib/type-helpers';

/** Base of the errors of sessions. */
export class SessionError extends ApplicationFailure {
  constructor(
    message: string,
    type: string,
    /** The session that it is about. */
    readonly sessionId: string,
    /** What to do about it. */
    readonly hint: string,
    cause?: Error,
  ) {
    super(message, type, false, [{ sessionId }], cause);
  }
}
brandError(SessionError, 'SessionError', 'SESSION_FAILED');

/** No host has opened the session within `creationTimeout`; `cause` is what the last try failed with. */
export class SessionCreationError extends SessionError {
  constructor(sessionId: string, message: string, cause?: Error) {
    const hint =
      'run workers with enableSessions on this task queue, allow more sessions per host, or wait longer';
    super(message, 'SessionCreationError', sessionId, hint, cause);
  }
}
brandError(SessionCreationError, 'SessionCreationError', 'SESSION_CREATION_FAILED');

/** Why a session has failed. */
export type SessionFailureReason =
  /** No heartbeat came from the host for `heartbeatTimeout`: it died, hangs, or has lost the server. */
  | 'HOST_LOST'
  /** The worker on the host was shut down. */
  | 'HOST_STOPPED'
  /** The session lasted longer than `executionTimeout`. */
  | 'EXECUTION_TIMEOUT'
  | 'OTHER';

/** The session's host is gone: what was on it is lost, and its running activities are given up. */
export class SessionFailedError extends SessionError {
  constructor(
    sessionId: string,
    message: string,
    readonly reason: SessionFailureReason,
    cause?: Error,
  ) {
    super(message, 'SessionFailedError', sessionId, 'begin again in a new session', cause);
  }
}
brandError(SessionFailedError, 'SessionFailedError', 'SESSION_FAILED');

/** The session was completed before this activity was called. */
export class SessionClosedError extends SessionError {
  constructor(sessionId: string) {
    super(
      `session ${sessionId} is complete: it takes no more activities`,
      'SessionClosedError',
      sessionId,
      'call activities before complete(), and await them',
    );
  }
}
brandError(SessionClosedError, 'SessionClosedError', 'SESSION_CLOSED');
