/** Activities under test. */
import { ApplicationFailure } from '@perdure/common';

export async function price(item: string): Promise<number> {
  return item.length * 10;
}

export async function reserve(item: string, count: number): Promise<{ item: string; count: number }> {
  return { item, count };
}

export async function charge(_reservation: unknown, amount: number): Promise<void> {
  throw ApplicationFailure.nonRetryable(`no money for ${amount}`, 'NoMoney');
}
