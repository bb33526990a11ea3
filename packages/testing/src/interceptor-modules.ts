/** Where the interceptor modules for workflows under test lie. */

/**
 * For `interceptors.workflowModules` of a worker under test: a failed assertion in a workflow or in its signal handlers
 * fails the workflow with a non-retryable ApplicationFailure, and one in an update handler fails the update.
 */
export const workflowInterceptorModules: string[] = [require.resolve('./assert-to-failure-interceptor')];
