import './zod';
import { mount } from 'svelte';
import App from './App.svelte';
import { App as AppState } from './app.svelte';
import { Client } from './bridge';

const app = new AppState(new Client(window.seamlab));
mount(App, { target: document.getElementById('screen')!, props: { app } });
void app.start();
