/**
 * What a call gives that the server answers more than once: the health check's `watch`.
 *
 * T1  The call is made at once, in the scope it is written in; answers wait until they are taken.
 * T2  Awaiting takes the first answer and ends the call; iterating takes all, and ends it when the loop is left.
 */

/** Gets the answers of a call. */
export interface ResponseSink<T> {
  message(response: T): void;
  /** No more answers come; with an error if the call failed. */
  end(error?: unknown): void;
}

/** Opens a call, and gives the function that ends it. */
export type OpenStream<T> = (sink: ResponseSink<T>) => () => void;

/** Answers of one call: `for await (const answer of stream)`, or `await stream` for the first alone. */
export class ResponseStream<T> implements Promise<T>, AsyncIterable<T> {
  readonly [Symbol.toStringTag] = 'ResponseStream';
  readonly #answers: T[] = [];
  #end: { error: unknown } | undefined;
  #wake = () => {};
  readonly #cancel: () => void;
  #first: Promise<T> | undefined;

  constructor(open: OpenStream<T>) {
    this.#cancel = open({
      message: (response) => {
        this.#answers.push(response);
        this.#wake();
      },
      end: (error) => {
        this.#end ??= { error };
        this.#wake();
      },
    }); // T1
  }

  /** Ends the call. */
  cancel(): void {
    this.#cancel();
  }

  async #next(): Promise<IteratorResult<T, undefined>> {
    for (;;) {
      if (this.#answers.length > 0) return { done: false, value: this.#answers.shift()! };
      if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return {
      next: () => this.#next(),
      return: async () => {
        this.#cancel(); // T2
        return { done: true, value: undefined };
      },
    };
  }

  #takeFirst(): Promise<T> {
    this.#first ??= this.#next().then((result) => {
      this.#cancel(); // T2
      if (result.done) throw new Error('The server ended the call without an answer');
      return result.value;
    });
    return this.#first;
  }

  then<A = T, B = never>(
    onAnswer?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#takeFirst().then(onAnswer, onError);
  }

  catch<B = never>(onError?: ((reason: any) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.#takeFirst().catch(onError);
  }

  finally(onSettled?: (() => void) | null): Promise<T> {
    return this.#takeFirst().finally(onSettled);
  }
}
