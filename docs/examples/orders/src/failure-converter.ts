import { DefaultFailureConverter } from '@perdure/common';

/** Messages and stacks go through the codecs too. */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
