import { expect, test } from 'vitest';
import { PlatformForm, toggled } from './form.svelte';

test('a VM is added under a name that is free, as long as there is room', () => {
  const form = new PlatformForm();
  form.add();
  form.add();
  expect(form.rows.map(({ name }) => name)).toEqual(['td', 'vmx', 'td2']);
  form.change(0, { vcpus: 6 });
  expect([form.vcpus, form.hasRoom]).toEqual([8, false]);
  form.remove(1);
  expect([form.rows.length, form.hasRoom]).toEqual([2, true]);
});

test('a comparison begins with the same switches, and is then on its own', () => {
  const form = new PlatformForm();
  form.switches = new Set(['fred']);
  form.compare(true);
  form.against = toggled(form.against!, 'apicv_v1');
  form.switches = toggled(form.switches, 'fred');
  expect(form.wanted).toMatchObject({ switches: [], against: ['fred', 'apicv_v1'] });
  form.compare(false);
  expect(form.wanted.against).toBeNull();
});
