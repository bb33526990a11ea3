/** Sessions, for workflow code. */
export {
  SessionClosedError,
  SessionCreationError,
  SessionError,
  SessionFailedError,
  type SessionFailureReason,
} from './errors';
export {
  createSession,
  recreateSession,
  type Session,
  type SessionActivityOptions,
  type SessionInfo,
  type SessionOptions,
  type SessionState,
  type SessionToken,
  withSession,
} from './session';
