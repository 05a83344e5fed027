import { app, Menu, shell, type MenuItemConstructorOptions } from 'electron';
import { mkdirSync } from 'node:fs';
import type { MenuCommand } from './contract';

export interface MenuActions {
  /** Sends a command to the screen. */
  readonly send: (command: MenuCommand) => void;
  readonly exportEvery: () => void;
  /** Folder that holds the log. */
  readonly logs: string;
}

/** The application's menu. What changes the screen is asked of the screen, so that keyboard, palette and menu agree. */
export function applicationMenu({ send, exportEvery, logs }: MenuActions): Menu {
  const mac = process.platform === 'darwin';
  const ask = (label: string, command: MenuCommand, accelerator?: string): MenuItemConstructorOptions => ({
    label,
    id: command,
    click: () => send(command),
    ...(accelerator === undefined ? {} : { accelerator }),
  });
  const line: MenuItemConstructorOptions = { type: 'separator' };
  const template: MenuItemConstructorOptions[] = [
    ...(mac ? [{ role: 'appMenu' } as const] : []),
    {
      label: '&File',
      submenu: [
        ask('Export transcript…', 'export', 'CmdOrCtrl+E'),
        ask('Save picture of the stage…', 'picture'),
        ask('Save the trace as text…', 'trace-text'),
        { label: 'Export every attempt…', id: 'export-every', click: exportEvery },
        line,
        mac ? { role: 'close' } : { role: 'quit' },
      ],
    },
    { role: 'editMenu' },
    {
      label: '&View',
      submenu: [
        ask('Command palette…', 'palette', 'CmdOrCtrl+K'),
        line,
        {
          label: 'Theme',
          submenu: [
            ask('As the system', 'theme-system'),
            ask('Light', 'theme-light'),
            ask('Dark', 'theme-dark'),
          ],
        },
        ask('Larger text', 'text-larger', 'CmdOrCtrl+Plus'),
        ask('Smaller text', 'text-smaller', 'CmdOrCtrl+-'),
        ask('Normal text', 'text-reset', 'CmdOrCtrl+0'),
        line,
        { role: 'togglefullscreen' },
        ...(app.isPackaged ? [] : [{ role: 'toggleDevTools' } as const]),
      ],
    },
    {
      label: '&Lab',
      submenu: [
        ask('All labs', 'home', 'CmdOrCtrl+Shift+H'),
        ask('Sandbox', 'sandbox', 'CmdOrCtrl+Shift+S'),
        ask('Restart this lab…', 'restart'),
        line,
        ask('Run back to a stop', 'run-back'),
        ask('Run on to a stop', 'run-on'),
        ask('Stops and watches', 'stops'),
      ],
    },
    {
      label: '&Help',
      role: 'help',
      submenu: [
        ask('Keyboard shortcuts', 'shortcuts', 'F1'),
        ask('Tour of the lab', 'tour'),
        { label: 'Show log', click: () => showFolder(logs) },
        ...(mac ? [] : [{ role: 'about' } as const]),
      ],
    },
  ];
  return Menu.buildFromTemplate(template);
}

/** Shows a folder in the system's file manager; it is made when nothing was logged yet. */
function showFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch {
    // The system says that there is no such folder.
  }
  void shell.openPath(folder);
}
