import { ApplicationFailure } from '@perdure/common';
import {
  condition,
  continueAsNew,
  currentUpdateInfo,
  defineUpdate,
  setDefaultUpdateHandler,
  setHandler,
  sleep,
  uuid4,
} from './index';
import { job, scenario } from './testing/scenario';

const set = defineUpdate<unknown, any[]>('set');
const accepted = (name: string) => ({
  updateResponse: { protocolInstanceId: `proto-${name}`, accepted: {} },
});
const completed = (name: string, value?: unknown) => ({
  updateResponse: { protocolInstanceId: `proto-${name}`, ...(value !== undefined && { completed: value }) },
});
const idle = (register: () => void) => async () => {
  register();
  await sleep(1000);
};

/** What commands of the handler of an update carry. */
const marked = (inboundUpdateId: string) => ({ eventGroupMarkers: [{ inboundUpdate: { inboundUpdateId } }] });

describe('an update', () => {
  it('is accepted and completed in its activation when its handler does not wait', async () => {
    const s = scenario(idle(() => setHandler(set, (n) => n + 1)));
    await s.commands([job.start()]);
    expect(await s.commands([job.update('set', [1])])).toEqual([accepted('set'), completed('set', 2)]);
  });

  it('is accepted at once and completed when its handler has waited', async () => {
    const s = scenario(
      idle(() =>
        setHandler(set, async () => {
          await sleep(5);
          return 'later';
        }),
      ),
    );
    await s.commands([job.start()]);
    expect(await s.commands([job.update('set')])).toEqual([
      accepted('set'),
      { startTimer: { seq: 2, startToFireTimeout: 5 }, ...marked('id-set') },
    ]);
    expect(await s.commands([job.fireTimer(2)])).toEqual([completed('set', 'later')]);
  });

  it('is rejected by a validator that throws, and its handler does not run', async () => {
    let ran = false;
    const s = scenario(
      idle(() =>
        setHandler(
          set,
          () => {
            ran = true;
          },
          {
            validator: () => {
              throw new Error('not valid');
            },
          },
        ),
      ),
    );
    await s.commands([job.start()]);
    const [command, ...more] = await s.commands([job.update('set')]);
    expect(command.updateResponse.rejected.message).toBe('not valid');
    expect(more).toEqual([]);
    expect(ran).toBe(false);
  });

  it('is not validated again on replay', async () => {
    const s = scenario(
      idle(() =>
        setHandler(set, () => 1, {
          validator: () => {
            throw new Error('not valid');
          },
        }),
      ),
    );
    await s.commands([job.start()], { isReplaying: true });
    expect(await s.commands([job.update('set', [], { runValidator: false })], { isReplaying: true })).toEqual(
      [accepted('set'), completed('set', 1)],
    );
  });

  it('handler does not see what the validator did to the arguments, nor to the random stream', async () => {
    const workflow = (validator: (arg: any) => void) =>
      idle(() => setHandler(set, (arg) => [arg, uuid4()], { validator }));
    const answer = async (validator: (arg: any) => void) => {
      const s = scenario(workflow(validator));
      await s.commands([job.start()]);
      return s.commands([job.update('set', [{ a: 1 }])]);
    };
    const changing = (arg: any) => {
      arg.changed = true;
      uuid4();
    };
    expect(await answer(changing)).toEqual(await answer(() => undefined));
  });

  it('is rejected when its validator tries to wait or to schedule', async () => {
    for (const validator of [() => sleep(1), async () => undefined] as any[]) {
      const s = scenario(idle(() => setHandler(set, () => 1, { validator })));
      await s.commands([job.start()]);
      const commands = await s.commands([job.update('set')]);
      expect(commands).toHaveLength(1);
      expect(commands[0].updateResponse.rejected.message).toMatch(/validator/);
    }
  });

  it('whose arguments cannot be decoded is rejected before it is accepted', async () => {
    const s = scenario(idle(() => setHandler(set, () => 1)));
    await s.commands([job.start()]);
    const bad = job.update('set');
    bad.doUpdate!.input = [{ metadata: {} }];
    const [command] = await s.commands([bad]);
    expect(command.updateResponse.rejected.message).toMatch(/encoding/);
  });

  it('fails when its handler throws a TemporalFailure', async () => {
    const s = scenario(
      idle(() =>
        setHandler(set, async () => {
          throw ApplicationFailure.nonRetryable('refused');
        }),
      ),
    );
    await s.commands([job.start()]);
    const [first, second] = await s.commands([job.update('set')]);
    expect(first).toEqual(accepted('set'));
    expect(second.updateResponse.rejected.message).toBe('refused');
  });

  it('fails the task when its handler throws anything else', async () => {
    const s = scenario(
      idle(() =>
        setHandler(set, () => {
          throw new TypeError('a bug');
        }),
      ),
    );
    await s.commands([job.start()]);
    expect((await s.activate([job.update('set')])).failed).toBe('a bug');
  });

  it('fails the workflow when its handler throws an error of a class that does, even after it was accepted', async () => {
    class Mine extends Error {}
    const throws = idle(() =>
      setHandler(set, async () => {
        await sleep(1);
        throw new Mine('expected');
      }),
    );
    const s = scenario(throws, { registration: { workflowFailureErrorTypes: { '*': ['Mine'] } } });
    await s.commands([job.start()]);
    await s.commands([job.update('set')]);
    const commands = await s.commands([job.fireTimer(2)]);
    expect(commands).toEqual([
      { failWorkflowExecution: { failure: expect.objectContaining({ message: 'expected' }) } },
    ]);
  });

  it('continues the workflow as new when its handler says so, whatever errors fail workflows', async () => {
    const continues = idle(() => setHandler(set, () => continueAsNew()));
    const s = scenario(continues, { registration: { workflowFailureErrorTypes: { '*': ['Error'] } } });
    await s.commands([job.start()]);
    const commands = await s.commands([job.update('set')]);
    expect(commands).toMatchObject([{ updateResponse: {} }, { continueAsNewWorkflowExecution: {} }]);
  });

  it('fails the task when its result cannot be serialised', async () => {
    const s = scenario(idle(() => setHandler(set, () => 1n)));
    await s.commands([job.start()]);
    expect((await s.activate([job.update('set')])).failed).toMatch(/result of the update cannot be turned/);
  });

  it('that comes with the start waits for its handler in that activation', async () => {
    const s = scenario(async () => {
      let value = 0;
      setHandler(set, (n) => {
        value = n;
        return 'set';
      });
      await condition(() => value !== 0);
      return value;
    });
    expect(await s.commands([job.start(), job.update('set', [9])])).toEqual([
      accepted('set'),
      completed('set', 'set'),
      { completeWorkflowExecution: { result: 9 } },
    ]);
  });

  it('that no handler takes until the end of its activation is rejected', async () => {
    const s = scenario(idle(() => setHandler(set, () => 1)));
    await s.commands([job.start()]);
    const [command] = await s.commands([job.update('unknown')]);
    expect(command.updateResponse.rejected.message).toBe(
      'No registered handler for update: unknown. Registered updates: [set]',
    );
  });

  it('goes to the default handler when it has none of its own', async () => {
    const s = scenario(idle(() => setDefaultUpdateHandler((name, ...args) => [name, ...args])));
    await s.commands([job.start()]);
    expect(await s.commands([job.update('__proto__', [1])])).toEqual([
      accepted('__proto__'),
      completed('__proto__', ['__proto__', 1]),
    ]);
  });

  it('is known inside its handler and validator, through awaits, and nowhere else', async () => {
    const seen: unknown[] = [];
    const s = scenario(async () => {
      setHandler(
        set,
        async () => {
          await sleep(1);
          seen.push(currentUpdateInfo());
        },
        { validator: () => void seen.push(currentUpdateInfo()?.name) },
      );
      await sleep(1000);
      seen.push(currentUpdateInfo());
    });
    await s.commands([job.start()]);
    await s.commands([job.update('set')]);
    await s.commands([job.fireTimer(2)]);
    await s.commands([job.fireTimer(1)]);
    expect(seen).toEqual(['set', { id: 'id-set', name: 'set' }, undefined]);
  });

  it('whose handler runs when the workflow completes is warned of', async () => {
    const s = scenario(async () => {
      setHandler(set, () => sleep(10));
      await sleep(1);
    });
    await s.commands([job.start()]);
    const { sinkCalls } = await s.activate([job.update('set'), job.fireTimer(1)]);
    expect(sinkCalls[0]?.args[0]).toMatch(/update handlers/);
    expect(sinkCalls[0]?.args[1]).toMatchObject({ updateHandlers: [{ name: 'set', id: 'id-set' }] });
  });

  // A local activity that is cancelled with the run resolves in an activation of the same task.
  it('that goes on in the task of a run that has ended tells nothing behind the end', async () => {
    const s = scenario(async () => {
      setHandler(set, async (how: string) => {
        await sleep(10);
        if (how === 'bug') throw new Error('a bug');
        await sleep(10);
      });
      await sleep(1);
    });
    await s.commands([job.start()]);
    await s.commands([job.update('set', ['bug'], { id: 'a' }), job.update('set', ['waits'], { id: 'b' })]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([{ completeWorkflowExecution: {} }]);
    expect(await s.commands([job.fireTimer(2), job.fireTimer(3)])).toEqual([]);
    const [answer] = await s.commands([job.query('__temporal_workflow_metadata')]);
    expect(answer.respondToQuery.succeeded).toBeDefined();
  });

  it('handler may continue as new', async () => {
    const s = scenario(idle(() => setHandler(set, () => continueAsNew())));
    await s.commands([job.start()]);
    expect(await s.commands([job.update('set')])).toEqual([
      accepted('set'),
      { continueAsNewWorkflowExecution: { workflowType: 'wf' }, ...marked('id-set') },
    ]);
  });
});
