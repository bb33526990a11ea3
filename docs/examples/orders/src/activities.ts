import { log } from '@perdure/activity';
import { ApplicationFailure } from '@perdure/common';

/** What the shop's other systems offer. Every call may come twice and does its work once, by the order's id. */
export interface Shop {
  stock: Map<string, number>;
  reserved: Map<string, { sku: string; quantity: number }[]>;
  charged: Map<string, number>;
  shipped: Map<string, string>;
}

export function emptyShop(stock: Record<string, number>): Shop {
  return {
    stock: new Map(Object.entries(stock)),
    reserved: new Map(),
    charged: new Map(),
    shipped: new Map(),
  };
}

export type OrderActivities = ReturnType<typeof createActivities>;

export function createActivities(shop: Shop) {
  return {
    async reserve(orderId: string, items: { sku: string; quantity: number }[]): Promise<void> {
      if (shop.reserved.has(orderId)) return;
      for (const { sku, quantity } of items) {
        if ((shop.stock.get(sku) ?? 0) < quantity) {
          throw ApplicationFailure.nonRetryable(`${sku} is out of stock`, 'OutOfStock', { sku, quantity });
        }
      }
      for (const { sku, quantity } of items) shop.stock.set(sku, shop.stock.get(sku)! - quantity);
      shop.reserved.set(orderId, items);
    },

    async release(orderId: string): Promise<void> {
      for (const { sku, quantity } of shop.reserved.get(orderId) ?? []) {
        shop.stock.set(sku, shop.stock.get(sku)! + quantity);
      }
      shop.reserved.delete(orderId);
    },

    async charge(orderId: string, card: string, cents: number): Promise<void> {
      if (card.endsWith('0002'))
        throw ApplicationFailure.nonRetryable('the card was declined', 'CardDeclined');
      log.info('Charged', { orderId, cents });
      shop.charged.set(orderId, cents);
    },

    async refund(orderId: string): Promise<void> {
      shop.charged.delete(orderId);
    },

    async ship(orderId: string, address: string): Promise<string> {
      if (/\bmoon\b/i.test(address)) {
        throw ApplicationFailure.nonRetryable('nobody delivers there', 'Unreachable', address);
      }
      const trackingNumber = `T-${orderId}`;
      shop.shipped.set(orderId, address);
      return trackingNumber;
    },

    async recall(orderId: string): Promise<void> {
      shop.shipped.delete(orderId);
    },
  };
}
