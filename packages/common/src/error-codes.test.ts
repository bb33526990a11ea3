import fs from 'node:fs';
import path from 'node:path';
import * as common from '@perdure/common';
import { ERROR_CODES } from '@perdure/common/lib/error-codes';
import { InvalidHistoryError } from '@perdure/common/lib/proto-utils';

describe('error codes', () => {
  const classes: any[] = [...Object.values(common), InvalidHistoryError].filter(
    (value: any) => typeof value === 'function' && value.prototype instanceof Error,
  );

  it('are carried by every error class, and listed', () => {
    const carried = new Set<string>();
    for (const cls of classes) {
      if (cls === common.PerdureError) continue; // abstract
      const { code } = new cls('message');
      expect([cls.name, typeof code]).toEqual([cls.name, 'string']);
      carried.add(code);
    }
    expect([...carried].sort()).toEqual([...ERROR_CODES]);
  });

  it('have a page each', () => {
    const pages = path.resolve(__dirname, '../../../docs/errors');
    for (const code of ERROR_CODES) {
      expect(fs.readFileSync(path.join(pages, `${code}.md`), 'utf8')).toMatch(`# ${code}\n`);
    }
  });
});
