import { z } from 'zod';

/** Must be imported before any schema: the content security policy forbids the compiled checks that zod tries first. */
z.config({ jitless: true });
