import type { Past } from '../src-sim';
import { authorText, type Hit } from '../src-sim/scenario/stop';
import type { Hit as HitView } from './view';

/** A hit as the screen shows it. `past`: of the line of history on which it was found. */
export function hitView({ stops, moment, event, why }: Hit, past: Past): HitView {
  const by = authorText(past.author(moment));
  const say = `Moment ${moment}: ${why.join(', and ')}, by ${by}.`;
  return { stops: [...stops], moment, event, by, say };
}
