import { app, dialog, ipcMain, Menu, nativeTheme, protocol, type BrowserWindow } from 'electron';
import { randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';
import { labOf } from './arguments';
import { CHANNELS } from './channels';
import { Desktop } from './desktop';
import { fileLog } from './log';
import { applicationMenu } from './menu';
import { Progress } from './progress';
import { answer } from './screen';
import { harden, HOME, isScreen, posture } from './security';
import { serve } from './serve';
import { Remembered } from './settings';
import { Supervisor } from './supervisor';
import { openWindow, preloadIn } from './window';

// The folder decides who the single instance is, so it comes before everything else.
const home = resolve(process.env['SEAMLAB_HOME'] ?? join(app.getPath('appData'), 'Seamlab'));
app.setPath('userData', home);
// Chromium's caches: not the learner's data, and not in their way.
app.setPath('sessionData', join(home, 'chromium'));
app.setPath('crashDumps', join(home, 'chromium', 'crashes'));
const lab = labOf(process.argv);

if (app.requestSingleInstanceLock({ lab })) main();
else app.exit(0);

function main(): void {
  const log = fileLog(join(home, 'logs', 'seamlab.log'));
  let desktop: Desktop | null = null;
  let window: BrowserWindow | null = null;

  const fault = (event: string) => (error: unknown) => {
    log(event, error);
    desktop?.tell({ code: 'internal' });
  };
  process.on('uncaughtException', fault('uncaught exception'));
  process.on('unhandledRejection', fault('unhandled rejection'));
  app.on('child-process-gone', (_event, { type, reason }) => log('process gone', { type, reason }));

  // The worker loads while Chromium starts.
  const supervisor = new Supervisor({
    file: new URL('./worker.js', import.meta.url),
    workerData: {
      labs: app.isPackaged ? join(process.resourcesPath, 'labs') : join(app.getAppPath(), 'labs'),
    },
    log,
    onLost: (why) => desktop?.workerLost(why),
    onProgress: (done, total) => desktop?.workerProgress(done, total),
  });
  supervisor.start();

  const remembered = new Remembered(join(home, 'settings.json'), Date.now());
  nativeTheme.themeSource = remembered.settings.theme;
  protocol.registerSchemesAsPrivileged([
    { scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
  ]);

  const ready = app.whenReady().then(() => {
    harden(log);
    protocol.handle('app', (request) =>
      answer(request, join(import.meta.dirname, '..', 'renderer'), posture.headers),
    );
    Menu.setApplicationMenu(
      applicationMenu({
        send: (command) => window?.webContents.send(CHANNELS.event, 'menu', { command }),
        exportEvery: () => void desktop?.exportEvery(),
        logs: join(home, 'logs'),
      }),
    );
    window = openWindow({
      place: remembered.window,
      preload: preloadIn(import.meta.dirname),
      devTools: !app.isPackaged,
      log,
      onPlace: (place) => remembered.change({ window: place }),
      onDeaf: () => desktop?.deaf(),
      onCrash: () => desktop?.screenCrashed(),
    });
    window.on('closed', () => (window = null));

    // The native database library loads while the renderer process starts.
    const pending: Parameters<Desktop['tell']>[0][] = [];
    const progress = new Progress(home, Date.now, log, (news) => {
      if (desktop === null) pending.push(news);
      else desktop.tell(news);
    });
    desktop = new Desktop({
      version: app.getVersion(),
      remembered,
      progress,
      supervisor,
      log,
      now: Date.now,
      uuid: randomUUID,
      emit: (name, payload) => window?.webContents.send(CHANNELS.event, name, payload),
      askFile,
      askFolder,
      applyTheme: (theme) => (nativeTheme.themeSource = theme),
    });
    for (const news of pending) desktop.tell(news);
    if (lab !== null) desktop.want(lab);
    app.on('will-quit', () => progress.close());
    return desktop;
  });
  ready.catch(fault('start failed'));

  ipcMain.handle(CHANNELS.call, async (event, name: unknown, params: unknown) => {
    if (!isScreen(event.senderFrame)) {
      log('call from another page refused');
      return { ok: false, code: 'not_the_screen', message: `Only ${HOME} may call.` };
    }
    return serve((await ready).handlers, name, params, log);
  });

  app.on('second-instance', (_event, _argv, _cwd, data) => {
    if (window?.isMinimized() === true) window.restore();
    window?.show();
    window?.focus();
    const wanted = (data as { lab?: unknown } | null)?.lab;
    if (typeof wanted === 'string') desktop?.want(wanted);
  });
  app.on('window-all-closed', () => app.quit());

  /** Folder that exports go to without asking, for classrooms and kiosks; null: ask. */
  const exportFolder = process.env['SEAMLAB_EXPORT_DIR'] ?? null;

  async function askFile(name: string): Promise<string | null> {
    if (exportFolder !== null) return join(resolve(exportFolder), name);
    const options = {
      title: 'Export transcript',
      defaultPath: join(app.getPath('documents'), name),
      filters: [{ name: 'Seamlab transcript', extensions: ['jsonl'] }],
    };
    const { canceled, filePath } = await (window === null
      ? dialog.showSaveDialog(options)
      : dialog.showSaveDialog(window, options));
    return canceled || filePath === '' ? null : filePath;
  }

  async function askFolder(): Promise<string | null> {
    if (exportFolder !== null) return resolve(exportFolder);
    const options = {
      title: 'Export every attempt',
      properties: ['openDirectory', 'createDirectory'],
    } as const;
    const { canceled, filePaths } = await dialog.showOpenDialog({
      ...options,
      properties: [...options.properties],
    });
    return canceled ? null : (filePaths[0] ?? null);
  }
}
