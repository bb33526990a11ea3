/**
 * A worker in a process of its own, for tests that end it in every way.
 *
 * Environment: TEST_ADDRESS, TEST_QUEUE, TEST_MODE; TEST_FILE gets a line for each step that runs, and steps beyond
 * the first TEST_STEPS never end. Prints "polling" once it polls, a line an activity, and "told to stop" once a signal
 * has reached it.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { activityInfo, Context } from '@perdure/activity';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@perdure/worker';

const {
  TEST_ADDRESS: address,
  TEST_QUEUE: taskQueue = '',
  TEST_MODE: mode = '',
  TEST_FILE: file,
  TEST_STEPS: steps,
} = process.env;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function main(): Promise<void> {
  const began = performance.now();
  let stepsLeft = steps === undefined ? Number.POSITIVE_INFINITY : Number(steps);
  const lines = new DefaultLogger('WARN');
  const logger = new DefaultLogger('INFO', ({ level, message, meta }) => {
    if (message === 'Shutting down workers on signal') say('told to stop');
    lines.log(level, message, meta);
  });
  Runtime.install({ logger });
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowsPath: join(__dirname, '..', '..', 'src', 'workflows', 'crash.ts'),
    activities: {
      async work(workflow: number, step: number): Promise<number> {
        if (file !== undefined) appendFileSync(file, `${process.pid} ${workflow} ${step}\n`);
        if (stepsLeft-- <= 0) return new Promise(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 20));
        return workflow * 1000 + step;
      },
      async slow(ms: number): Promise<string> {
        say('slow started');
        await new Promise((resolve) => setTimeout(resolve, ms));
        return `slept ${ms} in attempt ${activityInfo().attempt}`;
      },
      async untilCancelled(): Promise<string> {
        say('untilCancelled started');
        return Context.current().cancelled.catch((error: Error) => `cancelled: ${error.message}`);
      },
      async never(): Promise<never> {
        say('never started');
        return new Promise(() => undefined);
      },
    },
    stickyQueueScheduleToStartTimeout: '1s', // the next worker does not wait long for one that was killed
    ...(mode === 'grace' && { shutdownGraceTime: '1m' }),
    ...(mode === 'force' && { shutdownForceTime: '500ms' }),
  });
  say(`created ${Math.round(performance.now() - began)}`);
  const run = worker.run();
  say('polling');
  if (mode === 'exit') setTimeout(() => process.exit(7), 300);
  if (mode === 'throw') {
    setTimeout(() => {
      throw new Error('uncaught on purpose');
    }, 300);
  }
  try {
    await run;
    say(`ended ${worker.getState()}`);
  } catch (error) {
    say(`failed ${worker.getState()} ${(error as { code?: string }).code}`);
  }
  await connection.close();
  say('closed');
}

if (mode === 'created') {
  // A worker that was made and never run.
  void (async () => {
    const connection = await NativeConnection.connect({ address });
    await Worker.create({
      connection,
      taskQueue,
      workflowsPath: join(__dirname, '..', '..', 'src', 'workflows', 'crash.ts'),
      activities: { async nothing() {} },
    });
    say('created');
  })();
} else if (mode === 'failed') {
  // A worker that cannot be made, while its lanes have started already.
  void (async () => {
    const connection = await NativeConnection.connect({ address });
    const error = await Worker.create({
      connection,
      taskQueue,
      workflowsPath: join(__dirname, 'no-such-file'),
    }).catch((reason: { code: string }) => reason.code);
    say(`create failed with ${error}`);
  })();
} else {
  void main();
}
