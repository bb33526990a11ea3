/**
 * Operation tokens: what a caller sends back to cancel an operation. The SDKs of all languages read them:
 * base64url without padding, of a JSON object with a number `t` that says what backs the operation.
 */
import { HandlerError } from 'nexus-rpc';

/** What backs an operation. */
export type OperationToken =
  | { readonly kind: 'workflow-run'; readonly namespace: string; readonly workflowId: string }
  | {
      readonly kind: 'activity';
      readonly namespace: string;
      readonly activityId: string;
      /** Empty: the latest. */
      readonly runId: string;
    }
  | {
      readonly kind: 'workflow-update';
      readonly namespace: string;
      readonly workflowId: string;
      /** Empty: the latest. */
      readonly runId: string;
      readonly updateId: string;
    };

const WORKFLOW_RUN = 1;
const ACTIVITY = 2;
const WORKFLOW_UPDATE = 3;

export function encodeOperationToken(token: OperationToken): string {
  return Buffer.from(JSON.stringify(fieldsOf(token))).toString('base64url');
}

function fieldsOf(token: OperationToken): Record<string, unknown> {
  const { namespace: ns } = token;
  switch (token.kind) {
    case 'workflow-run':
      return { t: WORKFLOW_RUN, ns, wid: token.workflowId };
    case 'activity':
      return { t: ACTIVITY, ns, aid: token.activityId, ...(token.runId && { rid: token.runId }) };
    case 'workflow-update':
      return {
        t: WORKFLOW_UPDATE,
        ns,
        wid: token.workflowId,
        ...(token.runId && { rid: token.runId }),
        uid: token.updateId,
      };
  }
}

/** @throws {HandlerError} BAD_REQUEST: it is no token, of a later version, or of an unknown kind */
export function decodeOperationToken(text: string): OperationToken {
  const fields = parse(text);
  if (fields.v !== undefined && fields.v !== 0) throw invalid(`its version ${String(fields.v)} is not known`);
  const required = (name: string): string => {
    const value = fields[name];
    if (typeof value !== 'string' || value === '') throw invalid(`it has no ${name}`);
    return value;
  };
  const optional = (name: string): string => (typeof fields[name] === 'string' ? fields[name] : '');
  const namespace = optional('ns');
  switch (fields.t) {
    case WORKFLOW_RUN:
      return { kind: 'workflow-run', namespace, workflowId: required('wid') };
    case ACTIVITY:
      return { kind: 'activity', namespace, activityId: required('aid'), runId: optional('rid') };
    case WORKFLOW_UPDATE:
      return {
        kind: 'workflow-update',
        namespace,
        workflowId: required('wid'),
        runId: optional('rid'),
        updateId: required('uid'),
      };
    default:
      throw invalid(`its type ${String(fields.t)} is not known`);
  }
}

function parse(text: string): Record<string, unknown> {
  if (text === '') throw invalid('it is empty');
  if (!/^[\w-]+$/.test(text)) throw invalid('it is not base64url');
  let fields: unknown;
  try {
    fields = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch (cause) {
    throw invalid('it holds no JSON', cause);
  }
  if (typeof fields !== 'object' || fields === null) throw invalid('it holds no JSON object');
  return fields as Record<string, unknown>;
}

function invalid(why: string, cause?: unknown): HandlerError {
  return new HandlerError('BAD_REQUEST', `Invalid operation token: ${why}`, { cause });
}
