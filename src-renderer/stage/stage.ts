import type { EventView, LockView, ThreadView } from '../../src-lab/view';
import { journeysOf, PLACE_IDS, PLACES, tokensOf, type Journeys, type Place, type Token } from './tokens';

/** Lanes from the top of the picture to its bottom. */
export const LANES = ['guest', 'seam', 'kvm', 'vmm', 'hardware'] as const;
export type Layer = (typeof LANES)[number];

/** What a lane is called, shortly and in one sentence; the same words everywhere. */
export const LAYER_NAMES: Readonly<
  Record<Layer, { readonly name: string; readonly short: string; readonly say: string }>
> = {
  guest: { name: 'Guest', short: 'guest', say: 'The virtual processor, executing the guest’s own code.' },
  seam: {
    name: 'TDX module',
    short: 'seam',
    say: 'Intel’s module in SEAM mode: it alone touches the state of a TD.',
  },
  kvm: { name: 'KVM', short: 'kvm', say: 'The host kernel: ioctls, exits, the shadow APIC.' },
  vmm: { name: 'VMM', short: 'vmm', say: 'Userspace: creates VMs and calls KVM_RUN.' },
  hardware: {
    name: 'Hardware',
    short: 'hw',
    say: 'Physical CPUs, their local APICs, posted-interrupt descriptors.',
  },
};

/** What the stage needs of the machine; `MachineState` is one. */
export interface Seen {
  readonly threads: readonly ThreadView[];
  readonly locks: readonly LockView[];
  readonly count: number;
  /** Where the newest action begins in the trace. */
  readonly lastAction: number;
  event(n: number): EventView | undefined;
  value(path: string): string | undefined;
  hasChanged(path: string): boolean;
}

/** A piece of key state, shown in the lane of the layer that owns it. */
export interface Fact {
  readonly label: string;
  readonly value: string;
  /** State path. */
  readonly path: string;
  readonly changed: boolean;
}

/**
 * An INIT or SIPI at a vCPU.
 * `stopped`: latched in KVM and held for ever; `dropped`: thrown away by KVM; `waits`: latched and will act; `acted`: it has.
 */
export interface Signal {
  readonly name: 'INIT' | 'SIPI';
  readonly fate: 'stopped' | 'dropped' | 'waits' | 'acted';
  /** What it did or why it did not, in a few words. */
  readonly say: string;
  /** Function of KVM that stopped or dropped it; null: nothing did. */
  readonly by: string | null;
}

/** A lock that a thread holds or waits for. */
export interface Lock {
  /** `mutex` of the thread's own vCPU, `td.vcpu0 mutex`, `td apicv_update_lock`. */
  readonly label: string;
  /** Null: the thread holds it; else who does. */
  readonly heldBy: string | null;
  readonly say: string;
}

export interface Frame {
  readonly routine: string;
  readonly step: string;
  readonly doc: string;
  readonly source: string;
}

export interface Column {
  readonly thread: ThreadView;
  readonly vm: string | null;
  readonly vcpu: number | null;
  /** False: KVM_CREATE_VCPU has not made it. */
  readonly exists: boolean;
  readonly kind: 'vmm' | 'td' | 'vmx';
  /** Routines under way, by layer; innermost first. */
  readonly frames: Readonly<Record<Layer, readonly Frame[]>>;
  /** Layers through which the thread went since the newest action; the last one is where it is. */
  readonly trail: readonly Layer[];
  readonly facts: Readonly<Record<Layer, readonly Fact[]>>;
  readonly signals: readonly Signal[];
  /** Interrupts and other events, wherever they lie in this column. */
  readonly tokens: readonly Token[];
  readonly locks: readonly Lock[];
  /** Whether the guest has ever executed code here; true for a thread without a guest. */
  readonly started: boolean;
}

/** Columns that belong to one VM, or to userspace alone. */
export interface Group {
  readonly name: string;
  readonly label: string;
  readonly kind: Column['kind'] | 'none';
  readonly columns: readonly Column[];
  /** How far the life of a TD has come, as KVM and the TDX module have it; null: not a TD. */
  readonly life: Life | null;
  /** The VM is beyond repair; null: it is not. */
  readonly dead: Dead | null;
}

