/**
 * The first picture is in index.html and needs no script. This lets it be painted, then loads the screen: to read and
 * run its code takes longer than all that comes before.
 */
requestAnimationFrame(() => setTimeout(() => void import('./main')));
