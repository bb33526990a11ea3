import { defineSearchAttributeKey } from '@perdure/common';
import {
  continueAsNew,
  defineSignal,
  defineWorkflowOptions,
  makeContinueAsNewFunc,
  setHandler,
  sleep,
} from './index';
import { job, scenario } from './testing/scenario';

describe('continuing as new', () => {
  it('ends the run and names type and arguments of the next one', async () => {
    const s = scenario(async (n: number) => {
      await sleep(1);
      await continueAsNew(n + 1);
    });
    await s.commands([job.start([1])]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([
      { continueAsNewWorkflowExecution: { workflowType: 'wf', arguments: [2] } },
    ]);
  });

  it('takes every option', async () => {
    const key = defineSearchAttributeKey('Colour', 'KEYWORD');
    const s = scenario(() =>
      makeContinueAsNewFunc({
        workflowType: 'other',
        taskQueue: 'elsewhere',
        workflowRunTimeout: '2s',
        workflowTaskTimeout: '1s',
        backoffStartInterval: '5s',
        memo: { note: 'n' },
        typedSearchAttributes: [{ key, value: 'red' }],
        initialVersioningBehavior: 'AUTO_UPGRADE',
      })(),
    );
    expect(await s.commands([job.start()])).toEqual([
      {
        continueAsNewWorkflowExecution: {
          workflowType: 'other',
          taskQueue: 'elsewhere',
          workflowRunTimeout: 2000,
          workflowTaskTimeout: 1000,
          backoffStartInterval: 5000,
          memo: { note: 'n' },
          searchAttributes: { indexedFields: { Colour: 'red' } },
          initialVersioningBehavior: 1,
        },
      },
    ]);
  });

  it('converts arguments as its own definition says while the type stays the same, or as the options say', async () => {
    const inputs = (unit: string) => ({
      inputTypes: [{ transferTypeConverter: { toTransferType: (n: number) => `${n} ${unit}` } }],
    });
    const argumentsOf = async (options: object) => {
      const workflow = () => makeContinueAsNewFunc<any>(options)(7);
      defineWorkflowOptions(workflow as never, { staticOptions: { typeInfo: inputs('own') as never } });
      const [command] = await scenario(workflow).commands([job.start()]);
      return command.continueAsNewWorkflowExecution.arguments;
    };
    expect(await argumentsOf({})).toEqual(['7 own']);
    expect(await argumentsOf({ typeInfo: inputs('given') })).toEqual(['7 given']);
    expect(await argumentsOf({ workflowType: 'other' })).toEqual([7]);
  });

  it('from a signal handler ends the run as well', async () => {
    const s = scenario(async () => {
      setHandler(defineSignal('again'), () => continueAsNew());
      await sleep(1000);
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.signal('again')])).toEqual([
      { continueAsNewWorkflowExecution: { workflowType: 'wf' } },
    ]);
  });

  it('with arguments that cannot be serialised fails the task', async () => {
    expect((await scenario(() => continueAsNew(1n)).activate([job.start()])).failed).toMatch(/BigInt/);
  });
});
