import { describe, expect, test } from 'vitest';
import { pi_desc } from '../platform/posted_intr';
import { Timeline } from '../timeline';
import { flag, gap, num, record, bits } from './layout';

describe('a record', () => {
  test('PI-2: the posted-interrupt descriptor has 64 bytes, ON at bit 256, NV at byte 34, NDST at byte 36', () => {
    expect(pi_desc.info.size).toBe(64);
    const m = new Timeline({ vms: { td: 1 } }).machine;
    const leaf = m.layout.find('td.vcpu0.pid.on')!;
    const at = leaf.ref;
    m.u8.fill(0, at, at + 64);
    pi_desc.on.set(m, at, 1);
    pi_desc.sn.set(m, at, 1);
    pi_desc.nv.set(m, at, 0xf2);
    pi_desc.ndst.set(m, at, 0x01020304);
    expect([...m.u8.subarray(at + 32, at + 40)]).toEqual([3, 0, 0xf2, 0, 4, 3, 2, 1]);
    pi_desc.pir.set(m, at, 255);
    expect(m.u8[at + 31]).toBe(0x80);
  });

  test('whose fields do not add up to the width that hardware gives it stops the program at load', () => {
    expect(() => record('short', 'kvm', '', { a: flag(''), rest: gap(6) }, { bits: 8 })).toThrow(
      'has 7 bits, not 8',
    );
  });

  test('aligns numbers, packs flags, and neighbours do not disturb each other', () => {
    const r = record('r', 'kvm', '', {
      a: flag(''),
      b: flag(''),
      n: num(16, ''),
      set: bits(64, ''),
      m: num(32, ''),
    });
    const buffer = new ArrayBuffer(64);
    const s = {
      u8: new Uint8Array(buffer),
      u16: new Uint16Array(buffer),
      u32: new Uint32Array(buffer),
      i32: new Int32Array(buffer),
      f64: new Float64Array(buffer),
    };
    r.b.set(s, 16, 1);
    r.n.set(s, 16, 0xffff);
    r.set.set(s, 16, 0);
    r.set.set(s, 16, 63);
    expect([r.a.get(s, 16), r.b.get(s, 16), r.n.get(s, 16), r.m.get(s, 16)]).toEqual([0, 1, 0xffff, 0]);
    r.n.set(s, 16, 0);
    expect([r.b.get(s, 16), r.set.show(s, 16)]).toEqual([1, '0 63']);
    expect(r.info.size).toBe(16);
  });
});

describe('the layout of a platform', () => {
  const { layout } = new Timeline({ vms: { td: 2, vmx: 1 } }).machine;

  test('gives every field one path, with documentation and a layer', () => {
    const paths = layout.leaves.map((leaf) => leaf.path);
    expect(new Set(paths).size).toBe(paths.length);
    expect(layout.leaves.filter((leaf) => leaf.doc === '' || leaf.layer === undefined)).toEqual([]);
    expect(layout.leaves.every((leaf, i) => leaf.index === i)).toBe(true);
  });

  test('no two fields overlap, unless they are bits of one byte', () => {
    const used = new Map<number, string>();
    for (const { ref, field, path, width } of layout.leaves) {
      if (width < 8) continue;
      for (let byte = 0; byte < width / 8; byte++) {
        const at = ref + field.byte + byte;
        expect(used.get(at), path).toBeUndefined();
        used.set(at, path);
      }
    }
  });

  test('finds a path, completes one that is unambiguous, and names the nearest for one that is not there', () => {
    expect(layout.find('td.vcpu1.mp_state')?.path).toBe('td.vcpu1.mp_state');
    expect(layout.find('vcpu1.mp_state')?.path).toBe('td.vcpu1.mp_state');
    expect(layout.find('vcpu0.mp_state')).toBeNull();
    expect(layout.nearest('td.vcpu1.mpstate')[0]).toBe('td.vcpu1.mp_state');
  });
});
