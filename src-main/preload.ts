import { contextBridge, ipcRenderer, type IpcRendererEvent } from 'electron';
import { CHANNELS } from './channels';
import type { Bridge } from './contract';

/**
 * All that the screen sees of the desktop. Names and shapes are checked in main, which this script cannot replace; here
 * is only the passage. Of an Electron event the screen receives nothing but the payload.
 */
const bridge: Bridge = {
  call: (name, params) => ipcRenderer.invoke(CHANNELS.call, name, params),
  on: (name, listener) => {
    const receive = (_event: IpcRendererEvent, sent: unknown, payload: unknown): void => {
      if (sent === name) listener(payload);
    };
    ipcRenderer.on(CHANNELS.event, receive);
    return () => {
      ipcRenderer.off(CHANNELS.event, receive);
    };
  },
};

contextBridge.exposeInMainWorld('seamlab', bridge);
