/** A workflow whose activities record metrics of their own, and that records some itself. */
import { metricMeter, proxyActivities, proxyLocalActivities } from '@perdure/workflow';

interface Shop {
  takeOrders(): Promise<void>;
  packOrder(): Promise<void>;
}
const { takeOrders } = proxyActivities<Shop>({ startToCloseTimeout: '30s' });
const { packOrder } = proxyLocalActivities<Shop>({ startToCloseTimeout: '30s' });

export async function shop(): Promise<void> {
  const meter = metricMeter.withTags({ city: 'Rome' });
  await takeOrders();
  await packOrder();
  meter.createHistogram('shop_turnover', 'float', 'EUR').record(12.5, { kind: 'book' });
  meter.createGauge('shop_stock', 'int').set(3);
  meter.createUpDownCounter!('shop_guests').add(2);
  await takeOrders(); // a later task: what was recorded before is not recorded again
  meter.createUpDownCounter!('shop_guests').add(-1);
}
