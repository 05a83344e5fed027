const { app, BrowserWindow } = require('electron');

/** The least that Electron can be: one window with one word. What the application is measured against. */
app.whenReady().then(() => {
  const window = new BrowserWindow({ width: 1280, height: 800 });
  window.loadFile('index.html');
});
