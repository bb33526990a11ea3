/** Reads OTLP metrics requests, as far as tests look into them. */

type Fields = Map<number, (bigint | Uint8Array)[]>;

/** A protobuf message without its schema: varints and fixed numbers as bigint, the rest as bytes. */
function fieldsOf(bytes: Uint8Array): Fields {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields: Fields = new Map();
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(varint());
    let value: bigint | Uint8Array;
    switch (key & 7) {
      case 0:
        value = varint();
        break;
      case 1:
        value = view.getBigUint64(at, true);
        at += 8;
        break;
      case 2: {
        const length = Number(varint());
        value = bytes.subarray(at, at + length);
        at += length;
        break;
      }
      case 5:
        value = BigInt(view.getUint32(at, true));
        at += 4;
        break;
      default:
        throw new Error(`wire type ${key & 7} at ${at}`);
    }
    fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), value]);
  }
  return fields;
}

const messages = (fields: Fields, field: number) =>
  (fields.get(field) ?? []).map((m) => fieldsOf(m as Uint8Array));
const text = (fields: Fields, field: number) =>
  Buffer.from((fields.get(field)?.[0] as Uint8Array) ?? []).toString();

function double(bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

function tagsOf(fields: Fields, field: number): Record<string, string | number | boolean> {
  return Object.fromEntries(
    messages(fields, field).map((pair) => {
      const [value = new Map()] = messages(pair, 2);
      const [flag, integer, float] = [2, 3, 4].map((kind) => value.get(kind)?.[0] as bigint | undefined);
      if (flag !== undefined) return [text(pair, 1), flag === 1n];
      if (integer !== undefined) return [text(pair, 1), Number(BigInt.asIntN(64, integer))];
      return [text(pair, 1), float === undefined ? text(value, 1) : double(float)];
    }),
  );
}

export interface OtlpPoint {
  readonly name: string;
  readonly unit: string;
  readonly kind: 'gauge' | 'sum' | 'histogram';
  /** Value, or count of a histogram. */
  readonly value: number;
  /** Sum of a histogram. */
  readonly sum?: number;
  readonly delta: boolean;
  readonly tags: Record<string, string | number | boolean>;
  readonly resource: Record<string, string | number | boolean>;
}

/** @param request an encoded ExportMetricsServiceRequest */
export function otlpPoints(request: Uint8Array): OtlpPoint[] {
  const points: OtlpPoint[] = [];
  for (const resourceMetrics of messages(fieldsOf(request), 1)) {
    const resource = Object.assign({}, ...messages(resourceMetrics, 1).map((fields) => tagsOf(fields, 1)));
    for (const metric of messages(resourceMetrics, 2).flatMap((scope) => messages(scope, 2))) {
      for (const [field, kind] of [
        [5, 'gauge'],
        [7, 'sum'],
        [9, 'histogram'],
      ] as const) {
        for (const data of messages(metric, field)) {
          for (const point of messages(data, 1)) {
            const [float, integer, sum] = [4, 6, 5].map(
              (number) => point.get(number)?.[0] as bigint | undefined,
            );
            const histogram = kind === 'histogram';
            points.push({
              name: text(metric, 1),
              unit: text(metric, 3),
              kind,
              value: histogram
                ? Number(float)
                : integer === undefined
                  ? double(float!)
                  : Number(BigInt.asIntN(64, integer)),
              ...(histogram && { sum: double(sum!) }),
              delta: data.get(2)?.[0] === 1n,
              tags: tagsOf(point, histogram ? 9 : 7),
              resource,
            });
          }
        }
      }
    }
  }
  return points;
}
