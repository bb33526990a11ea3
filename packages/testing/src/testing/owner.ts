/** A test process that never tears its environment down: prints what it has started and waits to be killed. */
import { TestWorkflowEnvironment } from '@perdure/testing';
import { startSharedServer } from '@perdure/testing/shared-server';

async function main() {
  await startSharedServer();
  const environments = [
    await TestWorkflowEnvironment.createLocal(),
    await TestWorkflowEnvironment.createTimeSkipping(),
    await TestWorkflowEnvironment.createShared(),
  ];
  process.stdout.write(`${JSON.stringify(environments.map(({ address }) => address))}\n`);
  setInterval(() => {}, 1_000);
}

void main();
