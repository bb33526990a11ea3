/** Sessions, for workers. */
export { enableSessions, type SessionPlugin, type SessionWorkerOptions } from './plugin';
