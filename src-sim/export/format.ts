/** Formats of a trace that other programs read. */
export const TRACE_FORMATS = ['text', 'graph', 'perfetto'] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];