/** Stages of a TD's life in order, as `kvm_tdx.state` and `TDCS.OP_STATE` call them. */
export const LIFE = ['UNINITIALIZED', 'INITIALIZED', 'RUNNABLE'] as const;
export interface Life {
  /** Index into `LIFE`. */
  readonly reached: number;
  /** `RUNNABLE`; where KVM and the module differ, both. */
  readonly label: string;
}

export interface Dead {
  readonly label: 'fatal' | 'bugged' | 'dead';
  readonly say: string;
}

/** World switches of a trail that are drawn; older ones are left out. */
const TRAIL = 5;
const LAYER_SET: readonly string[] = LANES;

/** The machine as five lanes: columns of threads, grouped by VM, always equal to the state. */
export function stageOf(seen: Seen): Group[] {
  const groups = new Map<string, Column[]>();
  const news = newsOf(seen);
  const journeys = journeysOf(seen);
  for (const thread of seen.threads) {
    const column = columnOf(seen, thread, news, journeys);
    const name = column.vm ?? 'userspace';
    groups.set(name, [...(groups.get(name) ?? []), column]);
  }
  return [...groups].map(([name, columns]) => {
    const kind = columns[0]!.vm === null ? 'vmm' : kindOf(seen, name);
    return {
      name,
      label: GROUP_LABELS[kind],
      kind,
      columns,
      life: kind === 'td' ? lifeOf(seen, name) : null,
      dead: deadOf(seen, name),
    };
  });
}

function lifeOf(seen: Seen, vm: string): Life {
  const ofKvm = seen.value(`${vm}.td_state`) ?? LIFE[0];
  const ofModule = seen.value(`${vm}.module.op_state`) ?? LIFE[0];
  return {
    reached: Math.max(0, LIFE.indexOf(ofKvm as (typeof LIFE)[number])),
    label: ofKvm === ofModule ? ofKvm : `KVM ${ofKvm}, module ${ofModule}`,
  };
}

function deadOf(seen: Seen, vm: string): Dead | null {
  const is = (field: string): boolean => seen.value(`${vm}.${field}`) === '1';
  if (is('module.fatal')) return { label: 'fatal', say: 'TDR.FATAL: no vCPU enters this TD any more' };
  if (is('vm_bugged')) return { label: 'bugged', say: 'KVM_BUG_ON: every ioctl of this VM is refused' };
  if (is('vm_dead')) return { label: 'dead', say: 'vm_dead: every ioctl of this VM is refused' };
  return null;
}

/** Rows of a lane for things that lie there, from the top: those that any column can have. */
export function placesOf(groups: readonly Group[], layer: Layer): Place[] {
  const hasTd = groups.some(({ kind }) => kind === 'td');
  return PLACE_IDS.filter((place) => PLACES[place].lane === layer && (place !== 'pend' || hasTd));
}

/** Labels of the facts that any column has in a lane, in the order in which they first appear: one row of the picture each. */
export function factLabels(groups: readonly Group[], layer: Layer): string[] {
  const all = groups.flatMap(({ columns }) =>
    columns.flatMap(({ facts }) => facts[layer].map(({ label }) => label)),
  );
  return [...new Set(all)];
}

const GROUP_LABELS = { vmm: 'userspace', td: 'TD', vmx: 'VMX guest', none: 'not created' } as const;

function kindOf(seen: Seen, vm: string): 'td' | 'vmx' | 'none' {
  const type = seen.value(`${vm}.type`);
  if (type === 'KVM_X86_TDX_VM') return 'td';
  return type === undefined || type === 'NONE' ? 'none' : 'vmx';
}

