import type { EventView, ThreadView } from '../../src-lab/view';
import type { Layer, Seen } from './stage';

/**
 * Interrupts and other events of a processor as things that lie somewhere: read from the state alone. The events since
 * the newest action add how they came there, and what is left of those that have ended.
 */

/** Where one can lie, from the top of the picture to its bottom; `label` heads the row, `say` completes "it is ...". */
export const PLACES = {
  isr: { lane: 'guest', label: 'ISR', say: 'in service' },
  irr: { lane: 'guest', label: 'IRR', say: 'in the virtual IRR' },
  pend: { lane: 'seam', label: 'PEND_NMI', say: 'pending in the TDX module' },
  kvm: { lane: 'kvm', label: 'events', say: 'held by KVM' },
  pir: { lane: 'hardware', label: 'ON, PIR', say: 'in the PIR' },
  cpu: { lane: 'hardware', label: 'CPU', say: 'pending at the CPU' },
} as const satisfies Readonly<Record<string, { lane: Layer; label: string; say: string }>>;
export type Place = keyof typeof PLACES;
export const PLACE_IDS = Object.keys(PLACES) as Place[];

/**
 * `waits`: until somebody takes it; `next`: it is the first that will be taken; `served`: its handler runs;
 * `ended`: that is over; `lost`: nobody will ever take it; `merged`: it and another have become one; `clear`: a flag
 * that is not set.
 */
export type Fate = 'waits' | 'next' | 'served' | 'ended' | 'lost' | 'merged' | 'clear';

export interface Token {
  /** The same wherever it lies: `td.vcpu0 0x31`. */
  readonly key: string;
  readonly label: string;
  readonly kind: 'vector' | 'event' | 'flag';
  readonly place: Place;
  readonly fate: Fate;
  /** Whole sentence for those who listen. */
  readonly say: string;
  /** State path that holds it; null: it is what the trace tells of one that is gone. */
  readonly path: string | null;
  /** Places where it was since the newest action, and the event that took it there; the present one last. */
  readonly route: readonly Hop[];
  /** Thread that sent it since the newest action; null: it was there before, or came from a device. */
  readonly from: string | null;
}

export interface Hop {
  readonly place: Place;
  /** Index of the event in the trace. */
  readonly n: number;
}

/** A vector as the SDM writes it. */
export const hex = (vector: number): string => `0x${vector.toString(16).padStart(2, '0')}`;
const NAMED: Readonly<Record<number, string>> = {
  0xf2: 'posted-interrupt notification',
  0xf1: 'posted-interrupt wake-up',
  0xfd: 'reschedule interrupt, a kick',
  0xec: 'local timer interrupt',
};
const BY_NAME: Readonly<Record<string, number>> = { POSTED_INTR: 0xf2, RESCHEDULE: 0xfd, LOCAL_TIMER: 0xec };

/** One that travelled since the newest action. */
interface Journey {
  readonly hops: Hop[];
  readonly from: string | null;
  label: string;
  /** Set once it is over. */
  end: { readonly fate: Fate; readonly say: string } | null;
  /** It met another like itself on the way. */
  merged: boolean;
}

/** Journeys since the newest action, by key. */
export type Journeys = ReadonlyMap<string, Journey>;

