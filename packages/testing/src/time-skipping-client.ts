/**
 * Waiting for results on a server that can skip time.
 *
 * T1  Time is unlocked only while somebody waits; however the last wait ends, it is locked again.
 * T2  What the wait ended with reaches the caller, also when locking fails after it.
 * T3  However many wait over one connection, the server is told to unlock once: it counts, and skips no time while its
 *     count is not exactly zero.
 */
import {
  Client,
  type ClientOptions,
  type TestService,
  WorkflowClient,
  type WorkflowClientOptions,
  type WorkflowResultOptions,
} from '@perdure/client';
import { IllegalStateError, type Workflow, type WorkflowResultType } from '@perdure/common';
import type { Duration } from '@perdure/proto/google/protobuf/duration';

/** @throws {IllegalStateError} the connection has no test service */
export function testServiceOf(connection: { readonly testService?: TestService }): TestService {
  const { testService } = connection;
  if (testService === undefined) {
    throw new IllegalStateError('The connection has no test service', {
      hint: 'use a connection to the time-skipping test server, such as that of TestWorkflowEnvironment.createTimeSkipping',
    });
  }
  return testService;
}

/** Locks and unlocks the time of a server, for all who share a connection to it. T3 */
export class TimeLock {
  static readonly #locks = new WeakMap<TestService, TimeLock>();

  /** The lock of a connection's test service. */
  static of(service: TestService): TimeLock {
    const lock = TimeLock.#locks.get(service) ?? new TimeLock(service);
    TimeLock.#locks.set(service, lock);
    return lock;
  }

  #waits = 0;
  /** The newest call; the next one begins after it. */
  #calls: Promise<unknown> = Promise.resolve();

  private constructor(readonly service: TestService) {}

  async whileUnlocked<R>(wait: () => Promise<R>): Promise<R> {
    this.#waits++;
    if (this.#waits === 1) void this.#call(() => this.service.unlockTimeSkipping({}));
    let result: R;
    try {
      await this.#calls;
      result = await wait();
    } catch (error) {
      await this.#leave().catch(() => undefined); // T2
      throw error;
    }
    await this.#leave();
    return result;
  }

  /** T1 */
  async #leave(): Promise<void> {
    this.#waits--;
    if (this.#waits > 0) return;
    await this.#call(() => this.service.lockTimeSkipping({}));
  }

  /** Lets `duration` pass on the server. Sleeps that nobody waits beside run one after the other. */
  async sleep(duration: Duration): Promise<void> {
    if (this.#waits > 0) await this.whileUnlocked(() => this.service.sleep({ duration }));
    // In one call, so that the server stops exactly where the sleep ends.
    else await this.#call(() => this.service.unlockTimeSkippingWithSleep({ duration }));
  }

  #call(call: () => Promise<unknown>): Promise<unknown> {
    this.#calls = this.#calls.then(call, call);
    this.#calls.catch(() => undefined); // whoever waits for it hears of it
    return this.#calls;
  }
}

/** A workflow client whose waits for results skip time. */
export class TimeSkippingWorkflowClient extends WorkflowClient {
  readonly #lock: TimeLock;

  /** @throws {IllegalStateError} the connection has no test service */
  constructor(options: WorkflowClientOptions) {
    super(options);
    this.#lock = TimeLock.of(testServiceOf(this.connection as { testService?: TestService }));
  }

  /**
   * Waits for the result of a workflow while the server skips time: timers of workflows fire at once, in order.
   * Time stands still for as long as an activity runs.
   */
  override async result<T extends Workflow>(
    workflowId: string,
    runId?: string,
    opts?: WorkflowResultOptions,
  ): Promise<WorkflowResultType<T>> {
    return await this.#lock.whileUnlocked(() => super.result<T>(workflowId, runId, opts));
  }
}

/** A client whose workflow client skips time. */
export class TimeSkippingClient extends Client {
  override readonly workflow: TimeSkippingWorkflowClient;

  constructor(options: ClientOptions) {
    super(options);
    const { connection, dataConverter, identity, namespace, interceptors, workflow } = this
      .options as ClientOptions;
    this.workflow = new TimeSkippingWorkflowClient({
      ...{ dataConverter, identity, namespace },
      connection: connection ?? this.connection,
      interceptors: interceptors?.workflow,
      queryRejectCondition: workflow?.queryRejectCondition,
    });
  }
}
