import { app, session } from 'electron';
import type { Log } from './log';
import { isHome, posture } from './posture';

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
