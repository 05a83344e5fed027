import { z } from 'zod';

/** The one accent of every layer: lane, trace line, inspector group, guide and diagrams use the same. */
export const Layer = z.enum(['guest', 'seam', 'kvm', 'vmm', 'hardware']);
export type Layer = z.infer<typeof Layer>;
