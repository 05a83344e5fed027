import { expect, test } from 'vitest';
import { labJsonSchema } from './schema';

test('the published JSON Schema is the one of the code (npx vitest run src-lab/schema.test.ts -u writes it)', async () => {
  await expect(labJsonSchema()).toMatchFileSnapshot('lab.schema.json');
});
