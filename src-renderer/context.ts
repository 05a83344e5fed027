import { createContext } from 'svelte';
import type { App } from './app.svelte';
import type { LabState } from './lab/lab.svelte';

/** The one App, for every component. */
export const [useApp, provideApp] = createContext<App>();
/** The open lab, for every component of the lab screen. */
export const [useLab, provideLab] = createContext<LabState>();