/** What the trace tells since the newest action about how interrupts travelled. */
export function journeysOf(seen: Seen): Journeys {
  const journeys = new Map<string, Journey>();
  let target = '';
  const at = (key: string, label: string, event: EventView): Journey => {
    const known = journeys.get(key);
    // One that has ended does not come again: this is another.
    if (known !== undefined && known.end === null) return known;
    const from = event.type === 'action' || event.name === 'device_posts' ? null : event.thread;
    const journey: Journey = { hops: [], from, label, end: null, merged: false };
    journeys.set(key, journey);
    return journey;
  };
  const go = (journey: Journey, place: Place, { n }: EventView): Journey => {
    if (journey.hops.at(-1)?.place !== place) journey.hops.push({ place, n });
    return journey;
  };
  for (let n = seen.lastAction; n < seen.count; n++) {
    const event = seen.event(n);
    if (event === undefined) continue;
    const { type, name, text, thread } = event;
    if (type === 'action') target = /\bvm=(\S+)/.exec(text)?.[1] ?? '';
    if (type !== 'mark' && type !== 'tracepoint') continue;
    const vm = /^(.+)\.vcpu\d+$/.exec(thread)?.[1] ?? target;
    const vcpu = `${vm}.vcpu${/\b(?:vcpu|apicid) (\d+)/.exec(text)?.[1] ?? ''}`;
    const cpu = /\bcpu (\d+)/.exec(text)?.[1] ?? '';
    const vector = Number(/\bvec (\d+)/.exec(text)?.[1] ?? -1);
    const irq = () => at(`${vcpu} ${hex(vector)}`, hex(vector), event);
    const nmi = () => at(`${vcpu} NMI`, 'NMI', event);
    const sent = () => {
      const number = BY_NAME[/\bvector (\S+)/.exec(text)?.[1] ?? ''] ?? 0;
      return at(`cpu${cpu} ${hex(number)}`, hex(number), event);
    };
    switch (name) {
      case 'kvm_apic_accept_irq':
        if (/\((?:Fixed|LowPrio)/.test(text)) go(irq(), 'kvm', event);
        else if (/\(NMI/.test(text)) go(nmi(), 'kvm', event);
        break;
      case 'kvm_apicv_accept_irq':
      case 'device_posts':
        go(irq(), 'pir', event);
        break;
      case 'irq_coalesced':
        go(irq(), 'pir', event).merged = true;
        break;
      case 'irq_dropped':
        go(irq(), 'kvm', event).end = { fate: 'lost', say: 'dropped by KVM: the shadow APIC is off' };
        break;
      case 'ipi_sent':
        go(sent(), 'cpu', event);
        break;
      case 'irq_handled_by_host':
        go(sent(), 'cpu', event).end = { fate: 'ended', say: 'taken by the host' };
        break;
      case 'pir_harvested': {
        for (const [key, journey] of journeys) {
          if (key.startsWith(`${vcpu} `) && journey.hops.at(-1)?.place === 'pir') go(journey, 'irr', event);
        }
        const own = seen.threads.find((one) => one.name === thread)?.cpu ?? -1;
        const notice = at(`cpu${own} ${hex(0xf2)}`, hex(0xf2), event);
        go(notice, 'cpu', event).end = { fate: 'ended', say: 'taken by the processor inside the guest' };
        break;
      }
      case 'guest_takes_irq':
        go(go(irq(), 'irr', event), 'isr', event);
        break;
      case 'guest_eoi':
        go(irq(), 'isr', event).end = { fate: 'ended', say: 'delivered and ended by EOI' };
        break;
      case 'irq_injection_lost':
        go(at(`${vcpu} ExtINT`, 'ExtINT', event), 'kvm', event).end = {
          fate: 'lost',
          say: 'lost: a TD has no event injection',
        };
        break;
      case 'nmi_collapsed': {
        const [, raised = '0', kept = '0'] = /raised (\d+) kept (\d+)/.exec(text) ?? [];
        const gone = Number(raised) - Number(kept);
        const label = gone > 1 ? `${gone} NMI` : 'NMI';
        go(at(`${vcpu} collapsed NMI`, label, event), 'kvm', event).end = {
          fate: 'lost',
          say: `collapsed in KVM: ${raised} raised, ${kept} kept`,
        };
        break;
      }
      case 'nmi_merged':
        go(at(`${vcpu} merged NMI`, 'NMI', event), 'pend', event).end = {
          fate: 'lost',
          say: 'collapsed into the NMI that is pending in the TDX module',
        };
        break;
      case 'pend_nmi_set':
        go(nmi(), 'pend', event);
        break;
      case 'pend_nmi_kept':
        go(nmi(), 'pend', event).merged = true;
        break;
      case 'nmi_injected_by_module':
        go(nmi(), 'pend', event);
        break;
      case 'guest_takes_nmi':
        go(nmi(), 'isr', event);
        break;
      case 'guest_iret':
        go(nmi(), 'isr', event).end = { fate: 'ended', say: 'delivered; its handler has returned' };
        break;
      case 'host_nmi_handled':
        go(at(`cpu${cpu} NMI`, 'NMI', event), 'cpu', event).end = {
          fate: 'ended',
          say: 'handled by the host',
        };
        break;
      case 'smi_handled':
        go(at(`cpu${cpu} SMI`, 'SMI', event), 'cpu', event).end = { fate: 'ended', say: 'taken by the host' };
        break;
    }
  }
  return journeys;
}

/** Everything that lies somewhere in the column of a thread, in the order in which it is drawn. */
export function tokensOf(seen: Seen, thread: ThreadView, isVcpu: boolean, journeys: Journeys): Token[] {
  const tokens: Token[] = [];
  const { name } = thread;
  const cpu = `cpu${thread.cpu}`;
  const value = (path: string): string => seen.value(path) ?? '';
  const numbers = (path: string): number[] =>
    value(path)
      .split(' ')
      .filter((word) => /^\d+$/.test(word))
      .map(Number);

  function lies(
    place: Place,
    path: string,
    key: string,
    label: string,
    rest: { readonly fate?: Fate; readonly kind?: Token['kind']; readonly say?: string } = {},
  ): void {
    const journey = journeys.get(key);
    const isUnderWay = journey !== undefined && journey.end === null;
    const hops = isUnderWay ? journey.hops : [];
    const merged = isUnderWay && journey.merged;
    const fate = merged ? 'merged' : (rest.fate ?? 'waits');
    const say = rest.say ?? `${label} is ${PLACES[place].say}`;
    tokens.push({
      key,
      label,
      place,
      path,
      fate,
      kind: rest.kind ?? 'event',
      say: `${say}${fate === 'next' ? ', the next to be taken' : ''}${merged ? '; another like it has become one with it' : ''}`,
      route:
        hops.at(-1)?.place === place || hops.length === 0 ? hops : [...hops, { place, n: seen.count - 1 }],
      from: isUnderWay ? journey.from : null,
    });
  }
  const vectors = (place: Place, path: string, fate?: (i: number) => Fate): void =>
    numbers(path)
      .toReversed() // the highest goes first
      .forEach((vector, i) =>
        lies(place, path, `${name} ${hex(vector)}`, hex(vector), {
          kind: 'vector',
          ...(fate === undefined ? {} : { fate: fate(i) }),
        }),
      );
  const flag = (place: Place, path: string, label: string, say: string): void => {
    if (value(path) === '1') lies(place, path, `${name} ${path}`, label, { kind: 'flag', say });
  };
  const counted = (count: number, label: string): string => (count > 1 ? `${count} ${label}` : label);

  if (isVcpu) {
    vectors('isr', `${name}.guest.visr`, () => 'served');
    if (value(`${name}.guest.in_nmi`) === '1')
      lies('isr', `${name}.guest.in_nmi`, `${name} NMI`, 'NMI', {
        fate: 'served',
        say: 'the NMI handler runs; NMIs are blocked',
      });
    vectors('irr', `${name}.guest.virr`, (i) => (i === 0 ? 'next' : 'waits'));
    const pend = Number(value(`${name}.tdvps.pend_nmi`));
    if (pend > 0) lies('pend', `${name}.tdvps.pend_nmi`, `${name} NMI`, 'NMI', { say: 'PEND_NMI is set' });

    const held = (path: string, key: string, label: string, say: string): void => {
      const count = Number(value(path));
      if (count > 0) lies('kvm', path, key, counted(count, label), { say });
    };
    held(`${name}.nmi_queued`, `${name} queued NMI`, 'NMI', 'NMI queued in KVM');
    held(`${name}.nmi_pending`, `${name} pending NMI`, 'NMI', 'NMI pending in KVM');
    if (pend === 0)
      held(`${name}.nmi_injected`, `${name} injected NMI`, 'NMI', 'an NMI is being injected by KVM');
    held(`${name}.smi_pending`, `${name} SMI`, 'SMI', 'an SMI is pending in KVM');
    held(`${name}.apic.timer_pending`, `${name} timer`, 'timer', 'an expiry of the timer is pending in KVM');
    const external = Number(value(`${name}.pending_external_vector`) || -1);
    if (external >= 0)
      lies('kvm', `${name}.pending_external_vector`, `${name} ExtINT`, hex(external), {
        kind: 'vector',
        say: `${hex(external)} of KVM_INTERRUPT waits in KVM`,
      });
    held(`${name}.interrupt_injected`, `${name} injected`, 'IRQ', 'an interrupt is being injected by KVM');
    flag('kvm', `${name}.smm`, 'SMM', 'the vCPU is in SMM');

    const on = `${name}.pid.on`;
    const isOn = value(on) === '1';
    lies('pir', on, `${name} ON`, 'ON', {
      kind: 'flag',
      fate: isOn ? 'waits' : 'clear',
      say: isOn ? 'ON is set: a notification is outstanding' : 'ON is clear',
    });
    flag('pir', `${name}.pid.sn`, 'SN', 'SN is set: devices do not notify');
    vectors('pir', `${name}.pid.pir`);
  }

  for (const vector of numbers(`${cpu}.irr`).toReversed()) {
    lies('cpu', `${cpu}.irr`, `${cpu} ${hex(vector)}`, hex(vector), {
      kind: 'vector',
      say: `${hex(vector)} is pending in the local APIC of CPU ${thread.cpu}${vector in NAMED ? `: ${NAMED[vector]!}` : ''}`,
    });
  }
  const physical = (field: string, label: string): void => {
    if (Number(value(`${cpu}.${field}`)) > 0)
      lies('cpu', `${cpu}.${field}`, `${cpu} ${label === 'MSMI' ? 'SMI' : label}`, label, {
        say: `a physical ${label} is pending at CPU ${thread.cpu}`,
      });
  };
  physical('init_pending', 'INIT');
  physical('nmi_pending', 'NMI');
  physical('smi_pending', value(`${cpu}.msmi`) === '1' ? 'MSMI' : 'SMI');
  physical('mce_pending', '#MC');
  const depth = Number(value(`${cpu}.nmi_depth`));
  if (depth > 0)
    lies('cpu', `${cpu}.nmi_depth`, `${cpu} NMI handler`, counted(depth, 'in NMI'), {
      fate: 'served',
      say: `${depth} host NMI ${depth > 1 ? 'handlers are' : 'handler is'} under way on CPU ${thread.cpu}`,
    });
  flag('cpu', `${cpu}.nmi_blocked`, 'NMI blocked', `NMIs are blocked on CPU ${thread.cpu}`);

  const lying = new Set(tokens.map(({ key }) => key));
  for (const [key, { label, hops, from, end }] of journeys) {
    if (end === null || lying.has(key)) continue;
    if (!key.startsWith(`${name} `) && !key.startsWith(`${cpu} `)) continue;
    const { place } = hops.at(-1)!;
    tokens.push({
      key,
      label,
      kind: label.startsWith('0x') ? 'vector' : 'event',
      place,
      fate: end.fate,
      say: `${label} ${end.say}`,
      path: null,
      route: hops,
      from,
    });
  }
  return apart(tokens, journeys);
}

/**
 * What is the same can lie in two places at once: an NMI is handled and another pends, a vector is served and posted
 * again. One of them is on its way, where the trace saw it last; each has a key of its own.
 */
function apart(tokens: readonly Token[], journeys: Journeys): Token[] {
  return tokens.map((token) => {
    const same = tokens.filter(({ key }) => key === token.key);
    const place = journeys.get(token.key)?.hops.at(-1)?.place;
    const travels = same.find((one) => one.place === place) ?? same.at(-1);
    return token === travels
      ? token
      : { ...token, key: `${token.key} in ${token.place}`, route: [], from: null };
  });
}
