/**
 * Waiting for results on a server that can skip time.
 *
 * T1  Time is unlocked only while somebody waits; however the wait ends, it is locked again.
 * T2  What the wait ended with reaches the caller, also when locking fails after it.
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

/** A workflow client whose waits for results skip time. */
export class TimeSkippingWorkflowClient extends WorkflowClient {
  readonly #testService: TestService;

  /** @throws {IllegalStateError} the connection has no test service */
  constructor(options: WorkflowClientOptions) {
    super(options);
    this.#testService = testServiceOf(this.connection as { testService?: TestService });
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
    await this.#testService.unlockTimeSkipping({});
    let result: WorkflowResultType<T>;
    try {
      result = await super.result<T>(workflowId, runId, opts);
    } catch (error) {
      await this.#testService.lockTimeSkipping({}).catch(() => undefined); // T2
      throw error;
    }
    await this.#testService.lockTimeSkipping({}); // T1
    return result;
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
