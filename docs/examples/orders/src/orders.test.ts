import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { WorkflowFailedError } from '@perdure/client';
import { ApplicationFailure, type DataConverter } from '@perdure/common';
import { generateKey, keyRing } from '@perdure/encryption';
import { expectSteps, MockActivityEnvironment, readHistory, TestWorkflowEnvironment } from '@perdure/testing';
import { bundleWorkflowCode, Worker, type WorkflowBundle } from '@perdure/worker';
import { createActivities, emptyShop } from './activities.js';
import { encryptedWith } from './data-converter.js';
import { addNote, approve, changeAddress, delivered, getStatus, type Order, order } from './workflows.js';

const card = '4242 4242 4242 4242';
const dataConverter: DataConverter = encryptedWith(
  keyRing({ keys: { test: generateKey() }, currentKeyId: 'test' }),
);
let env: TestWorkflowEnvironment;
let workflowBundle: WorkflowBundle;

before(async () => {
  workflowBundle = await bundleWorkflowCode({
    workflowsPath: require.resolve('./workflows.js'),
    failureConverterPath: dataConverter.failureConverterPath,
  });
  env = await TestWorkflowEnvironment.createShared({ client: { dataConverter } });
});
after(() => env?.teardown());

/** A shop with a worker of its own; `place` starts an order there. */
async function shopIn(where: TestWorkflowEnvironment) {
  const shop = emptyShop({ tea: 10 });
  const taskQueue = `orders-${randomUUID()}`;
  const worker = await Worker.create({
    connection: where.nativeConnection,
    namespace: where.namespace,
    taskQueue,
    workflowBundle,
    activities: createActivities(shop),
    dataConverter,
  });
  const place = (fields: Partial<Order> = {}) => {
    const orderId = randomUUID();
    const items = [{ sku: 'tea', quantity: 2 }];
    return where.client.workflow.start(order, {
      taskQueue,
      workflowId: `order-${orderId}`,
      args: [{ orderId, items, card, cents: 1250, address: '1 Main Street', ...fields }],
    });
  };
  return { shop, worker, place };
}

/** The failure that an order ended with. */
async function failureOf(result: Promise<unknown>): Promise<ApplicationFailure> {
  const error = await result.then(
    () => assert.fail('the order did not fail'),
    (caught) => caught,
  );
  assert.ok(error instanceof WorkflowFailedError);
  const failure = error.cause instanceof ApplicationFailure ? error.cause : error.cause?.cause;
  assert.ok(failure instanceof ApplicationFailure);
  return failure;
}

test('reserves, charges and ships, in this order', async () => {
  const { shop, worker, place } = await shopIn(env);
  const handle = await place();
  const status = await worker.runUntil(async () => {
    await handle.signal(addNote, 'ring twice');
    await handle.signal(delivered);
    return await handle.result();
  });
  assert.equal(status.stage, 'delivered');
  assert.deepEqual(status.notes, ['ring twice']);
  assert.equal(shop.stock.get('tea'), 8);
  assert.equal(shop.charged.size, 1);
  await expectSteps(handle, ['activity reserve', 'activity charge', 'activity ship']);
});

test('releases the stock when the card is declined', async () => {
  const { shop, worker, place } = await shopIn(env);
  const handle = await place({ card: '4000 0000 0000 0002' });
  const failure = await worker.runUntil(failureOf(handle.result()));
  assert.equal(failure.type, 'CardDeclined');
  assert.equal(shop.stock.get('tea'), 10);
  const steps = ['activity reserve', 'activity charge', 'activity refund', 'activity release'];
  await expectSteps(handle, steps);
});

