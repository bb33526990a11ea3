import {
  ApplicationFailure,
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  log,
  proxyActivities,
  setHandler,
} from '@perdure/workflow';
import type { OrderActivities } from './activities.js';

export interface Order {
  orderId: string;
  items: { sku: string; quantity: number }[];
  card: string;
  cents: number;
  address: string;
}

export type Stage =
  | 'approval'
  | 'reserving'
  | 'charging'
  | 'shipping'
  | 'on its way'
  | 'delivered'
  | 'undone';

export interface Status {
  stage: Stage;
  address: string;
  trackingNumber?: string;
  notes: string[];
}

export const approve = defineSignal<[by: string]>('approve');
export const delivered = defineSignal('delivered');
export const addNote = defineSignal<[text: string]>('addNote');
export const getStatus = defineQuery<Status>('getStatus');
export const changeAddress = defineUpdate<string, [address: string]>('changeAddress');

/** Orders from this price on wait for somebody's approval. */
const APPROVAL_FROM_CENTS = 100_000;

const { reserve, release, charge, refund, ship, recall } = proxyActivities<OrderActivities>({
  startToCloseTimeout: '30 seconds',
  retry: { initialInterval: '100 ms', maximumAttempts: 5 },
});

/** Reserves, charges and ships; what has been done is undone, last things first, when a later step fails. */
export async function order({ orderId, items, card, cents, address }: Order): Promise<Status> {
  const status: Status = { stage: 'approval', address, notes: [] };
  let approved = cents < APPROVAL_FROM_CENTS;
  let arrived = false;
  setHandler(approve, (by) => {
    approved = true;
    status.notes.push(`approved by ${by}`);
  });
  setHandler(delivered, () => {
    arrived = true;
  });
  setHandler(addNote, (text) => {
    status.notes.push(text);
  });
  setHandler(getStatus, () => status);
  setHandler(
    changeAddress,
    (next) => {
      status.address = next;
      return `ships to ${next}`;
    },
    {
      validator: (next) => {
        if (next.trim() === '') throw new Error('an address is needed');
        if (['shipping', 'on its way', 'delivered'].includes(status.stage))
          throw new Error('it has left already');
      },
    },
  );

  const undo: (() => Promise<unknown>)[] = [];
  try {
    if (!(await condition(() => approved, '2 days'))) {
      throw ApplicationFailure.nonRetryable('nobody has approved the order', 'NotApproved');
    }
    status.stage = 'reserving';
    undo.unshift(() => release(orderId)); // before the step: it may have been done although it failed
    await reserve(orderId, items);
    status.stage = 'charging';
    undo.unshift(() => refund(orderId));
    await charge(orderId, card, cents);
    status.stage = 'shipping';
    undo.unshift(() => recall(orderId));
    status.trackingNumber = await ship(orderId, status.address);
    status.stage = 'on its way';
    if (!(await condition(() => arrived, '30 days'))) {
      throw ApplicationFailure.nonRetryable('the parcel is lost', 'ParcelLost');
    }
    status.stage = 'delivered';
    return status;
  } catch (error) {
    log.warn('The order is undone', { orderId, steps: undo.length });
    // A cancelled workflow has to clean up too.
    await CancellationScope.nonCancellable(async () => {
      for (const step of undo) await step();
    });
    status.stage = 'undone';
    throw error;
  }
}
