/** A failure converter that hides messages and stacks; named by path in tests of codecs. */
import { DefaultFailureConverter } from '@perdure/common';

export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
