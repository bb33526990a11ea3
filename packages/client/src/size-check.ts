/**
 * Holds what a client sends against the namespace's limits, before the server has to.
 *
 * Owns    when a namespace is asked for its limits, and how often a warning is given.
 * Leaves  counting, limits and texts to @perdure/common.
 * Z1  Small payloads cost one count. A namespace is asked once per connection, when the first large payload comes.
 * Z2  A server that does not tell its limits decides by itself: nothing is refused here then.
 */
import type { Payload } from '@perdure/common';
import {
  checkMemo,
  checkPayloads,
  DEFAULT_PAYLOAD_LIMITS,
  limitsOfNamespace,
  memoBytes,
  type PayloadLimits,
  payloadsBytes,
} from '@perdure/common/lib/internal-non-workflow';
import type { ConnectionLike } from './connection';

/** No server is set up to refuse less. */
const ASK_FROM_BYTES = 256 * 1024;
/** Warnings of one kind are at least this far apart. */
const WARN_EVERY_MS = 60_000;

const known = new WeakMap<ConnectionLike, Map<string, Promise<PayloadLimits>>>();

async function ask(connection: ConnectionLike, namespace: string): Promise<PayloadLimits> {
  try {
    const { namespaceInfo } = await connection.workflowService.describeNamespace({ namespace });
    return limitsOfNamespace(namespaceInfo?.limits);
  } catch {
    known.get(connection)?.delete(namespace); // Z2: perhaps it can tell later
    return DEFAULT_PAYLOAD_LIMITS;
  }
}

export class SizeCheck {
  readonly #warned = new Map<string, number>();

  constructor(
    private readonly connection: ConnectionLike,
    private readonly namespace: string,
  ) {}

  /**
   * @param what  names the field for messages
   * @returns undefined where there is nothing to ask the server about (Z1)
   * @throws {PayloadTooLargeError} the server would refuse the list
   */
  payloads(what: () => string, list: readonly Payload[] | undefined): Promise<void> | undefined {
    if (payloadsBytes(list) <= ASK_FROM_BYTES) return undefined; // Z1
    return this.#limits().then((limits) =>
      checkPayloads(what(), list, limits, (message) => this.#warn('payloads', message)),
    );
  }

  /**
   * @param what  names the memo for messages
   * @returns undefined where there is nothing to ask the server about (Z1)
   * @throws {PayloadTooLargeError} the server would refuse the memo
   */
  memo(what: () => string, fields: Readonly<Record<string, Payload>>): Promise<void> | undefined {
    const bytes = memoBytes(fields);
    if (bytes <= DEFAULT_PAYLOAD_LIMITS.memoWarnBytes) return undefined; // Z1
    const check = (limits: PayloadLimits) =>
      checkMemo(what(), fields, limits, (message) => this.#warn('memo', message));
    if (bytes > ASK_FROM_BYTES) return this.#limits().then(check);
    check(DEFAULT_PAYLOAD_LIMITS);
    return undefined;
  }

  #limits(): Promise<PayloadLimits> {
    let of = known.get(this.connection);
    if (of === undefined) {
      of = new Map();
      known.set(this.connection, of);
    }
    let limits = of.get(this.namespace);
    if (limits === undefined) {
      limits = ask(this.connection, this.namespace);
      of.set(this.namespace, limits);
    }
    return limits;
  }

  #warn(kind: string, message: string): void {
    const now = Date.now();
    if (now - (this.#warned.get(kind) ?? Number.NEGATIVE_INFINITY) < WARN_EVERY_MS) return;
    this.#warned.set(kind, now);
    process.emitWarning(message, { code: 'TMPRL1103', type: 'PerdureWarning' });
  }
}