test('undoes everything, last things first, when shipping fails', async () => {
  const { shop, worker, place } = await shopIn(env);
  const handle = await place({ address: 'the Moon, dark side' });
  const failure = await worker.runUntil(failureOf(handle.result()));
  assert.equal(failure.message, 'nobody delivers there');
  assert.deepEqual(failure.details, ['the Moon, dark side']);
  assert.deepEqual([shop.stock.get('tea'), shop.charged.size, shop.shipped.size], [10, 0, 0]);
  const { steps } = await readHistory(handle);
  assert.deepEqual(
    steps.filter(({ kind }) => kind === 'activity').map(({ name }) => name),
    ['reserve', 'charge', 'ship', 'recall', 'refund', 'release'],
  );
});

test('undoes everything when it is cancelled', async () => {
  const { shop, worker, place } = await shopIn(env);
  const handle = await place();
  await worker.runUntil(async () => {
    while ((await handle.query(getStatus)).stage !== 'on its way') await env.sleep(20);
    await handle.cancel();
    await assert.rejects(handle.result(), WorkflowFailedError);
  });
  assert.deepEqual([shop.stock.get('tea'), shop.charged.size, shop.shipped.size], [10, 0, 0]);
});

test('changes the address until the parcel has left', async () => {
  const { shop, worker, place } = await shopIn(env);
  const handle = await place({ cents: 200_000 });
  await worker.runUntil(async () => {
    assert.equal((await handle.query(getStatus)).stage, 'approval');
    const answer = await handle.executeUpdate(changeAddress, { args: ['2 Side Street'] });
    assert.equal(answer, 'ships to 2 Side Street');
    await assert.rejects(handle.executeUpdate(changeAddress, { args: [' '] }), (error: Error) => {
      assert.equal((error.cause as Error).message, 'an address is needed');
      return true;
    });
    await handle.signal(approve, 'Grace');
    await handle.signal(delivered);
    const status = await handle.result();
    assert.deepEqual(status.notes, ['approved by Grace']);
  });
  assert.deepEqual([...shop.shipped.values()], ['2 Side Street']);
});

test('waits two days for an approval and thirty for the parcel', async () => {
  await using skipping = await TestWorkflowEnvironment.createTimeSkipping({ client: { dataConverter } });
  const { shop, worker, place } = await shopIn(skipping);
  await worker.runUntil(async () => {
    const waiting = await place({ cents: 200_000 });
    assert.equal((await failureOf(waiting.result())).type, 'NotApproved');
    await expectSteps(waiting, ['timer 2 d']);
    const lost = await place();
    assert.equal((await failureOf(lost.result())).type, 'ParcelLost');
    const { outline } = await readHistory(lost);
    assert.equal(outline[3], 'timer 30 d');
    assert.deepEqual(outline.slice(4), ['activity recall', 'activity refund', 'activity release']);
  });
  assert.equal(shop.charged.size, 0);
});

test('shows neither cards nor addresses nor messages to the server', async () => {
  const { worker, place } = await shopIn(env);
  const handle = await place({ card: '4000 0000 0000 0002' });
  await worker.runUntil(failureOf(handle.result()));
  const stored = JSON.stringify(await handle.fetchHistory(), (_key, value) =>
    value?.type === 'Buffer' ? Buffer.from(value.data).toString('latin1') : value,
  );
  for (const secret of ['4000 0000', 'Main Street', 'declined']) assert.ok(!stored.includes(secret), secret);
});

test('replays its own history', async () => {
  const { worker, place } = await shopIn(env);
  const handle = await place();
  await worker.runUntil(async () => {
    await handle.signal(delivered);
    await handle.result();
  });
  await Worker.runReplayHistory({ workflowBundle, dataConverter }, await handle.fetchHistory());
});

test('reserves nothing of an order that cannot be filled as a whole', async () => {
  const shop = emptyShop({ tea: 10, pot: 0 });
  const { reserve } = createActivities(shop);
  const activity = new MockActivityEnvironment();
  const items = [
    { sku: 'tea', quantity: 1 },
    { sku: 'pot', quantity: 1 },
  ];
  await assert.rejects(activity.run(reserve, 'order', items), /pot is out of stock/);
  assert.equal(shop.stock.get('tea'), 10);
});
