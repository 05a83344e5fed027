/**
 * The lab that a command line asks for: `--lab NAME` or `--lab=NAME`.
 *
 * @param argv - as Electron gives it; switches of Chromium may stand anywhere.
 * @returns the name as written, empty included; null when none is asked for. The last one wins.
 */
export function labOf(argv: readonly string[]): string | null {
  return wordOf(argv, '--lab');
}

/** The folder of the lab that is to be previewed: `--preview FOLDER`. @returns null when none is named. */
export function previewOf(argv: readonly string[]): string | null {
  const folder = wordOf(argv, '--preview');
  return folder === '' ? null : folder;
}

function wordOf(argv: readonly string[], option: string): string | null {
  let found: string | null = null;
  argv.forEach((word, i) => {
    if (word === option) found = argv[i + 1] ?? '';
    else if (word.startsWith(`${option}=`)) found = word.slice(option.length + 1);
  });
  return found;
}
