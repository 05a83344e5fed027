import { BrowserWindow, dialog, nativeTheme, screen } from 'electron';
import type { Log } from './log';
import { MINIMUM, placeOf } from './place';
import { HOME, posture } from './posture';
import type { WindowPlace } from './settings';

export interface WindowWishes {
  /** Where it was; null: never opened before. */
  readonly place: WindowPlace | null;
  /** Path of the built preload script. */
  readonly preload: string;
  readonly devTools: boolean;
  readonly log: Log;
  /** The window moved, changed its size or is about to close. */
  readonly onPlace: (place: WindowPlace) => void;
  /** The page is left: reloaded, crashed or closed. It hears nothing until it starts again. */
  readonly onDeaf: () => void;
  /** The renderer process died; the page is about to be loaded again. */
  readonly onCrash: () => void;
}

/** What is seen before the screen has drawn; the colours of its two themes. */
const BACKGROUND = { light: '#f6f5f2', dark: '#16181c' } as const;
/** Milliseconds after the last movement at which the place is remembered. */
const SETTLE = 500;
/** More crashes than this within `CRASH_WINDOW` milliseconds, and the learner decides whether to go on. */
const CRASHES = 2;
const CRASH_WINDOW = 60_000;

/** Opens the application's window. It appears when its first picture is there, in the right colour. */
export function openWindow(wishes: WindowWishes): BrowserWindow {
  const primary = screen.getPrimaryDisplay();
  const others = screen.getAllDisplays().filter(({ id }) => id !== primary.id);
  const areas = [primary, ...others].map(({ workArea }) => workArea);
  const { maximized, ...bounds } = placeOf(areas, wishes.place);
  const window = new BrowserWindow({
    ...bounds,
    minWidth: MINIMUM.width,
    minHeight: MINIMUM.height,
    show: false,
    title: 'Seamlab',
    backgroundColor: background(),
    webPreferences: { ...posture.webPreferences, preload: wishes.preload, devTools: wishes.devTools },
  });
  window.once('ready-to-show', () => {
    if (maximized) window.maximize();
    window.show();
  });
  nativeTheme.on('updated', () => {
    if (!window.isDestroyed()) window.setBackgroundColor(background());
  });
  rememberPlace(window, wishes.onPlace);
  recover(window, wishes);
  void window.loadURL(`${HOME}/`).catch((error: unknown) => wishes.log('screen cannot be loaded', error));
  return window;
}

function background(): string {
  return nativeTheme.shouldUseDarkColors ? BACKGROUND.dark : BACKGROUND.light;
}

function rememberPlace(window: BrowserWindow, onPlace: (place: WindowPlace) => void): void {
  let timer: NodeJS.Timeout | undefined;
  const now = (): void => {
    clearTimeout(timer);
    if (!window.isDestroyed() && window.isVisible() && !window.isMinimized()) {
      onPlace({ ...window.getNormalBounds(), maximized: window.isMaximized() });
    }
  };
  const soon = (): void => {
    clearTimeout(timer);
    timer = setTimeout(now, SETTLE);
  };
  window.on('resize', soon);
  window.on('move', soon);
  window.on('maximize', soon);
  window.on('unmaximize', soon);
  window.on('close', now);
}

/** Loads the screen again after a crash; when that does not help, asks. */
function recover(window: BrowserWindow, { log, onCrash, onDeaf }: WindowWishes): void {
  const crashes: number[] = [];
  const { webContents } = window;
  webContents.on('did-start-navigation', ({ isMainFrame, isSameDocument }) => {
    if (isMainFrame && !isSameDocument) onDeaf();
  });
  webContents.on('render-process-gone', (_event, { reason, exitCode }) => {
    onDeaf();
    if (reason === 'clean-exit') return;
    log('screen crashed', { reason, exitCode });
    onCrash();
    const now = Date.now();
    crashes.push(now);
    if (crashes.filter((time) => now - time < CRASH_WINDOW).length <= CRASHES) {
      webContents.reload();
      return;
    }
    void dialog
      .showMessageBox(window, {
        type: 'error',
        message: 'The screen stopped unexpectedly several times.',
        detail: 'Everything you did is kept. Load the screen again, or quit and start Seamlab later.',
        buttons: ['Load again', 'Quit'],
        cancelId: 1,
      })
      .then(({ response }) => {
        if (response === 0) webContents.reload();
        else window.close();
      });
  });
  webContents.on('did-fail-load', (_event, code, description, _url, isMainFrame) => {
    if (isMainFrame) log('screen failed to load', { code, description });
  });
  webContents.on('preload-error', (_event, _path, error) => log('preload failed', error));
  webContents.on('unresponsive', () => log('screen does not respond'));
  webContents.on('responsive', () => log('screen responds again'));
}
