import { composeInterceptors } from '@perdure/common';

interface Outbound {
  call?(input: string[], next: (input: string[]) => Promise<string>): Promise<string>;
}

describe('composed interceptors', () => {
  it('run from the first to the last and end in what they wrap', async () => {
    const named = (name: string): Outbound => ({
      call: async (input, next) => `${name}(${await next([...input, name])})`,
    });
    const call = composeInterceptors([named('a'), {}, named('b')], 'call', async (input) => input.join('+'));
    expect(await call(['start'])).toBe('a(b(start+a+b))');
  });

  it('keep `this` and may answer alone', async () => {
    class Cache implements Outbound {
      value = 'cached';
      async call() {
        return this.value;
      }
    }
    const call = composeInterceptors<Outbound, 'call'>([new Cache()], 'call', async () => {
      throw new Error('not to be reached');
    });
    expect(await call([])).toBe('cached');
  });
});