function columnOf(seen: Seen, thread: ThreadView, news: readonly News[], journeys: Journeys): Column {
  const [, vm = null, id] = /^(.+)\.vcpu(\d+)$/.exec(thread.name) ?? [];
  const vcpu = id === undefined ? null : Number(id);
  const kind = vm === null ? 'vmm' : kindOf(seen, vm) === 'td' ? 'td' : 'vmx';
  const frames = perLayer((layer) => thread.stack.filter((frame) => frame.layer === layer).reverse());
  const exists = vcpu === null || seen.value(`${thread.name}.created`) === '1';
  return {
    thread,
    vm,
    vcpu,
    kind,
    exists,
    tokens: exists ? tokensOf(seen, thread, vcpu !== null, journeys) : [],
    locks: locksOf(seen, thread),
    frames,
    trail: trailOf(seen, thread),
    started: vcpu === null || seen.value(`${thread.name}.guest.started`) === '1',
    facts: factsOf(seen, thread, kind),
    signals:
      vm === null
        ? []
        : signalsOf(
            seen,
            thread.name,
            kind === 'td',
            news.filter((one) => one.vm === vm && one.vcpu === vcpu),
          ),
  };
}

function locksOf({ locks }: Seen, { name }: ThreadView): Lock[] {
  return locks.flatMap((lock): Lock[] => {
    const short = lock.name.replace(/^vcpu->/, '');
    const label = lock.of === name ? short : `${lock.of} ${short}`;
    const whole = `${lock.name} of ${lock.of}`;
    const { holder } = lock;
    if (holder === name) return [{ label, heldBy: null, say: `holds ${whole}` }];
    if (!lock.waiting.includes(name)) return [];
    return [{ label, heldBy: holder, say: `waits for ${whole}, which ${holder} holds` }];
  });
}

function perLayer<T>(make: (layer: Layer) => T): Record<Layer, T> {
  return Object.fromEntries(LANES.map((layer) => [layer, make(layer)])) as Record<Layer, T>;
}

/**
 * Layers that a thread went through, without repetitions; at least the one where it is.
 *
 * @param from - first event that counts; default: the newest action.
 */
export function trailOf(
  seen: Seen,
  { name, layer }: Pick<ThreadView, 'name' | 'layer'>,
  from = seen.lastAction,
): Layer[] {
  const trail: Layer[] = [];
  const go = (to: Layer): void => {
    if (trail.at(-1) !== to) trail.push(to);
  };
  for (let n = from; n < seen.count; n++) {
    const event = seen.event(n);
    if (event === undefined) continue;
    if (event.thread !== name || event.type === 'action') continue;
    if (event.type === 'call' && event.depth === 0) go('vmm');
    go(event.layer);
  }
  go(layer);
  return trail.slice(-TRAIL - 1);
}

function factsOf(seen: Seen, thread: ThreadView, kind: Column['kind']): Record<Layer, Fact[]> {
  const facts = perLayer<Fact[]>(() => []);
  const add = (
    layer: Layer,
    path: string,
    label: string,
    show: (value: string) => string | null = (value) => value,
  ): void => {
    const raw = seen.value(path);
    const value = raw === undefined ? null : show(raw);
    if (value !== null) facts[layer].push({ label, value, path, changed: seen.hasChanged(path) });
  };
  const unless = (nothing: string) => (value: string) => (value === nothing ? null : value);
  const when = (word: string) => (value: string) => (value === '1' ? word : null);
  const cpu = `cpu${thread.cpu}`;
  add('hardware', `${cpu}.context`, 'context');
  add('hardware', `${cpu}.irqs_off`, 'irqs_off', when('1'));
  if (kind === 'vmm') return facts;
  const { name } = thread;
  if (seen.value(`${name}.created`) !== '1') return facts;
  add('guest', `${name}.guest.op`, 'next', unless('NONE'));
  add('guest', `${name}.guest.resets`, 'resets', unless('0'));
  add('guest', `${name}.guest.starts`, 'starts', unless('0'));
  if (kind === 'td') {
    add('seam', `${name}.tdvps.state`, 'vCPU');
  }
  add('kvm', `${name}.mp_state`, 'mp_state');
  add('kvm', `${name}.mode`, 'mode', (value) =>
    value.replace(/^(OUTSIDE|EXITING)_GUEST_MODE$/, '$1').replace(/_MODE$/, ''),
  );
  add('kvm', `${name}.requests`, 'requests', unless(''));
  add('vmm', `${name}.run.exit_reason`, 'exit', (value) =>
    /UNKNOWN$/.test(value) ? null : value.replace(/^KVM_EXIT_/, ''),
  );
  return facts;
}

