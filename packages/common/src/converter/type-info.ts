/** Hints on how single values convert: by call site or by definition, for converters that need more than the value. */

/** A value that a specific payload converter understands; extend it for that converter. */
export interface ConverterHint<_T = unknown> {
  /** Name of the converter that it is meant for. */
  converter: string;
}

/** Between the form that the application uses and the form that is converted to a payload. */
export interface TransferTypeConverter<T, D = unknown> {
  fromTransferType(value: D): T;
  toTransferType(value: T): D;
}

/** How one value converts. */
export interface TypeInfo<T = unknown, D = T> {
  /** Applied before the payload converter on encode, after it on decode. */
  transferTypeConverter?: TransferTypeConverter<T, D>;
  /** Handed to the payload converter as it is. */
  payloadConverterHint?: ConverterHint<D>;
}

/** How arguments and result of a callable convert. */
export interface PayloadTypeInfo {
  /** One per argument. */
  inputTypes?: readonly TypeInfo<any, any>[];
  outputType?: TypeInfo<any, any>;
}

/** Signals have no result. */
export type SignalTypeInfo = Pick<PayloadTypeInfo, 'inputTypes'>;
