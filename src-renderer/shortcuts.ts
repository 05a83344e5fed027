/** Everything that the screen can be asked to do by key, menu or palette, beside the actions of the machine. */
export const COMMANDS = {
  palette: 'Command palette',
  shortcuts: 'Keyboard shortcuts',
  settings: 'Settings',
  home: 'All labs',
  sandbox: 'Sandbox',
  export: 'Export transcript…',
  picture: 'Save picture of the stage…',
  'trace-text': 'Save the trace as text, like trace-cmd…',
  'trace-graph': 'Save the trace as a function graph…',
  'trace-perfetto': 'Save the trace for Perfetto…',
  tour: 'Tour of the lab',
  restart: 'Restart this lab…',
  'theme-system': 'Theme: as the system',
  'theme-light': 'Theme: light',
  'theme-dark': 'Theme: dark',
  'text-larger': 'Larger text',
  'text-smaller': 'Smaller text',
  'text-reset': 'Normal text',
  'next-region': 'Next region',
  'previous-region': 'Previous region',
  'focus-guide': 'Go to the guide',
  'focus-stage': 'Go to the stage',
  'focus-state': 'Go to the state',
  'focus-timeline': 'Go to the timeline',
  'focus-console': 'Go to the console',
  'search-state': 'Search the state',
  'filter-trace': 'Filter the trace',
  'compose-action': 'Compose an action',
  'stage-as-table': 'Stage as a picture or as a table',
  'stage-larger': 'Stage: larger picture',
  'stage-smaller': 'Stage: smaller picture',
  'stage-fit': 'Stage: fit everything in view',
  'stage-reset': 'Stage: reset the picture',
  'stage-follow': 'Stage: follow the acting thread',
  step: 'Step the chosen thread',
  run: 'Run until nothing can go on',
  back: 'One moment back',
  forward: 'One moment forward',
  'first-moment': 'First moment',
  'last-moment': 'Last moment',
  reset: 'Reset the machine',
  'run-back': 'Run back to a stop',
  'run-on': 'Run on to a stop',
  stops: 'Stops and watches',
  'stop-on-event': 'Stop on events like the marked one',
  cause: 'Show the cause of the marked event',
  watchpoint: 'Stop where the chosen field changes',
  pin: 'Pin the chosen field',
  'last-change': 'Last change of the chosen field',
  'next-change': 'Next change of the chosen field',
  'other-machine': 'The other machine of a comparison',
  'next-difference': 'Next difference of two machines',
  'next-step': 'Next step of the guide',
  'previous-step': 'Previous step of the guide',
} as const;
export type CommandId = keyof typeof COMMANDS;

/** Which keys do what: data, so that they can be shown, checked and changed. `$mod` is Control, on a Mac Command. */
export type Bindings = Readonly<Partial<Record<CommandId, readonly string[]>>>;

export const DEFAULT_BINDINGS: Bindings = {
  palette: ['$mod+k'],
  shortcuts: ['F1'],
  settings: ['$mod+,'],
  home: ['$mod+Shift+h'],
  sandbox: ['$mod+Shift+s'],
  export: ['$mod+e'],
  picture: ['$mod+Shift+e'],
  tour: ['Shift+F1'],
  'text-larger': ['$mod+=', '$mod+Shift++'],
  'text-smaller': ['$mod+-'],
  'text-reset': ['$mod+0'],
  'next-region': ['F6'],
  'previous-region': ['Shift+F6'],
  'focus-guide': ['$mod+1'],
  'focus-stage': ['$mod+2'],
  'focus-state': ['$mod+3'],
  'focus-timeline': ['$mod+4'],
  'focus-console': ['$mod+j'],
  'search-state': ['$mod+f'],
  'filter-trace': ['$mod+Shift+f'],
  'compose-action': ['$mod+Shift+a'],
  'stage-as-table': ['$mod+Shift+t'],
  step: ['F9'],
  run: ['F8'],
  back: ['Alt+ArrowLeft'],
  forward: ['Alt+ArrowRight'],
  'first-moment': ['Alt+Home'],
  'last-moment': ['Alt+End'],
  'run-back': ['Alt+Shift+ArrowLeft'],
  'run-on': ['Alt+Shift+ArrowRight'],
  stops: ['$mod+Shift+b'],
  'stop-on-event': ['Shift+F4'],
  cause: ['F4'],
  watchpoint: ['F3'],
  pin: ['F2'],
  'last-change': ['F7'],
  'next-change': ['Shift+F7'],
  'other-machine': ['$mod+Shift+m'],
  'next-difference': ['$mod+Shift+d'],
  'next-step': ['Alt+PageDown'],
  'previous-step': ['Alt+PageUp'],
};

/** How the help shows them, by subject. */
export const GROUPS: readonly { readonly name: string; readonly ids: readonly CommandId[] }[] = [
  {
    name: 'Anywhere',
    ids: [
      'palette',
      'shortcuts',
      'settings',
      'tour',
      'home',
      'sandbox',
      'export',
      'picture',
      'text-larger',
      'text-smaller',
      'text-reset',
    ],
  },
  {
    name: 'Moving about',
    ids: [
      'next-region',
      'previous-region',
      'focus-guide',
      'focus-stage',
      'focus-state',
      'focus-timeline',
      'focus-console',
      'search-state',
      'filter-trace',
      'compose-action',
      'stage-as-table',
    ],
  },
  {
    name: 'The machine',
    ids: [
      'step',
      'run',
      'back',
      'forward',
      'first-moment',
      'last-moment',
      'other-machine',
      'next-difference',
    ],
  },
  {
    name: 'Through the past',
    ids: [
      'run-back',
      'run-on',
      'stops',
      'stop-on-event',
      'cause',
      'watchpoint',
      'pin',
      'last-change',
      'next-change',
    ],
  },
  { name: 'The guide', ids: ['next-step', 'previous-step'] },
];

const KEY_NAMES: Readonly<Record<string, string>> = {
  ArrowLeft: 'Left',
  ArrowRight: 'Right',
  PageDown: 'Page Down',
  PageUp: 'Page Up',
};

/** The keys of a binding as the keyboard shows them: `['Ctrl', 'K']`. */
export function keysOf(binding: string, isMac: boolean): string[] {
  return binding.split(/\+(?!$)/).map((key) => {
    if (key === '$mod') return isMac ? 'Cmd' : 'Ctrl';
    return KEY_NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key);
  });
}

/** Commands that share a key, pairwise: none may in a table that is used. */
export function conflicts(bindings: Bindings): [CommandId, CommandId, string][] {
  const owner = new Map<string, CommandId>();
  const found: [CommandId, CommandId, string][] = [];
  for (const [id, keys] of Object.entries(bindings) as [CommandId, readonly string[]][]) {
    for (const key of keys) {
      const other = owner.get(key.toLowerCase());
      if (other !== undefined) found.push([other, id, key]);
      owner.set(key.toLowerCase(), id);
    }
  }
  return found;
}
