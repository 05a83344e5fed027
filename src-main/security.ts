import { app, session, type WebPreferences } from 'electron';
import type { Log } from './log';
import flipped from './posture.json';

/** Origin of the screen. Everything it loads comes from here, and only it may call main. */
export const HOME = 'app://seamlab';

/** The whole posture, as data: applied below, tested one by one, printed in the docs. */
export const posture = {
  webPreferences: {
    contextIsolation: true,
    sandbox: true,
    nodeIntegration: false,
    nodeIntegrationInWorker: false,
    nodeIntegrationInSubFrames: false,
    webSecurity: true,
    allowRunningInsecureContent: false,
    experimentalFeatures: false,
    webviewTag: false,
    navigateOnDragDrop: false,
    safeDialogs: true,
    spellcheck: false,
  } satisfies WebPreferences,
  /** Sent with every answer of the app:// protocol. */
  headers: {
    'Content-Security-Policy': [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "font-src 'self'",
      "img-src 'self' data:",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
  },
  /** Web permissions that the screen has. */
  permissions: [] as readonly string[],
  /** Addresses that are never loaded, whatever asks: Seamlab works offline. */
  blocked: ['http://*/*', 'https://*/*', 'ws://*/*', 'wss://*/*', 'ftp://*/*', 'file:///*'],
  /** Switches in the packaged executable; flipped when it is packaged. */
  fuses: flipped.fuses,
} as const;

/**
 * Denies by default: permissions, devices, downloads, new windows, webviews, navigation, the network. Called once,
 * before the first window exists.
 */
export function harden(log: Log): void {
  const { defaultSession } = session;
  const allowed = (permission: string): boolean => posture.permissions.includes(permission);
  defaultSession.setPermissionRequestHandler((_contents, permission, decide) => {
    if (!allowed(permission)) log('permission refused', { permission });
    decide(allowed(permission));
  });
  defaultSession.setPermissionCheckHandler((_contents, permission) => allowed(permission));
  defaultSession.setDevicePermissionHandler(() => false);
  defaultSession.on('will-download', (event) => {
    log('download refused');
    event.preventDefault();
  });
  defaultSession.webRequest.onBeforeRequest({ urls: [...posture.blocked] }, (_details, decide) => {
    log('request refused');
    decide({ cancel: true });
  });
  app.on('web-contents-created', (_created, contents) => {
    contents.setWindowOpenHandler(() => {
      log('window refused');
      return { action: 'deny' };
    });
    contents.on('will-attach-webview', (event) => event.preventDefault());
    // Frames and the window itself, by link, script or form.
    contents.on('will-frame-navigate', (event) => {
      if (isHome(event.url)) return;
      log('navigation refused');
      event.preventDefault();
    });
    contents.on('will-redirect', (event) => {
      if (!isHome(event.url)) event.preventDefault();
    });
  });
}

/** Whether `url` belongs to the screen. The end of the host matters: `app://seamlab.example/` does not. */
export function isHome(url: string): boolean {
  return url === HOME || url.startsWith(`${HOME}/`);
}

/** What is looked at of the frame that sent a message. */
export interface Sender {
  readonly url: string;
  readonly parent: unknown;
}

/** Whether a message comes from the screen: its main frame, and no other page in it. */
export function isScreen(frame: Sender | null): boolean {
  return frame !== null && frame.parent === null && isHome(frame.url);
}
