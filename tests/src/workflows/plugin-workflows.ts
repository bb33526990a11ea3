/** A workflow that a plugin's interceptor changes. */
export async function plain(input = ''): Promise<string> {
  return `plain ${input}`;
}
