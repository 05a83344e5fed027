import { z } from 'zod';

/** A name inside a lab: of a step, a checkpoint, a misconception. */
export const Slug = z
  .string()
  .max(40)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'lower-case words joined by hyphens');
