import { app, dialog, ipcMain, Menu, nativeTheme, protocol, type BrowserWindow } from 'electron';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { labOf, previewOf } from './arguments';
import { CHANNELS } from './channels';
import { chromiumFolder } from './chromium';
import { glance } from './glance';
import { fileLog } from './log';
import { applicationMenu } from './menu';
import { HOME, isScreen, posture } from './posture';
import { answer } from './screen';
import { harden } from './security';
import type { Desktop } from './start';
import { Supervisor } from './supervisor';
import { openWindow } from './window';
import type { Folders } from './workshop';

const named = previewOf(process.argv);
/** Folder of the lab that its author previews; null: the course is shown. */
const preview = named === null ? null : resolve(named);
const own = resolve(process.env['SEAMLAB_HOME'] ?? join(app.getPath('appData'), 'Seamlab'));
// A preview runs beside the course, and leaves its progress alone.
const home = preview === null ? own : join(own, 'preview');
// The folder holds the lock of the single instance, so it comes before everything else.
const chromium = chromiumFolder(home);
app.setPath('userData', chromium);
app.setPath('crashDumps', join(chromium, 'crashes'));
const lab = preview === null ? labOf(process.argv) : basename(preview);

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

  const course = join(app.isPackaged ? process.resourcesPath : app.getAppPath(), 'labs');
  const folder = preview === null ? course : dirname(preview);
  const supervisor = new Supervisor({
    file: new URL('./worker.js', import.meta.url),
    workerData: {
      labs: folder,
      facts: [course, folder],
      scenarios: app.isPackaged
        ? join(process.resourcesPath, 'scenarios')
        : join(app.getAppPath(), 'src-sim', 'scenario', 'examples'),
    } satisfies Folders,
    log,
    onLost: (why) => desktop?.workerLost(why),
    onProgress: (done, total) => desktop?.workerProgress(done, total),
  });

  const seen = glance(join(home, 'settings.json'));
  nativeTheme.themeSource = seen.theme;
  protocol.registerSchemesAsPrivileged([
    { scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
  ]);

  const emit = (name: string, payload: unknown): void =>
    window?.webContents.send(CHANNELS.event, name, payload);

  /**
   * Loads the part of the desktop that has the schemas and the database. It begins with the window's first picture,
   * while the screen loads its own code, or with the screen's first call: any earlier, and it takes the processor from
   * what the learner waits for. The simulator's worker is started with it when a lab is going to be opened; Home is
   * there without.
   */
  const begin = once(async () => {
    if (seen.inLab || lab !== null) supervisor.start();
    const { serve, startDesktop, watchLab } = await import('./start');
    const started = startDesktop({
      home,
      labs: folder,
      compiled: new URL('../course/labs.bin', import.meta.url),
      lab,
      version: app.getVersion(),
      supervisor,
      log,
      emit,
      askFile,
      askFolder,
      applyTheme: (theme) => (nativeTheme.themeSource = theme),
    });
    let closed = false;
    app.on('will-quit', (event) => {
      if (closed) return;
      event.preventDefault();
      // Not within this event: Electron still counts as quitting then, and would not hear of it.
      void started.close().finally(() =>
        setImmediate(() => {
          closed = true;
          app.quit();
        }),
      );
    });
    if (preview !== null)
      app.on('will-quit', watchLab(preview, () => void started.previewChanged(basename(preview)))); // prettier-ignore
    desktop = started;
    const call = (name: unknown, params: unknown) => serve(started.handlers, name, params, log);
    return { desktop: started, call };
  });

  app
    .whenReady()
    .then(() => {
      harden(log);
      const renderer = join(import.meta.dirname, '..', 'renderer');
      protocol.handle('app', (request) => answer(request, renderer, posture.headers));
      Menu.setApplicationMenu(
        applicationMenu({
          send: (command) => emit('menu', { command }),
          exportEvery: () => void begin().then((begun) => begun.desktop.exportEvery()),
          logs: join(home, 'logs'),
        }),
      );
      window = openWindow({
        place: seen.window,
        preload: join(import.meta.dirname, '..', 'preload', 'index.cjs'),
        devTools: !app.isPackaged,
        log,
        onPlace: (place) => void begin().then((begun) => begun.desktop.remember({ window: place })),
        onDeaf: () => desktop?.deaf(),
        onCrash: () => desktop?.screenCrashed(),
      });
      window.once('ready-to-show', () => void begin());
      window.on('closed', () => (window = null));
    })
    .catch(fault('start failed'));

  ipcMain.handle(CHANNELS.call, async (event, name: unknown, params: unknown) => {
    if (!isScreen(event.senderFrame)) {
      log('call from another page refused');
      return { ok: false, code: 'not_the_screen', message: `Only ${HOME} may call.` };
    }
    return (await begin()).call(name, params);
  });

  app.on('second-instance', (_event, _argv, _cwd, data) => {
    if (window?.isMinimized() === true) window.restore();
    window?.show();
    window?.focus();
    const wanted = (data as { lab?: unknown } | null)?.lab;
    if (typeof wanted === 'string') void begin().then((begun) => begun.desktop.want(wanted));
  });
  app.on('window-all-closed', () => app.quit());

  /** Folder that exports go to without asking, for classrooms and kiosks; undefined: ask. */
  const exportFolder = process.env['SEAMLAB_EXPORT_DIR'];

  /** What is in a file, by its extension. */
  const FILES: Readonly<Record<string, string>> = {
    jsonl: 'transcript',
    svg: 'picture',
    yaml: 'scenario',
    txt: 'trace',
    json: 'trace',
  };

  async function askFile(name: string): Promise<string | null> {
    if (exportFolder !== undefined) return join(resolve(exportFolder), name);
    const extension = extname(name).slice(1);
    const what = FILES[extension] ?? 'file';
    const options = {
      title: `Save the ${what}`,
      defaultPath: join(app.getPath('documents'), name),
      filters: [{ name: `Seamlab ${what}`, extensions: [extension] }],
    };
    const { canceled, filePath } = await (window === null
      ? dialog.showSaveDialog(options)
      : dialog.showSaveDialog(window, options));
    return canceled || filePath === '' ? null : filePath;
  }

  async function askFolder(): Promise<string | null> {
    if (exportFolder !== undefined) return resolve(exportFolder);
    const { canceled, filePaths } = await dialog.showOpenDialog({
      title: 'Export every attempt',
      properties: ['openDirectory', 'createDirectory'],
    });
    return canceled ? null : (filePaths[0] ?? null);
  }
}

/** `work`, done at the first call; every call gets its result. */
function once<T>(work: () => T): () => T {
  let done: { readonly result: T } | null = null;
  return () => (done ??= { result: work() }).result;
}
