/** Changes whenever the same inputs give other bytes or another trace. */
export const SIM_VERSION = '1';
