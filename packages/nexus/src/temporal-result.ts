/** Results of Temporal operation handlers. */

declare const resultType: unique symbol;

/** A value, or the token of what will give it. Made by {@link TemporalOperationResult.sync} and by a client. */
export interface TemporalOperationResult<T> {
  /** Tells results apart at compile time. @internal */
  readonly [resultType]?: T;
}

/** What a result holds. @internal */
export type ResultContent =
  | { readonly isAsync: false; readonly value: unknown }
  | { readonly isAsync: true; readonly token: string };

const contents = new WeakMap<object, ResultContent>();

function make<T>(content: ResultContent): TemporalOperationResult<T> {
  const result: TemporalOperationResult<T> = Object.freeze({});
  contents.set(result, content);
  return result;
}

export const TemporalOperationResult = {
  /** The operation is done. */
  sync<T>(value: T): TemporalOperationResult<T> {
    return make({ isAsync: false, value });
  },
  /** The operation goes on; `token` says what backs it. */
  async<T = unknown>(token: string): TemporalOperationResult<T> {
    return make({ isAsync: true, token });
  },
};

/** @returns undefined for what is no result @internal */
export function contentOf(result: unknown): ResultContent | undefined {
  return typeof result === 'object' && result !== null ? contents.get(result) : undefined;
}
