/**
 * Handlers of signals, queries and updates: registering them, and knowing which still run.
 *
 * M1  Messages that came before their handler wait, in order, and are delivered when it is set.
 * M2  A handler counts as running from its call until the promise it returned settles.
 */
import {
  HandlerUnfinishedPolicy,
  type QueryDefinition,
  type SignalDefinition,
  type UpdateDefinition,
  ValueError,
} from '@perdure/common';
import { throwIfReservedName } from '@perdure/common/lib/reserved';
import { type Run, requireRun, requireWritableRun } from './runtime/run';
import { deliverBufferedSignals } from './signals';
import { deliverBufferedUpdates } from './updates';

/** One registered handler; fields that its kind does not have stay undefined. */
export interface RegisteredHandler {
  readonly handler: (...args: any[]) => unknown;
  readonly validator: ((...args: any[]) => void) | undefined;
  readonly unfinishedPolicy: HandlerUnfinishedPolicy;
  readonly description: string | undefined;
  readonly inputTypes: readonly any[] | undefined;
  readonly outputType: any;
}

/** Handlers of one kind. A Map: names come from outside and may be those of Object.prototype's members. */
export class HandlerTable {
  readonly byName = new Map<string, RegisteredHandler>();
  /** For every name that has no handler of its own; gets the name first. */
  fallback: RegisteredHandler | undefined = undefined;

  /** The handler for a name, and whether it is the fallback. */
  find(name: string): RegisteredHandler | undefined {
    return this.byName.get(name) ?? this.fallback;
  }
}

/** A signal or update handler that has not settled (M2). */
export interface RunningHandler {
  readonly kind: 'signal' | 'update';
  readonly name: string;
  readonly updateId: string | undefined;
  readonly unfinishedPolicy: HandlerUnfinishedPolicy;
}

export interface QueryHandlerOptions {
  /** Shown by user interfaces. */
  description?: string;
}

export interface SignalHandlerOptions {
  /** Shown by user interfaces. */
  description?: string;
  /** What happens to a handler that still runs when the workflow ends. Default WARN_AND_ABANDON. */
  unfinishedPolicy?: HandlerUnfinishedPolicy;
}

export interface UpdateHandlerOptions<Args extends any[]> {
  /** Throws to reject the update before it enters the history. Synchronous, reads only. */
  validator?: (...args: Args) => void;
  /** Shown by user interfaces. */
  description?: string;
  /** What happens to a handler that still runs when the workflow ends. Default WARN_AND_ABANDON. */
  unfinishedPolicy?: HandlerUnfinishedPolicy;
}

export type Handler<
  Ret,
  Args extends any[],
  T extends UpdateDefinition<Ret, Args> | SignalDefinition<Args> | QueryDefinition<Ret, Args>,
> =
  T extends UpdateDefinition<infer R, infer A>
    ? (...args: A) => R | Promise<R>
    : T extends SignalDefinition<infer A>
      ? (...args: A) => void | Promise<void>
      : T extends QueryDefinition<infer R, infer A>
        ? (...args: A) => R
        : never;

export type DefaultSignalHandler = (signalName: string, ...args: unknown[]) => void | Promise<void>;
export type DefaultQueryHandler = (queryName: string, ...args: unknown[]) => unknown;
export type DefaultUpdateHandler = (updateName: string, ...args: unknown[]) => Promise<unknown> | unknown;

