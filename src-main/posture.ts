import type { WebPreferences } from 'electron';
import flipped from './posture.json' with { type: 'json' };

/** Origin of the screen. Everything it loads comes from here, and only it may call main. */
export const HOME = 'app://seamlab';

/**
 * The whole posture, as data: applied by `security.ts` and `window.ts`, tested one by one. Imports nothing
 * that runs, so that a test can read it.
 */
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
