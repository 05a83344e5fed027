import {
  contract,
  Envelope,
  events,
  type Bridge,
  type EventName,
  type Name,
  type Params,
  type Payload,
  type Reply,
} from '../src-main/contract';

declare global {
  interface Window {
    /** Put there by the preload script. */
    readonly seamlab: Bridge;
  }
}

/** A call that main did not fulfil. `message` is for the learner; `code` is main's, or `bad_reply` when it made no sense. */
export interface Fault {
  readonly code: string;
  readonly message: string;
}
export type Answer<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: Fault };

const UNREADABLE: Fault = {
  code: 'bad_reply',
  message:
    'The desktop part of Seamlab answered in a way this screen does not understand. Everything you did is kept. Start Seamlab again.',
};

/**
 * The screen's end of the contract. Whatever arrives is checked against the contract before anything sees it; an error is
 * a value with words for the learner, never an exception.
 */
export class Client {
  readonly #bridge: Bridge;

  constructor(bridge: Bridge) {
    this.#bridge = bridge;
  }

  async call<N extends Name>(name: N, params: Params<N>): Promise<Answer<Reply<N>>> {
    let raw: unknown;
    try {
      raw = await this.#bridge.call(name, params);
    } catch {
      return { ok: false, fault: UNREADABLE };
    }
    const envelope = Envelope.safeParse(raw);
    if (!envelope.success) return { ok: false, fault: UNREADABLE };
    if (!envelope.data.ok)
      return { ok: false, fault: { code: envelope.data.code, message: envelope.data.message } };
    const reply = contract[name].reply.safeParse(envelope.data.value);
    return reply.success ? { ok: true, value: reply.data as Reply<N> } : { ok: false, fault: UNREADABLE };
  }

  /**
   * Listens to an event. A payload of the wrong shape is dropped.
   *
   * @returns a function that ends it.
   */
  on<N extends EventName>(name: N, listener: (payload: Payload<N>) => void): () => void {
    return this.#bridge.on(name, (raw) => {
      const payload = events[name].payload.safeParse(raw);
      if (payload.success) listener(payload.data as Payload<N>);
    });
  }
}
