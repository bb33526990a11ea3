import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { coresdk, temporal } from '@perdure/proto';

/** Modules of this package that a script loads. */
function modulesLoadedBy(script: string): string[] {
  const report = `
    ${script};
    const lib = ${JSON.stringify(`${path.resolve(__dirname, '..')}${path.sep}`)};
    console.log(JSON.stringify(Object.keys(require.cache).filter((f) => f.startsWith(lib)).map((f) => f.slice(lib.length))));
  `;
  const output = execFileSync(process.execPath, ['-e', report], { cwd: __dirname, encoding: 'utf8' });
  return JSON.parse(output).map((file: string) => file.split(path.sep).join('/'));
}

describe('the index', () => {
  it('loads no message file before a member is touched', () => {
    expect(modulesLoadedBy("require('@perdure/proto').temporal.api.common.v1").sort()).toEqual([
      'index.js',
      'namespaces.js',
    ]);
    const touched = modulesLoadedBy("require('@perdure/proto').temporal.api.enums.v1.EventType");
    expect(touched).toContain('temporal/api/enums/v1/event_type.js');
    expect(touched).not.toContain('temporal/api/enums/v1/workflow.js');
  });

  it('offers messages and enums as values and as types', () => {
    const type: temporal.api.enums.v1.EventType = temporal.api.enums.v1.EventType.EVENT_TYPE_TIMER_STARTED;
    const payload: temporal.api.common.v1.IPayload = { data: Uint8Array.from([1]) };
    const job: coresdk.workflow_activation.IWorkflowActivationJob = { fireTimer: { seq: 1 } };
    const { Payload } = temporal.api.common.v1;
    expect(type).toBe(17);
    expect(job.fireTimer?.seq).toBe(1);
    expect([...Payload.decode(Payload.encode(payload).finish()).data!]).toEqual([1]);
  });

  it('nests messages under the messages that hold them', () => {
    const details: temporal.api.common.v1.Payload.IExternalPayloadDetails = {};
    const { ExternalPayloadDetails } = temporal.api.common.v1.Payload;
    expect(ExternalPayloadDetails.encode(details).finish().length).toBe(0);
  });

  it('loads no service with a message', () => {
    const loaded = modulesLoadedBy("require('@perdure/proto/temporal/api/common/v1/message')");
    expect(loaded.filter((file) => file.includes('service'))).toEqual([]);
  });

  it('loads no request or response of the service with what a workflow thread needs', () => {
    const files = ['workflow_activation', 'workflow_completion', 'nexus', 'activity_task'];
    const loaded = modulesLoadedBy(
      files.map((file) => `require('@perdure/proto/temporal/sdk/core/${file}/${file}')`).join(';'),
    );
    expect(loaded.filter((file) => /service|history/.test(file))).toEqual([]);
    expect(loaded).toContain('temporal/sdk/core/nexus/nexus.js');
  });

  it('loads what a Nexus task holds when one is met', () => {
    const { NexusTask, NexusTaskCompletion } = coresdk.nexus;
    const task = { task: { taskToken: Uint8Array.from([7]), request: { startOperation: { service: 's' } } } };
    const back = NexusTask.decode(NexusTask.encode(task).finish());
    expect([...back.task!.taskToken!]).toEqual([7]);
    expect(back.task!.request!.startOperation!.service).toBe('s');
    const completion = { completed: { cancelOperation: {} } };
    const { completed } = NexusTaskCompletion.decode(NexusTaskCompletion.encode(completion).finish());
    expect(completed).toMatchObject({ startOperation: undefined, cancelOperation: {} });
  });

  it('describes services without a gRPC library', () => {
    const { WorkflowServiceDefinition } = temporal.api.workflowservice.v1;
    const { startWorkflowExecution } = WorkflowServiceDefinition.methods;
    expect(WorkflowServiceDefinition.fullName).toBe('temporal.api.workflowservice.v1.WorkflowService');
    expect(startWorkflowExecution.name).toBe('StartWorkflowExecution');
    expect(startWorkflowExecution.requestType.encode({ namespace: 'n' }).finish().length).toBe(3);
  });
});
