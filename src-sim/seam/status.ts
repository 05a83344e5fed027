import { hex64 } from '../machine/layout';
import { TDX_OPERAND, TDX_STATUS } from '../names';

/** Completion status words of SEAMCALL and TDCALL. @source TDXM-STAT-1 to TDXM-STAT-13 */

/** High halves that Linux has a name of its own for; it gives two of them other values than the module. @source NUM-24, EXIT-2a */
export const TDX_NON_RECOVERABLE_TD = 0x4000_0002;
export const TDX_NON_RECOVERABLE_TD_WRONG_APIC_MODE = 0x6000_0007;
/** What Linux makes up when a SEAMCALL never reached the module. @source TDXM-STAT-9 */
export const TDX_SW_ERROR = 0x8000_ff00;

const ERROR = 0x8000_0000;
const NON_RECOVERABLE = 0x4000_0000;
const RESOURCE_CLASS = 0x02;

/** A status word, taken to pieces. */
export interface Decoded {
  /** As in TDX_OPERAND_BUSY; null for a status that the module does not have. */
  readonly name: string | null;
  /** Bits 63 to 60. */
  readonly error: boolean;
  readonly nonRecoverable: boolean;
  readonly fatal: boolean;
  readonly hint: boolean;
  /** Bits 47 to 40, and 39 to 32. */
  readonly class: number;
  readonly detail: number;
  /** What the low half is: the full exit reason of a TD exit, or an operand, MSR or field. @source TDXM-STAT-3, TDXM-STAT-10 */
  readonly low: 'exit reason' | 'operand';
  /** Worth another call as it is: an error, and not permanent. @source TDXM-STAT-7 */
  readonly retryable: boolean;
}

/** @param hi - bits 63 to 32; the low half does not change what the status is (TDXM-STAT-2). */
export function decodeStatus(hi: number): Decoded {
  const entry = Object.entries(TDX_STATUS).find(([, value]) => value === hi >>> 0);
  const error = (hi & ERROR) !== 0;
  const nonRecoverable = (hi & NON_RECOVERABLE) !== 0;
  const group = (hi >>> 8) & 0xff;
  return {
    name: entry ? `TDX_${entry[0]}` : null,
    error,
    nonRecoverable,
    fatal: (hi & 0x2000_0000) !== 0,
    hint: (hi & 0x1000_0000) !== 0,
    class: group,
    detail: hi & 0xff,
    low: hi === 0 || (nonRecoverable && group === 0) ? 'exit reason' : 'operand',
    retryable: error && !nonRecoverable,
  };
}

/** A status as people read it: `TDX_OPERAND_BUSY, TDR (0x8000020000000080)`. */
export function statusText(hi: number, lo: number): string {
  const { name, class: group, low } = decodeStatus(hi);
  const names = Object.entries(TDX_OPERAND);
  // Only invalid and busy operands are named by id: others have an MSR, a level or a VMCS field there.
  const byId = low === 'operand' && (group === RESOURCE_CLASS || group === 0x01 || lo === TDX_OPERAND.RCX);
  const operand = lo === 0 && group !== 0x01 ? undefined : names.find(([, id]) => byId && id === lo)?.[0];
  return `${[name ?? 'no status of the module', operand].filter(Boolean).join(', ')} (${hex64(hi, lo)})`;
}