/** What a mark of the trace says about a vCPU's INIT and SIPI. */
interface News {
  readonly vm: string;
  readonly vcpu: number;
  readonly event: string;
  readonly text: string;
}
const NEWS = new Set(['sipi_blocked', 'vcpu_reset', 'sipi_delivered', 'sipi_ignored']);

function newsOf(seen: Seen): News[] {
  const news: News[] = [];
  let target = '';
  for (let n = seen.lastAction; n < seen.count; n++) {
    const event = seen.event(n);
    if (event === undefined) continue;
    const { type, name, text, thread } = event;
    if (type === 'action') target = /\bvm=(\S+)/.exec(text)?.[1] ?? '';
    if (type !== 'mark' || !NEWS.has(name)) continue;
    const vcpu = /\bvcpu (\d+)/.exec(text)?.[1];
    if (vcpu !== undefined)
      news.push({ vm: /^(.+)\.vcpu\d+$/.exec(thread)?.[1] ?? target, vcpu: Number(vcpu), event: name, text });
  }
  return news;
}

function signalsOf(seen: Seen, vcpu: string, isTd: boolean, news: readonly News[]): Signal[] {
  const latched = (seen.value(`${vcpu}.apic.pending_events`) ?? '').split(' ');
  const vector = seen.value(`${vcpu}.apic.sipi_vector`) ?? '';
  const signals: Signal[] = [];
  const add = (name: Signal['name'], fate: Signal['fate'], say: string, by: string | null = null): void => {
    signals.push({ name, fate, say, by });
  };
  const happened = (event: string): News | undefined => news.findLast((one) => one.event === event);
  if (latched.includes('INIT')) {
    if (isTd) add('INIT', 'stopped', 'held by KVM', 'vt_apic_init_signal_blocked');
    else add('INIT', 'waits', 'latched, will reset');
  } else if (!isTd && happened('vcpu_reset')?.text.includes('yes')) add('INIT', 'acted', 'reset the vCPU');
  const delivered = happened('sipi_delivered');
  if (latched.includes('SIPI')) {
    if (isTd) add('SIPI', 'stopped', 'held by KVM', 'vt_apic_init_signal_blocked');
    else add('SIPI', 'waits', `${vector}, latched`);
  } else if (happened('sipi_blocked')) add('SIPI', 'dropped', 'dropped', 'kvm_apic_accept_events');
  else if (happened('sipi_ignored')) add('SIPI', 'dropped', 'dropped: not waiting', 'kvm_apic_accept_events');
  else if (delivered !== undefined)
    add('SIPI', 'acted', `starts at ${/cs_base (\S+)/.exec(delivered.text)?.[1] ?? vector}`);
  return signals;
}

/** What a thread is doing, in words. */
export const STATUS_NAMES: Readonly<Record<ThreadView['status'], string>> = {
  idle: 'idle in userspace',
  ready: 'ready to step',
  blocked: 'asleep in KVM',
  waiting: 'waits for another thread',
  'in-guest': 'executing the guest',
};

/** The sentence about a thread that a screen reader gets, and the line below the stage. */
export function sayThread({ name, layer, status, stack }: ThreadView): string {
  const frame = stack.at(-1);
  if (frame === undefined) return `${name}: ${STATUS_NAMES[status]}.`;
  return `${name}: ${STATUS_NAMES[status]}, in ${LAYER_NAMES[layer].name}, ${frame.routine}, next step ${frame.step}: ${frame.doc}`;
}

export const isLayer = (word: string): word is Layer => LAYER_SET.includes(word);
