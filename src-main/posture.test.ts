import { describe, expect, test } from 'vitest';
import { isHome, isScreen, posture } from './posture';

describe('who may call main', () => {
  test.each(['app://seamlab', 'app://seamlab/', 'app://seamlab/index.html#x'])('%s is the screen', (url) => {
    expect(isHome(url)).toBe(true);
    expect(isScreen({ url, parent: null })).toBe(true);
  });

  test.each([
    'app://seamlab.example/',
    'app://seamlabs/',
    'app://other/',
    'https://seamlab/',
    'file:///app://seamlab/',
    'about:blank',
    'data:text/html,app://seamlab/',
    '',
  ])('%j is not', (url) => {
    expect(isHome(url)).toBe(false);
    expect(isScreen({ url, parent: null })).toBe(false);
  });

  test('a frame in the screen is not the screen, nor is a frame that is gone', () => {
    expect(isScreen({ url: 'app://seamlab/', parent: {} })).toBe(false);
    expect(isScreen(null)).toBe(false);
  });
});

describe('the posture', () => {
  test('has the screen isolated, sandboxed and without Node', () => {
    expect(posture.webPreferences).toMatchObject({
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webSecurity: true,
      webviewTag: false,
    });
  });

  test('allows neither inline nor evaluated scripts, nor anything from elsewhere', () => {
    const policy = posture.headers['Content-Security-Policy'];
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe-|\*|https?:|blob:/);
  });

  test('grants no permission', () => {
    expect(posture.permissions).toEqual([]);
  });

  test('ships without the ways in that development uses', () => {
    expect(posture.fuses).toMatchObject({
      RunAsNode: false,
      EnableNodeOptionsEnvironmentVariable: false,
      EnableNodeCliInspectArguments: false,
      EnableEmbeddedAsarIntegrityValidation: true,
      OnlyLoadAppFromAsar: true,
    });
  });
});
