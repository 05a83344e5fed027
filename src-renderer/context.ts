import type { Tooltip } from 'bits-ui';
import { createContext, type Snippet } from 'svelte';
import type { App } from './app.svelte';
import type { LabState } from './lab/lab.svelte';

/** The one App, for every component. */
export const [useApp, provideApp] = createContext<App>();
/** The open lab, for every component of the lab screen. */
export const [useLab, provideLab] = createContext<LabState>();
/** What the card of a word says. */
export interface Explained {
  readonly title: string;
  readonly text: Snippet;
}
/** What joins the words of a screen that are explained with their card. */
export const [useCards, provideCards] = createContext<Tooltip.Tether<Explained>>();
