import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { explainLabFault, LAB_LIMITS, labFolders, labPath, readLab } from './labs';
import { temporaryFolder } from './testing/folder';

function labWith(files: Record<string, string | Uint8Array>): string {
  const folder = join(temporaryFolder(), '07-lab');
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

const faultOf = (folder: string) => {
  const read = readLab(folder);
  return read.ok ? null : read.fault;
};

describe('reading a lab folder', () => {
  test('gives every file by its path, in order, with LF line ends', () => {
    const folder = labWith({
      'wrong/b.yaml': 'b',
      'lab.yaml': 'id: x\r\nminutes: 1\r\n',
      'wrong/a.yaml': 'a',
    });
    const read = readLab(folder);
    expect(read.ok && [...read.files]).toEqual([
      ['lab.yaml', 'id: x\nminutes: 1\n'],
      ['wrong/a.yaml', 'a'],
      ['wrong/b.yaml', 'b'],
    ]);
  });

  test('skips what editors and file managers leave behind', () => {
    const read = readLab(labWith({ 'lab.yaml': '', '.DS_Store': 'x', '.lab.yaml.swp': 'x' }));
    expect(read.ok && [...read.files.keys()]).toEqual(['lab.yaml']);
  });

  test('refuses a symbolic link to a file, whatever it points at', () => {
    const folder = labWith({ 'lab.yaml': '' });
    symlinkSync('/etc/hostname', join(folder, 'guide.md'));
    expect(faultOf(folder)).toEqual({ code: 'symbolic_link', file: 'guide.md' });
  });

  test('refuses a symbolic link to a folder, and a lab that is one', () => {
    const folder = labWith({ 'lab.yaml': '' });
    symlinkSync('/etc', join(folder, 'wrong'));
    expect(faultOf(folder)).toEqual({ code: 'symbolic_link', file: 'wrong' });
    const link = join(temporaryFolder(), '08-link');
    symlinkSync(labWith({ 'lab.yaml': '' }), link);
    expect(faultOf(link)).toEqual({ code: 'symbolic_link', file: null });
  });

  test.each(['a b.yaml', 'ä.yaml', '-x.yaml', 'a\\b.yaml'])('refuses the file name %j', (name) => {
    expect(faultOf(labWith({ [name]: '' }))).toEqual({ code: 'not_a_name', file: name });
  });

  test('refuses folders in folders', () => {
    expect(faultOf(labWith({ 'wrong/more/x.yaml': '' }))).toEqual({ code: 'too_deep', file: 'wrong/more' });
  });

  test('takes files of the largest size and refuses one byte more', () => {
    expect(faultOf(labWith({ 'guide.md': 'x'.repeat(LAB_LIMITS.file) }))).toBeNull();
    expect(faultOf(labWith({ 'guide.md': 'x'.repeat(LAB_LIMITS.file + 1) }))).toEqual({
      code: 'file_too_big',
      file: 'guide.md',
    });
  });

  test('refuses more bytes in all, and more files, than a lab may have', () => {
    const big = 'x'.repeat(LAB_LIMITS.file);
    const files = { 'a.md': big, 'b.md': big, 'c.md': big, 'd.md': big };
    expect(faultOf(labWith(files))).toBeNull();
    expect(faultOf(labWith({ ...files, 'e.md': 'x' }))).toEqual({ code: 'lab_too_big', file: 'e.md' });
    const many = Object.fromEntries(
      Array.from({ length: LAB_LIMITS.files + 1 }, (_, i) => [`f${100 + i}.md`, '']),
    );
    expect(faultOf(labWith(many))).toMatchObject({ code: 'too_many_files' });
  });

  test('refuses bytes that are not UTF-8', () => {
    expect(faultOf(labWith({ 'guide.md': new Uint8Array([0x61, 0xff]) }))).toEqual({
      code: 'not_utf8',
      file: 'guide.md',
    });
  });

  test('answers for a folder that is not there, or is a file', () => {
    expect(faultOf(join(temporaryFolder(), 'none'))).toEqual({ code: 'no_folder', file: null });
    expect(faultOf(join(labWith({ 'lab.yaml': '' }), 'lab.yaml'))).toEqual({
      code: 'not_a_file',
      file: null,
    });
  });

  test('explains every fault in one sentence', () => {
    expect(explainLabFault({ code: 'symbolic_link', file: 'guide.md' })).toBe(
      '"guide.md" is a symbolic link; a lab holds its files itself.',
    );
  });
});

describe('finding lab folders', () => {
  test('lists the folders that hold a lab.yaml, in order', () => {
    const root = temporaryFolder();
    for (const name of ['10-b', '02-a', 'notes', '.git']) mkdirSync(join(root, name));
    for (const name of ['10-b', '02-a', '.git']) writeFileSync(join(root, name, 'lab.yaml'), '');
    writeFileSync(join(root, 'facts.json'), '[]');
    expect(labFolders(root)).toEqual(['02-a', '10-b']);
    expect(labFolders(join(root, 'none'))).toEqual([]);
  });

  test.each(['..', '.', '', '../secret', 'a/b', '/etc', 'a\\b', '.git'])(
    'never leaves the root for %j',
    (name) => {
      expect(labPath('/labs', name)).toBeNull();
    },
  );
});
