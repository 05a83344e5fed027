/** Names of the two channels between the screen and main; the contract's names travel inside. */
export const CHANNELS = { call: 'seamlab:call', event: 'seamlab:event' } as const;