/** Sets, replaces or (with undefined) removes the query handler. */
export function setHandler<Ret, Args extends any[], T extends QueryDefinition<Ret, Args>>(
  def: T,
  handler: Handler<Ret, Args, T> | undefined,
  options?: QueryHandlerOptions,
): void;
/** Sets, replaces or (with undefined) removes the signal handler. Signals that wait for it are delivered now. */
export function setHandler<Ret, Args extends any[], T extends SignalDefinition<Args>>(
  def: T,
  handler: Handler<Ret, Args, T> | undefined,
  options?: SignalHandlerOptions,
): void;
/** Sets, replaces or (with undefined) removes the update handler. Updates that wait for it are delivered now. */
export function setHandler<Ret, Args extends any[], T extends UpdateDefinition<Ret, Args>>(
  def: T,
  handler: Handler<Ret, Args, T> | undefined,
  options?: UpdateHandlerOptions<T extends UpdateDefinition<any, infer A> ? A : never>,
): void;
export function setHandler(
  def: UpdateDefinition<any, any[]> | SignalDefinition<any[]> | QueryDefinition<any, any[]>,
  handler: ((...args: any[]) => unknown) | undefined,
  options?: QueryHandlerOptions & SignalHandlerOptions & UpdateHandlerOptions<any[]>,
): void {
  const run = requireWritableRun('setHandler()');
  if (handler !== undefined && typeof handler !== 'function') {
    throw new ValueError(`The handler of '${String(def?.name)}' is no function but ${kindOf(handler)}`);
  }
  throwIfReservedName(def.type, def.name);
  switch (def.type) {
    case 'signal':
      register(run, 'signals', def, handler, options);
      if (handler !== undefined) deliverBufferedSignals(run); // M1
      return;
    case 'query':
      register(run, 'queries', def, handler, options);
      return;
    case 'update':
      register(run, 'updates', def, handler, options);
      if (handler !== undefined) deliverBufferedUpdates(run); // M1
      return;
    default:
      throw new ValueError('setHandler() takes what defineSignal(), defineQuery() or defineUpdate() made');
  }
}

function register(
  run: Run,
  table: 'signals' | 'queries' | 'updates',
  def: { readonly name: string; readonly typeInfo?: { inputTypes?: readonly any[]; outputType?: any } },
  handler: ((...args: any[]) => unknown) | undefined,
  options: (QueryHandlerOptions & SignalHandlerOptions & UpdateHandlerOptions<any[]>) | undefined,
): void {
  if (handler === undefined) {
    run[table]?.byName.delete(def.name);
    return;
  }
  tableOf(run, table).byName.set(def.name, {
    handler,
    validator: options?.validator,
    unfinishedPolicy: options?.unfinishedPolicy ?? HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: options?.description,
    inputTypes: def.typeInfo?.inputTypes,
    outputType: def.typeInfo?.outputType,
  });
}

function tableOf(run: Run, table: 'signals' | 'queries' | 'updates'): HandlerTable {
  run[table] ??= new HandlerTable();
  return run[table];
}

/** Handles every signal that has no handler of its own; undefined removes it. */
export function setDefaultSignalHandler(handler: DefaultSignalHandler | undefined): void {
  const run = requireWritableRun('setDefaultSignalHandler()');
  setFallback(run, 'signals', handler);
  if (handler !== undefined) deliverBufferedSignals(run);
}

/** Handles every query that has no handler of its own; undefined removes it. */
export function setDefaultQueryHandler(handler: DefaultQueryHandler | undefined): void {
  setFallback(requireWritableRun('setDefaultQueryHandler()'), 'queries', handler);
}

/** Handles every update that has no handler of its own; undefined removes it. */
export function setDefaultUpdateHandler(handler: DefaultUpdateHandler | undefined): void {
  const run = requireWritableRun('setDefaultUpdateHandler()');
  setFallback(run, 'updates', handler);
  if (handler !== undefined) deliverBufferedUpdates(run);
}

function setFallback(
  run: Run,
  table: 'signals' | 'queries' | 'updates',
  handler: ((name: string, ...args: any[]) => unknown) | undefined,
): void {
  if (handler !== undefined && typeof handler !== 'function') {
    throw new ValueError(`A default handler must be a function or undefined, not ${kindOf(handler)}`);
  }
  tableOf(run, table).fallback = handler && {
    handler,
    validator: undefined,
    unfinishedPolicy: HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: undefined,
    inputTypes: undefined,
    outputType: undefined,
  };
}

/** True while no signal handler and no update handler runs. Wait for it before returning: `condition(allHandlersFinished)`. */
export function allHandlersFinished(): boolean {
  const running = requireRun('allHandlersFinished()').runningHandlers;
  return running === undefined || running.size === 0;
}

/** Counts a handler as running; to be called before it is. @returns what ends that, once the handler has settled */
export function trackHandler(run: Run, handler: RunningHandler): () => void {
  run.runningHandlers ??= new Set();
  run.runningHandlers.add(handler);
  return () => run.runningHandlers?.delete(handler);
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : typeof value;
}
