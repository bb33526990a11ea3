import { bundleProject } from './testing/bundle-project';
import { removeProjects } from './testing/project';

afterAll(removeProjects);

/** Bundles one workflow that uses a library and gives what it returns. */
async function run(source: string, packages: string[], ignoreModules: string[] = []): Promise<unknown> {
  const { realm } = await bundleProject({ 'workflows.ts': source }, { packages, ignoreModules });
  const result: unknown = await realm.newRun().workflow('main')();
  return JSON.parse(JSON.stringify(result));
}

describe('real libraries', () => {
  it('runs lodash-es, and leaves out what is not used', async () => {
    const { bundle, realm } = await bundleProject(
      {
        'workflows.ts': `
          import { groupBy, uniqueId } from 'lodash-es';
          export async function main() { return [groupBy([1, 2, 3], (n) => n % 2), uniqueId()]; }`,
      },
      { packages: ['lodash-es'] },
    );
    const run = realm.newRun();
    expect(JSON.stringify(await run.workflow('main')())).toBe('[{"0":[2],"1":[1,3]},"1"]');
    expect(bundle.code).not.toContain('function debounce');
    // State of the library belongs to the run.
    expect((await realm.newRun().workflow('main')())[1]).toBe('1');
    expect((await run.workflow('main')())[1]).toBe('2');
  });

  it('runs lodash, a CommonJS module that looks for the global object', async () => {
    const source = `
      import _ from 'lodash';
      import { chunk } from 'lodash';
      import pick from 'lodash/pick';
      export async function main() { return [_.sum([1, 2]), chunk([1, 2, 3], 2), pick({ a: 1, b: 2 }, 'a')]; }`;
    expect(await run(source, ['lodash'])).toEqual([3, [[1, 2], [3]], { a: 1 }]);
  });

  it('runs zod', async () => {
    const source = `
      import { z } from 'zod';
      const Order = z.object({ id: z.string(), amount: z.number().positive() });
      export async function main() {
        return [Order.parse({ id: 'a', amount: 2, other: 1 }), Order.safeParse({ id: 1 }).success];
      }`;
    expect(await run(source, ['zod'])).toEqual([{ id: 'a', amount: 2 }, false]);
  });

  it('runs date-fns and dayjs', async () => {
    const source = `
      import { addDays, formatISO } from 'date-fns';
      import dayjs from 'dayjs';
      import utc from 'dayjs/plugin/utc';
      dayjs.extend(utc);
      export async function main() {
        const date = new Date(Date.UTC(2024, 1, 28));
        return [addDays(date, 2).getTime(), dayjs.utc(date).add(1, 'month').format('YYYY-MM-DD')];
      }`;
    expect(await run(source, ['date-fns', 'dayjs'])).toEqual([Date.UTC(2024, 2, 1), '2024-03-28']);
  });

  it('runs moment', async () => {
    const source = `
      import moment from 'moment';
      export async function main() { return moment.utc(0).add(1, 'day').format('YYYY-MM-DD'); }`;
    expect(await run(source, ['moment'])).toBe('1970-01-02');
  });

  it('runs immer and superjson', async () => {
    const source = `
      import { produce } from 'immer';
      import superjson from 'superjson';
      export async function main() {
        const next = produce({ list: [1] }, (draft) => { draft.list.push(2); });
        const back = superjson.parse<{ at: Date }>(superjson.stringify({ at: new Date(5) }));
        return [next, back.at.getTime()];
      }`;
    expect(await run(source, ['immer', 'superjson'])).toEqual([{ list: [1, 2] }, 5]);
  });

  it('runs rxjs', async () => {
    const source = `
      import { from, map, toArray, lastValueFrom } from 'rxjs';
      export async function main() {
        return await lastValueFrom(from([1, 2]).pipe(map((n) => n * 2), toArray()));
      }`;
    expect(await run(source, ['rxjs'])).toEqual([2, 4]);
  });

  it('bundles uuid and nanoid in the variants that ask the global object for randomness', async () => {
    const { realm } = await bundleProject(
      {
        'workflows.ts': `
          import { v4, v5 } from 'uuid';
          import { customAlphabet } from 'nanoid/non-secure';
          import { nanoid } from 'nanoid';
          export async function main() {
            return [v5('perdure', v5.URL), customAlphabet('a', 3)(), nanoid().length, v4().length];
          }`,
      },
      { packages: ['uuid', 'nanoid'] },
    );
    const run = realm.newRun();
    run.globals.crypto = {
      getRandomValues: (bytes: Uint8Array) => bytes.fill(7),
      randomUUID: () => '00000000-0000-4000-8000-000000000000',
    };
    expect((await run.workflow('main')()).slice(1)).toEqual(['aaa', 21, 36]);
  });

  it('runs decorators with reflect-metadata, on the run’s own Reflect where the run has one', async () => {
    const source = `
      import 'reflect-metadata';
      function field(target: object, key: string) { Reflect.defineMetadata('field', true, target, key); }
      class Order { @field amount: number = 1; }
      export async function main() {
        return [Reflect.getMetadata('field', new Order(), 'amount'), Reflect.getMetadata('design:type', new Order(), 'amount').name];
      }`;
    const { realm } = await bundleProject(
      {
        'workflows.ts': source,
        'tsconfig.json':
          '{ "compilerOptions": { "experimentalDecorators": true, "emitDecoratorMetadata": true } }',
      },
      { packages: ['reflect-metadata'] },
    );
    expect(JSON.stringify(await realm.newRun().workflow('main')())).toBe('[true,"Number"]');
  });
});
