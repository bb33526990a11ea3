/** The start half of update-with-start. */
import { IllegalStateError, type Workflow, type WorkflowIdConflictPolicy } from '@perdure/common';
import type { WorkflowHandle } from './workflow-handle';
import type { WorkflowStartOptions } from './workflow-options';

/** @internal Settles the operation's handle; for WorkflowClient. */
export const settleWithStart = Symbol('settleWithStart');

/** What to start when an update is sent with `startUpdateWithStart` or `executeUpdateWithStart`. Serves one call. */
export class WithStartWorkflowOperation<T extends Workflow> {
  private used = false;
  private readonly handle: Promise<WorkflowHandle<T>>;
  /** @internal */
  [settleWithStart]: { resolve(handle: WorkflowHandle<T>): void; reject(error: unknown): void };

  constructor(
    readonly workflowTypeOrFunc: string | T,
    readonly options: WorkflowStartOptions<T> & { workflowIdConflictPolicy: WorkflowIdConflictPolicy },
  ) {
    let settle!: { resolve(handle: WorkflowHandle<T>): void; reject(error: unknown): void };
    this.handle = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.handle.catch(() => {}); // nobody has to ask for it
    this[settleWithStart] = settle;
  }

  /** The workflow, once the server has started it or attached to it. */
  async workflowHandle(): Promise<WorkflowHandle<T>> {
    return await this.handle;
  }

  /** @internal */
  markUsed(): void {
    if (this.used) {
      throw new IllegalStateError('This WithStartWorkflowOperation instance has already been executed', {
        hint: 'make a new one for each call',
      });
    }
    this.used = true;
  }
}
